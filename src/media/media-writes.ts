/** The atomic units of media, as ready-made statements. Pure: nothing is run here; each function is one transaction. */
import type { CompiledQuery, Kysely } from 'kysely';
import type { InfoHashV1, Sha256 } from '../base/ids.ts';
import type { WriteStep } from '../store/rows.ts';
import { moveSpace, takeSpace } from './space.ts';
import type { SpaceChange, SpaceLimits } from './space.ts';
import type { BlobRow, GrantRow, MediaTables, UploadRow } from './tables.ts';

type Query = Kysely<MediaTables>;

/** The row of `tally` that counts torrents. */
export const TORRENTS = 'torrents';

const exactlyOne = (query: { compile(): CompiledQuery }): WriteStep => ({ query: query.compile(), expectChanges: 1 });
const any = (query: { compile(): CompiledQuery }): WriteStep => ({ query: query.compile() });

/** What the hashes say, recorded before the bytes get their name. */
export interface Finding {
  readonly sha256: Sha256;
  readonly crc32: number;
  readonly type: string;
  readonly pieces: Uint8Array;
}

export interface TorrentFacts {
  readonly infoHash: InfoHashV1;
  /** H('req2'‖info hash) in hex. */
  readonly obfuscatedKey: string;
  readonly pieceLengthBytes: number;
  readonly pieceCount: number;
  readonly pieces: Uint8Array;
}

export function createUpload(query: Query, row: UploadRow, limits: SpaceLimits): readonly WriteStep[] {
  const change = { owner: row.owner, ownerBytes: row.reserved_bytes, totalBytes: row.reserved_bytes };
  return [...takeSpace(query, change, limits), exactlyOne(query.insertInto('upload').values(row))];
}

/** Only from the offset that was read, so that of two writers one is refused. */
export function recordOffset(
  query: Query,
  id: string,
  before: number,
  after: number,
  expiresAtMs: number,
): readonly WriteStep[] {
  const update = query.updateTable('upload').set({ offset_bytes: after, expires_at_ms: expiresAtMs });
  return [exactlyOne(update.where('id', '=', id).where('state', '=', 'open').where('offset_bytes', '=', before))];
}

/** Reserves more for an upload of unknown size. */
export function reserveMore(
  query: Query,
  row: UploadRow,
  moreBytes: number,
  limits: SpaceLimits,
): readonly WriteStep[] {
  const change = { owner: row.owner, ownerBytes: moreBytes, totalBytes: moreBytes };
  const update = query.updateTable('upload').set((eb) => ({ reserved_bytes: eb('reserved_bytes', '+', moreBytes) }));
  return [...takeSpace(query, change, limits), exactlyOne(update.where('id', '=', row.id).where('state', '=', 'open'))];
}

/** Sets the size, once, and reserves what it takes beyond what is reserved. */
export function declareSize(
  query: Query,
  row: UploadRow,
  sizeBytes: number,
  limits: SpaceLimits,
): readonly WriteStep[] {
  const moreBytes = sizeBytes - row.reserved_bytes;
  const change = { owner: row.owner, ownerBytes: moreBytes, totalBytes: moreBytes };
  const update = query
    .updateTable('upload')
    .set({ size_bytes: sizeBytes, reserved_bytes: sizeBytes })
    .where('id', '=', row.id)
    .where('size_bytes', 'is', null)
    .where('reserved_bytes', '=', row.reserved_bytes)
    .where('offset_bytes', '<=', sizeBytes);
  return [...takeSpace(query, change, limits), exactlyOne(update)];
}

/** Phase one of the finish: from here on the upload can only become this blob. */
export function decideFinish(query: Query, id: string, sizeBytes: number, finding: Finding): readonly WriteStep[] {
  const update = query.updateTable('upload').set({
    state: 'finishing',
    size_bytes: sizeBytes,
    fin_sha256: finding.sha256,
    fin_crc32: finding.crc32,
    fin_type: finding.type,
    fin_pieces: finding.pieces,
  });
  return [exactlyOne(update.where('id', '=', id).where('state', '=', 'open').where('offset_bytes', '=', sizeBytes))];
}

export interface FinishedUpload {
  readonly upload: UploadRow;
  readonly blob: BlobRow;
  readonly torrent: TorrentFacts | undefined;
  readonly grant: GrantRow;
  readonly expiresAtMs: number;
  /** What differs from what the upload had reserved. */
  readonly space: SpaceChange;
}

/** Phase two: blob, torrent, grant, count and the end of the upload, at once. */
export function completeFinish(query: Query, finished: FinishedUpload): readonly WriteStep[] {
  return [
    endUpload(query, finished.upload, finished.expiresAtMs),
    ...moveSpace(query, finished.space),
    ...putBlob(query, finished.blob),
    ...(finished.torrent === undefined ? [] : putTorrent(query, finished.blob.sha256, finished.torrent)),
    ...putGrant(query, finished.grant),
  ];
}

/** Keeps a stored blob for one more owner; a resumable upload is remembered as finished. */
export function grantStored(
  query: Query,
  grant: GrantRow,
  upload: UploadRow,
  space: { readonly change: SpaceChange; readonly limits: SpaceLimits },
): readonly WriteStep[] {
  return [
    ...takeSpace(query, space.change, space.limits),
    ...putGrant(query, grant),
    exactlyOne(query.insertInto('upload').values(upload)),
  ];
}

/** Whoever may come back for the answer finds it; one body's upload is over with its connection. */
function endUpload(query: Query, upload: UploadRow, expiresAtMs: number): WriteStep {
  if (upload.kind === 'single') {
    return exactlyOne(query.deleteFrom('upload').where('id', '=', upload.id).where('state', '=', 'finishing'));
  }
  const memory = { state: 'finished', reserved_bytes: 0, fin_pieces: null, expires_at_ms: expiresAtMs } as const;
  const update = query.updateTable('upload').set(memory);
  return exactlyOne(update.where('id', '=', upload.id).where('state', '=', 'finishing'));
}

function putBlob(query: Query, blob: BlobRow): readonly WriteStep[] {
  const insert = query.insertInto('blob').values(blob);
  const again = { fingerprint: blob.fingerprint, damaged_at_ms: null };
  return [any(insert.onConflict((conflict) => conflict.column('sha256').doUpdateSet(again)))];
}

function putTorrent(query: Query, sha256: string, torrent: TorrentFacts): readonly WriteStep[] {
  const info_hash = torrent.infoHash;
  const row = {
    info_hash,
    sha256,
    piece_length_bytes: torrent.pieceLengthBytes,
    piece_count: torrent.pieceCount,
    obfuscated_key: torrent.obfuscatedKey,
  };
  const pieces = { info_hash, pieces: torrent.pieces };
  const known = query.selectFrom('torrent').select('info_hash').where('info_hash', '=', info_hash);
  return [
    any(
      query
        .updateTable('tally')
        .set((eb) => ({ count: eb('count', '+', 1) }))
        .where('name', '=', TORRENTS)
        .where((eb) => eb.not(eb.exists(known))),
    ),
    any(
      query
        .insertInto('torrent')
        .values(row)
        .onConflict((conflict) => conflict.doNothing()),
    ),
    any(
      query
        .insertInto('torrent_pieces')
        .values(pieces)
        .onConflict((conflict) => conflict.doNothing()),
    ),
  ];
}

/** An owner who keeps it already keeps its first name for it. */
function putGrant(query: Query, grant: GrantRow): readonly WriteStep[] {
  return [
    any(
      query
        .insertInto('blob_grant')
        .values(grant)
        .onConflict((conflict) => conflict.doNothing()),
    ),
    countRefs(query, grant.sha256),
    any(query.deleteFrom('tombstone').where('sha256', '=', grant.sha256)),
  ];
}

function countRefs(query: Query, sha256: string): WriteStep {
  const update = query.updateTable('blob').set((eb) => ({
    refs: eb
      .selectFrom('blob_grant')
      .select(({ fn }) => fn.countAll<number>().as('grants'))
      .where('sha256', '=', sha256),
  }));
  return exactlyOne(update.where('sha256', '=', sha256));
}

/** Forgets an upload and gives back its room. */
export function dropUpload(query: Query, row: UploadRow): readonly WriteStep[] {
  const remove = query.deleteFrom('upload').where('id', '=', row.id).where('state', '=', row.state);
  const space = { owner: row.owner, ownerBytes: -row.reserved_bytes, totalBytes: -row.reserved_bytes };
  return [exactlyOne(remove.where('reserved_bytes', '=', row.reserved_bytes)), ...moveSpace(query, space)];
}

/** Drops the grants of some owners; when none is left the blob gets a tombstone. */
export function dropGrants(
  query: Query,
  blob: BlobRow,
  owners: readonly string[],
  tombstone: MediaTables['tombstone'] | undefined,
): readonly WriteStep[] {
  const remove = query.deleteFrom('blob_grant').where('sha256', '=', blob.sha256).where('owner', 'in', owners);
  const room = owners.flatMap((owner) => moveSpace(query, { owner, ownerBytes: -blob.size_bytes, totalBytes: 0 }));
  return [
    { query: remove.compile(), expectChanges: owners.length },
    ...room,
    countRefs(query, blob.sha256),
    ...(tombstone === undefined ? [] : [any(query.insertInto('tombstone').values(tombstone))]),
  ];
}

/** Removes the rows of a blob nobody keeps. Its tombstone stays until the bytes are gone. */
export function dropBlob(query: Query, blob: BlobRow): readonly WriteStep[] {
  const infoHashes = query.selectFrom('torrent').select('info_hash').where('sha256', '=', blob.sha256);
  return [
    exactlyOne(query.deleteFrom('blob').where('sha256', '=', blob.sha256).where('refs', '=', 0)),
    forgetTorrents(query, blob.sha256),
    any(query.deleteFrom('torrent_pieces').where('info_hash', 'in', infoHashes)),
    any(query.deleteFrom('torrent').where('sha256', '=', blob.sha256)),
    ...moveSpace(query, { owner: '', ownerBytes: 0, totalBytes: -blob.size_bytes }),
  ];
}

/** For rows from before the column. */
export function nameTorrents(
  query: Query,
  names: readonly Pick<TorrentFacts, 'infoHash' | 'obfuscatedKey'>[],
): readonly WriteStep[] {
  // Compiled once: a page has hundreds of them.
  const template = query.updateTable('torrent').set({ obfuscated_key: '' }).where('info_hash', '=', '').compile();
  return names.map(({ infoHash, obfuscatedKey }) => ({
    query: { ...template, parameters: [obfuscatedKey, infoHash] },
  }));
}

/** Before the rows go. */
function forgetTorrents(query: Query, sha256: string): WriteStep {
  const going = query.selectFrom('torrent').where('sha256', '=', sha256);
  const count = going.select(({ fn }) => fn.countAll<number>().as('going'));
  const update = query.updateTable('tally').set((eb) => ({ count: eb('count', '-', count) }));
  return exactlyOne(update.where('name', '=', TORRENTS));
}

export function dropTombstone(query: Query, sha256: Sha256): readonly WriteStep[] {
  return [any(query.deleteFrom('tombstone').where('sha256', '=', sha256))];
}

/** Records what a check of the stored bytes found. */
export function recordCheck(
  query: Query,
  sha256: Sha256,
  found: Pick<BlobRow, 'fingerprint' | 'damaged_at_ms'>,
): readonly WriteStep[] {
  return [any(query.updateTable('blob').set(found).where('sha256', '=', sha256))];
}

/** After a loss: the sender is told to send again from here. */
export function lowerOffset(query: Query, id: string, offsetBytes: number): readonly WriteStep[] {
  const open = { state: 'open', fin_sha256: null, fin_crc32: null, fin_type: null, fin_pieces: null } as const;
  return [
    exactlyOne(
      query
        .updateTable('upload')
        .set({ ...open, offset_bytes: offsetBytes })
        .where('id', '=', id),
    ),
  ];
}
