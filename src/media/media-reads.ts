/**
 * What the database knows, read at once on the calling thread. A blob is there for readers when somebody keeps it and
 * no check has found it damaged. Statements are compiled once; only their values change.
 */
import type { CompiledQuery, Kysely } from 'kysely';
import { InvalidInput } from '../base/errors.ts';
import { swarmKeyOf } from '../base/ids.ts';
import type { InfoHashV1, Sha256, SwarmKey, UploadId } from '../base/ids.ts';
import type { Rows } from '../store/rows.ts';
import { TORRENTS } from './media-writes.ts';
import type { MediaList, MediaQuery, Medium, TorrentRow } from './medium.ts';
import { toMedium } from './rows-to-media.ts';
import type { MediumRow } from './rows-to-media.ts';
import type { BlobRow, MediaTables, UploadRow } from './tables.ts';

const MAX_PAGE = 200;
const CURSOR = /^(\d{1,16})-([0-9a-f]{64})$/;

/** Blobs with a grant, named g, and their torrents, those first that can be served. */
function media(query: Kysely<MediaTables>) {
  return query
    .selectFrom('blob')
    .innerJoin('blob_grant as g', 'g.sha256', 'blob.sha256')
    .leftJoin('torrent', 'torrent.sha256', 'blob.sha256')
    .where('blob.damaged_at_ms', 'is', null)
    .select(['blob.sha256', 'blob.size_bytes', 'blob.crc32', 'blob.type', 'g.owner', 'g.name', 'g.created_at_ms'])
    .select(['torrent.info_hash', 'torrent.piece_length_bytes', 'torrent.piece_count']);
}

/** The same, each blob once, under the name its first publisher gave it. */
function publishedMedia(query: Kysely<MediaTables>) {
  return media(query).where('g.owner', '=', (eb) =>
    eb
      .selectFrom('blob_grant as first')
      .select('first.owner')
      .whereRef('first.sha256', '=', 'blob.sha256')
      .orderBy('first.created_at_ms')
      .orderBy('first.owner')
      .limit(1),
  );
}

function compile(query: Kysely<MediaTables>) {
  const torrents = query
    .selectFrom('torrent')
    .innerJoin('blob', 'blob.sha256', 'torrent.sha256')
    .innerJoin('torrent_pieces', 'torrent_pieces.info_hash', 'torrent.info_hash')
    .where('blob.refs', '>', 0)
    .where('blob.damaged_at_ms', 'is', null)
    .select(['torrent.sha256', 'torrent.info_hash', 'blob.size_bytes'])
    .select(['torrent.piece_length_bytes', 'torrent_pieces.pieces']);
  const unfinished = query.selectFrom('upload').selectAll().where('state', '<>', 'finished').limit(1);
  const known = query.selectFrom('torrent').innerJoin('blob', 'blob.sha256', 'torrent.sha256').select('blob.sha256');
  const served = known.where('blob.refs', '>', 0).where('blob.damaged_at_ms', 'is', null);
  return {
    upload: query.selectFrom('upload').selectAll().where('id', '=', '').compile(),
    uploadBySha: unfinished.where('sha256', '=', '').compile(),
    uploadByInfoHash: unfinished.where('info_hash', '=', '').compile(),
    blob: query.selectFrom('blob').selectAll().where('sha256', '=', '').compile(),
    medium: publishedMedia(query).where('blob.sha256', '=', '').compile(),
    torrentBySha: torrents.where('torrent.sha256', '=', '').compile(),
    torrentByKey: torrents.where('torrent.info_hash', '=', '').compile(),
    knowsSwarm: known.where('blob.refs', '>', 0).where('torrent.info_hash', '=', '').compile(),
    servesSwarm: served.where('torrent.info_hash', '=', '').compile(),
    owners: query.selectFrom('blob_grant').select('owner').where('sha256', '=', '').compile(),
    keyByObfuscated: served.select('torrent.info_hash').where('torrent.obfuscated_key', '=', '').compile(),
    tally: query.selectFrom('tally').select('count').where('name', '=', '').compile(),
    used: query.selectFrom('space').select('used_bytes').where('scope', '=', '').compile(),
  };
}

export class MediaReads {
  readonly #rows: Rows<MediaTables>;
  readonly #compiled: ReturnType<typeof compile>;

  constructor(rows: Rows<MediaTables>) {
    this.#rows = rows;
    this.#compiled = compile(rows.query);
  }

  upload(id: UploadId): UploadRow | undefined {
    return this.#one(this.#compiled.upload, id);
  }

  /** An upload under way whose sender declared that hash. */
  unfinishedBySha(sha256: Sha256): UploadRow | undefined {
    return this.#one(this.#compiled.uploadBySha, sha256);
  }

  unfinishedByInfoHash(infoHash: InfoHashV1 | SwarmKey): UploadRow | undefined {
    return this.#one(this.#compiled.uploadByInfoHash, infoHash);
  }

  /** Also of a blob nobody keeps, or one that is damaged. */
  blob(sha256: Sha256): BlobRow | undefined {
    return this.#one(this.#compiled.blob, sha256);
  }

  medium(sha256: Sha256): Medium | undefined {
    const row: MediumRow | undefined = this.#one(this.#compiled.medium, sha256);
    return row && toMedium(row);
  }

  torrentBySha(sha256: Sha256): TorrentRow | undefined {
    return toTorrent(this.#one(this.#compiled.torrentBySha, sha256));
  }

  torrentByKey(key: SwarmKey): TorrentRow | undefined {
    return toTorrent(this.#one(this.#compiled.torrentByKey, key));
  }

  /** Also of a damaged blob, whose bytes may come again from others. */
  knowsSwarm(key: SwarmKey): boolean {
    return this.#one(this.#compiled.knowsSwarm, key) !== undefined;
  }

  /** Whether `torrentByKey` finds something; cheaper, as it does not load the pieces. */
  hasTorrent(key: SwarmKey): boolean {
    return this.#one(this.#compiled.servesSwarm, key) !== undefined;
  }

  /** The swarm of a served torrent by H('req2'‖info hash) in hex. */
  keyByObfuscated(obfuscatedKey: string): SwarmKey | undefined {
    const infoHash = this.#one(this.#compiled.keyByObfuscated, obfuscatedKey)?.info_hash;
    return infoHash === undefined ? undefined : swarmKeyOf(infoHash as InfoHashV1);
  }

  /** Torrents without an obfuscated key. */
  unnamedTorrents(limit: number): readonly InfoHashV1[] {
    const query = this.#rows.query.selectFrom('torrent').select('info_hash').where('obfuscated_key', 'is', null);
    const page = query.orderBy('info_hash').limit(limit).compile();
    return this.#rows.read(page).map((row) => row.info_hash as InfoHashV1);
  }

  /** Rows of `torrent`, those of removed blobs included until their grace time is over. */
  torrentCount(): number {
    return this.#one(this.#compiled.tally, TORRENTS)?.count ?? 0;
  }

  /** Everyone who keeps the blob; visitors without a key as ''. */
  owners(sha256: Sha256): readonly string[] {
    return this.#rows.read(bind(this.#compiled.owners, sha256)).map((row) => row.owner);
  }

  usedBytes(scope: string): number {
    return this.#one(this.#compiled.used, scope)?.used_bytes ?? 0;
  }

  /** Reserved bytes that are not on the disk yet. */
  outstandingBytes(): number {
    const query = this.#rows.query
      .selectFrom('upload')
      .where('state', '<>', 'finished')
      .select(({ fn, eb }) => fn.sum<number>(eb('reserved_bytes', '-', eb.ref('offset_bytes'))).as('bytes'));
    return Math.max(0, this.#rows.read(query.compile())[0]?.bytes ?? 0);
  }

  /** Unfinished uploads in the order of their ids, from the one after `after` on. */
  unfinished(after: string, limit: number): readonly UploadRow[] {
    const query = this.#rows.query.selectFrom('upload').selectAll();
    const page = query.where('state', '<>', 'finished').where('id', '>', after).orderBy('id').limit(limit);
    return this.#rows.read(page.compile());
  }

  expired(nowMs: number, limit: number): readonly UploadRow[] {
    const query = this.#rows.query.selectFrom('upload').selectAll().where('state', '<>', 'finishing');
    return this.#rows.read(query.where('expires_at_ms', '<=', nowMs).orderBy('expires_at_ms').limit(limit).compile());
  }

  /** Uploads whose finish was decided; more than a moment in this state means that it failed. */
  finishing(limit: number): readonly UploadRow[] {
    const query = this.#rows.query.selectFrom('upload').selectAll().where('state', '=', 'finishing');
    return this.#rows.read(query.orderBy('id').limit(limit).compile());
  }

  /** Blobs whose grace time is over. */
  unlinkable(nowMs: number, limit: number): readonly Sha256[] {
    const due = this.#rows.query.selectFrom('tombstone').select('sha256').where('unlink_after_ms', '<=', nowMs);
    return this.#rows.read(due.orderBy('unlink_after_ms').limit(limit).compile()).map((row) => row.sha256 as Sha256);
  }

  /** @throws InvalidInput for a limit or cursor that is none */
  list({ owner, cursor, limit }: MediaQuery): MediaList {
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) {
      throw new InvalidInput(`a page has 1 to ${MAX_PAGE} entries`, { limit });
    }
    const query = owner === undefined ? this.#newest(cursor) : this.#newestOf(owner, cursor);
    const rows = this.#rows.read(query.limit(limit + 1).compile());
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const found = page.map((row) => toMedium(row));
    if (rows.length <= limit || last === undefined) return { media: found };
    return { media: found, nextCursor: `${last.at_ms}-${last.sha256}` };
  }

  #newest(cursor: string | undefined) {
    const query = publishedMedia(this.#rows.query)
      .select('blob.stored_at_ms as at_ms')
      .orderBy('blob.stored_at_ms', 'desc')
      .orderBy('blob.sha256', 'desc');
    if (cursor === undefined) return query;
    const [atMs, sha256] = parseCursor(cursor);
    return query.where((eb) => eb(eb.refTuple('blob.stored_at_ms', 'blob.sha256'), '<', eb.tuple(atMs, sha256)));
  }

  #newestOf(owner: string, cursor: string | undefined) {
    const query = media(this.#rows.query)
      .where('g.owner', '=', owner)
      .select('g.created_at_ms as at_ms')
      .orderBy('g.created_at_ms', 'desc')
      .orderBy('g.sha256', 'desc');
    if (cursor === undefined) return query;
    const [atMs, sha256] = parseCursor(cursor);
    return query.where((eb) => eb(eb.refTuple('g.created_at_ms', 'g.sha256'), '<', eb.tuple(atMs, sha256)));
  }

  #one<Row>(query: CompiledQuery<Row>, value: string): Row | undefined {
    return this.#rows.read(bind(query, value))[0];
  }
}

/** A statement that was compiled with '' where its one value belongs. */
function bind<Row>(query: CompiledQuery<Row>, value: string): CompiledQuery<Row> {
  const parameters = query.parameters.map((parameter) => (parameter === '' ? value : parameter));
  return { ...query, parameters };
}

function parseCursor(cursor: string): [atMs: number, sha256: string] {
  const [, atMs, sha256] = CURSOR.exec(cursor) ?? [];
  if (atMs === undefined || sha256 === undefined) throw new InvalidInput('not a cursor of this list');
  return [Number(atMs), sha256];
}

type TorrentJoin = Omit<TorrentRow, 'sha256' | 'infoHash' | 'sizeBytes' | 'pieceLengthBytes'> & {
  sha256: string;
  info_hash: string;
  size_bytes: number;
  piece_length_bytes: number;
};

function toTorrent(row: TorrentJoin | undefined): TorrentRow | undefined {
  return (
    row && {
      sha256: row.sha256 as Sha256,
      infoHash: row.info_hash as InfoHashV1,
      sizeBytes: row.size_bytes,
      pieceLengthBytes: row.piece_length_bytes,
      pieces: row.pieces,
    }
  );
}
