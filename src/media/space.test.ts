/** Whatever people do, in whatever order: what is counted is what is there. */
import * as fc from 'fast-check';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import {
  alice,
  bob,
  bodyOf,
  brokenBodyOf,
  keyClaim,
  never,
  openMedia,
  sha256Of,
} from '../../test/contracts/media-fixture.ts';
import type { OpenMedia } from '../../test/contracts/media-fixture.ts';
import { seededBytes } from '../../test/support/random-bytes.ts';
import { AppError } from '../base/errors.ts';
import type { UploadId } from '../base/ids.ts';
import { scopeOf, TOTAL } from './space.ts';

const claims = [alice, bob, keyClaim('c', { quotaBytes: 3_000 })];
const contents = Array.from({ length: 6 }, (_, index) => seededBytes(`space ${index}`, 200 + index * 350));

/** Indexes into claims and contents, and how far to go. */
const action = fc.record({
  kind: fc.constantFrom(
    'create',
    'declare late',
    'append half',
    'append all',
    'terminate',
    'ingest',
    'break',
    'remove',
    'collect',
    'expire',
  ),
  who: fc.nat({ max: claims.length - 1 }),
  what: fc.nat({ max: contents.length - 1 }),
});

interface World {
  readonly opened: OpenMedia;
  readonly uploads: Map<string, UploadId>;
}

async function act(
  { opened: { media, clock }, uploads }: World,
  { kind, who, what }: { kind: string; who: number; what: number },
) {
  const claim = claims[who] ?? alice;
  const bytes = contents[what] ?? new Uint8Array(0);
  const key = `${who}/${what}`;
  const id = uploads.get(key);
  clock.advance(60_000);
  switch (kind) {
    case 'create':
      uploads.set(
        key,
        (await media.createUpload(claim, { name: 'x', sizeBytes: bytes.length, sha256: sha256Of(bytes) })).id,
      );
      return;
    case 'declare late': {
      const upload = await media.createUpload(claim, { name: 'x' });
      await media.append(claim, upload.id, 0, bodyOf(bytes.subarray(0, 100)), never);
      await media.declareLength(claim, upload.id, bytes.length);
      uploads.set(key, upload.id);
      return;
    }
    case 'append half':
    case 'append all': {
      const offset = id && media.findUpload(claim, id)?.offsetBytes;
      if (id === undefined || offset === undefined) return;
      const end = kind === 'append all' ? bytes.length : Math.max(offset, Math.floor(bytes.length / 2));
      await media.append(claim, id, offset, bodyOf(bytes.subarray(offset, end)), never);
      return;
    }
    case 'terminate':
      if (id !== undefined) await media.terminate(claim, id);
      return;
    case 'ingest':
      await media.ingest(claim, bodyOf(bytes), { name: 'x' }, never);
      return;
    case 'break':
      await media.ingest(claim, brokenBodyOf(bytes.subarray(0, 100)), { name: 'x', sizeBytes: bytes.length }, never);
      return;
    case 'remove':
      await media.remove(claim, sha256Of(bytes));
      return;
    case 'collect':
      clock.advance(3_600_000);
      await media.collectGarbage();
      return;
    default:
      await media.expire(clock.nowMs() + (who === 0 ? 100 * 3_600_000 : 0));
  }
}

/** What `space` must say, computed from the other tables and the disk. */
async function truthOf({ rows, store }: OpenMedia) {
  const one = (text: ReturnType<typeof sql<{ bytes: number }>>): number =>
    rows.read(text.compile(rows.query))[0]?.bytes ?? 0;
  const owners = claims.map(({ pubkey }) =>
    one(sql<{
      bytes: number;
    }>`SELECT coalesce((SELECT sum(blob.size_bytes) FROM blob_grant JOIN blob USING (sha256) WHERE owner = ${pubkey}), 0)
      + coalesce((SELECT sum(reserved_bytes) FROM upload WHERE owner = ${pubkey}), 0) AS bytes`),
  );
  let onDisk = 0;
  for await (const blob of store.list()) onDisk += (await store.stat(blob))?.sizeBytes ?? 0;
  const reserved = one(sql<{ bytes: number }>`SELECT coalesce(sum(reserved_bytes), 0) AS bytes FROM upload`);
  return [...owners, onDisk + reserved];
}

test('the room counted is the room taken, after any sequence of actions', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
      const opened = await openMedia({ limits: { totalQuotaBytes: 6_000 } });
      const world: World = { opened, uploads: new Map() };
      for (const one of actions) {
        await act(world, one).catch((error: unknown) => expect(error).toBeInstanceOf(AppError));
      }
      const { media, rows } = opened;
      const counted = [...claims.map((claim) => media.usedBytes(claim)), media.totalUsedBytes()];
      expect(counted).toEqual(await truthOf(opened));
      expect(counted.at(-1)).toBeLessThanOrEqual(6_000);
      expect(media.usedBytes(keyClaim('c'))).toBeLessThanOrEqual(3_000);
      const wrongRefs = sql`SELECT sha256 FROM blob WHERE refs <> (SELECT count(*) FROM blob_grant g WHERE g.sha256 = blob.sha256)`;
      expect(rows.read(wrongRefs.compile(rows.query))).toEqual([]);
    }),
    { numRuns: 25 },
  );
}, 60_000);

test('scopes of owners cannot be taken for the total', () => {
  expect(scopeOf('')).not.toBe(TOTAL);
  expect(scopeOf(TOTAL)).not.toBe(TOTAL);
});
