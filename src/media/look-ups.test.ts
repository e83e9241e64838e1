/** What handshakes and announces ask the database: answered by an index however many torrents there are. */
import { type CompiledQuery, sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { openMedia, publish, serverOwner } from '../../test/contracts/media-fixture.ts';
import { overriding } from '../../test/contracts/overriding.ts';
import type { OpenMedia } from '../../test/contracts/media-fixture.ts';
import { eventually } from '../../test/support/eventually.ts';
import { seededBytes } from '../../test/support/random-bytes.ts';
import { parseInfoHashV1, parseSwarmKey, swarmKeyOf, type InfoHashV1 } from '../base/ids.ts';
import type { Media } from './media.ts';
import { obfuscatedKeyOf } from './obfuscated-keys.ts';

const KEY = parseSwarmKey('ab'.repeat(20));
/** H('req2'‖KEY), by another implementation of SHA-1. */
const OBFUSCATED = 'debcbb002ca1ef763a10a40caaeab1f00a565dbe';

async function infoHashOfStored(media: Media): Promise<InfoHashV1> {
  const { infoHash } = await publish(media, seededBytes('looked up', 1000));
  if (infoHash === undefined) throw new Error('it has a torrent');
  return infoHash;
}

describe('the database is asked by index', () => {
  test.each<[string, (media: Media) => unknown]>([
    ['for a handshake', (media) => media.torrentByKey(KEY)],
    ['for an encrypted handshake', (media) => media.keyByObfuscated(OBFUSCATED)],
    ['for an announce', (media) => [media.hasTorrent(KEY), media.admits(KEY)]],
    ['for the number of torrents', (media) => media.torrentCount()],
    ['for what recovery has to do', (media) => media.recover()],
  ])('%s', async (_why, ask) => {
    const asked: CompiledQuery[] = [];
    const { media, rows } = await openMedia({
      wrap: (ports) => ({
        ...ports,
        rows: overriding(ports.rows, {
          read: (query) => {
            asked.push(query);
            return ports.rows.read(query);
          },
        }),
      }),
    });
    await infoHashOfStored(media);
    asked.length = 0;
    await ask(media);
    const plans = asked.flatMap((query) => {
      const explain = sql.raw(`EXPLAIN QUERY PLAN ${query.sql}`).compile(rows.query);
      const plan = rows.read<{ detail: string }>({ ...explain, parameters: query.parameters });
      return plan.map(({ detail }) => detail);
    });
    expect(plans).not.toEqual([]);
    // Indexes of what is unfinished or unnamed are walked: they are as small as the work that is left.
    const scans = plans.filter((detail) => detail.startsWith('SCAN'));
    expect(scans.filter((detail) => !/INDEX (?:upload_unfinished|torrent_unnamed)/.test(detail))).toEqual([]);
  });
});

describe('an encrypted handshake', () => {
  test('names its torrent by a digest that others compute alike', () => {
    expect(obfuscatedKeyOf(parseInfoHashV1(KEY))).toBe(OBFUSCATED);
  });

  test('finds a stored torrent, and no longer when it was removed', async () => {
    const { media } = await openMedia();
    const infoHash = await infoHashOfStored(media);
    expect(media.keyByObfuscated(obfuscatedKeyOf(infoHash))).toBe(swarmKeyOf(infoHash));
    expect(media.keyByObfuscated(OBFUSCATED)).toBeUndefined();
    const [medium] = media.list({ limit: 1 }).media;
    if (medium !== undefined) await media.remove(serverOwner, medium.sha256);
    expect(media.keyByObfuscated(obfuscatedKeyOf(infoHash))).toBeUndefined();
  });

  test('finds torrents that were stored before digests were kept, soon after the start', async () => {
    const opened = await openMedia();
    const infoHash = await infoHashOfStored(opened.media);
    await forgetDigests(opened, 1_200);
    expect(opened.media.keyByObfuscated(obfuscatedKeyOf(infoHash))).toBeUndefined();
    const { media, rows } = await opened.restart();
    await media.recover();
    const unnamed = rows.query.selectFrom('torrent').select('info_hash').where('obfuscated_key', 'is', null);
    await eventually('all are named', () => rows.read(unnamed.compile()).length === 0);
    expect(media.keyByObfuscated(obfuscatedKeyOf(infoHash))).toBe(swarmKeyOf(infoHash));
  });
});

/** As a database of the version before: no torrent has a digest, and there are `more` of them. */
async function forgetDigests({ rows }: OpenMedia, more: number): Promise<void> {
  const old = Array.from({ length: more }, (_, index) => ({
    info_hash: index.toString(16).padStart(40, '0'),
    sha256: index.toString(16).padStart(64, '0'),
    piece_length_bytes: 262_144,
    piece_count: 1,
    obfuscated_key: null,
  }));
  await rows.write([
    { query: rows.query.updateTable('torrent').set({ obfuscated_key: null }).compile() },
    { query: rows.query.insertInto('torrent').values(old).compile() },
  ]);
}
