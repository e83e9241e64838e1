/**
 * A server's data folder with very many torrents at rest: rows through the product's own tables, and real files only
 * for those that will be woken, scattered among the rest. Their number is what start and look-ups have to carry; the
 * bytes of a torrent nobody wakes are never looked at.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, rename } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { blobPath, layoutOf } from '../../src/adapters/fs/layout.ts';
import { nodeDisk } from '../../src/adapters/fs/disk.ts';
import { bindable } from '../../src/adapters/sqlite/connection.ts';
import { SqliteRows } from '../../src/adapters/sqlite/sqlite-rows.ts';
import { migrations, type Tables } from '../../src/app/tables.ts';
import { parseInfoHashV1 } from '../../src/base/ids.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import { canonicalPieceCount, canonicalPieceLength } from '../../src/codec/canonical.ts';
import { TORRENTS } from '../../src/media/media-writes.ts';
import { obfuscatedKeyOf } from '../../src/media/obfuscated-keys.ts';
import { makeBlob, type SeededBlob } from './blob.ts';

/** One piece, four blocks: what is measured is the waking. */
const REAL_BYTES = 64 * KIB;
/** Sizes of the others are spread evenly by magnitude, so that their rows carry 1 to 128 piece hashes. */
const SMALLEST_BYTES = 16 * KIB;
const LARGEST_BYTES = 32 * MIB;
const ROWS_PER_TRANSACTION = 50_000;
const FIRST_STORED_AT_MS = 1_700_000_000_000;
const PAGE_CACHE_KIB = 512 * KIB;

export interface DormantStore {
  readonly dataFolder: string;
  readonly count: number;
  /** Those with bytes, in the order in which they may be woken. */
  readonly wakeable: readonly SeededBlob[];
}

interface Row {
  readonly sha256: string;
  readonly infoHash: string;
  readonly sizeBytes: number;
  readonly fingerprint: string;
  readonly pieces: Uint8Array;
}

/** Fills `folder` with `count` torrents, `wakeableCount` of them with bytes. */
export async function makeDormantStore(folder: string, count: number, wakeableCount: number): Promise<DormantStore> {
  const dataFolder = path.join(folder, 'server');
  const file = path.join(dataFolder, 'seedbed.db');
  const rows = await SqliteRows.open<Tables>({ file, migrations });
  await rows.close();
  const wakeable: SeededBlob[] = [];
  const database = new DatabaseSync(file);
  try {
    // Nobody else has it open, and an interrupted bench starts over.
    database.exec(`PRAGMA synchronous = OFF; PRAGMA cache_size = -${PAGE_CACHE_KIB}; BEGIN`);
    const put = inserter(database);
    const every = Math.floor(count / wakeableCount);
    for (let index = 0; index < count; index++) {
      if (index % every === 0 && wakeable.length < wakeableCount) {
        const blob = await placeBlob(folder, dataFolder, wakeable.length);
        wakeable.push(blob);
        put(await rowOf(blob, dataFolder), index);
      } else put(imaginaryRow(index / count), index);
      if (index % ROWS_PER_TRANSACTION === 0) database.exec('COMMIT; BEGIN');
    }
    database.prepare('UPDATE tally SET count = ? WHERE name = ?').run(count, TORRENTS);
    database.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)');
  } finally {
    database.close();
  }
  return { dataFolder, count, wakeable };
}

async function placeBlob(folder: string, dataFolder: string, index: number): Promise<SeededBlob> {
  const blob = await makeBlob(folder, `dormant-${index}`, REAL_BYTES);
  const target = blobPath(layoutOf(dataFolder), blob.sha256);
  await mkdir(path.dirname(target), { recursive: true });
  await rename(path.join(blob.dataFolder, blob.sha256), target);
  return blob;
}

async function rowOf({ sha256, infoHash, sizeBytes, pieces }: SeededBlob, dataFolder: string): Promise<Row> {
  const { fingerprint } = await nodeDisk.stat(blobPath(layoutOf(dataFolder), sha256));
  return { sha256, infoHash, sizeBytes, fingerprint, pieces };
}

/** `position` in [0, 1) becomes the head of both hashes: rows that come in order of their keys are written fast. */
function imaginaryRow(position: number): Row {
  const head = Math.floor(position * 2 ** 32)
    .toString(16)
    .padStart(8, '0');
  const sizeBytes = Math.floor(SMALLEST_BYTES * (LARGEST_BYTES / SMALLEST_BYTES) ** Math.random());
  return {
    sha256: head + randomBytes(28).toString('hex'),
    infoHash: head + randomBytes(16).toString('hex'),
    sizeBytes,
    fingerprint: `${sizeBytes}-1700000000000000000-${Math.floor(position * 2 ** 32)}`,
    pieces: randomBytes(canonicalPieceCount(sizeBytes) * 20),
  };
}

type Put = (row: Row, index: number) => void;

/** Rows are typed by the product's tables: a changed column breaks the bench, not its figures. */
function inserter(database: DatabaseSync): Put {
  const prepared = new Map<string, StatementSync>();
  const insert = <Name extends keyof Tables>(table: Name, row: Tables[Name]): void => {
    const columns = Object.keys(row);
    const text = `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`;
    const statement = prepared.get(table) ?? database.prepare(text);
    prepared.set(table, statement);
    statement.run(...bindable(Object.values(row)));
  };
  return ({ sha256, infoHash, sizeBytes, fingerprint, pieces }, index) => {
    const atMs = FIRST_STORED_AT_MS + index;
    const fixed = { crc32: 0, type: 'video/mp4', refs: 1, damaged_at_ms: null };
    insert('blob', { sha256, size_bytes: sizeBytes, fingerprint, stored_at_ms: atMs, ...fixed });
    insert('blob_grant', { sha256, owner: '', name: `video ${index}.mp4`, created_at_ms: atMs });
    const piece_length_bytes = canonicalPieceLength(sizeBytes);
    const piece_count = canonicalPieceCount(sizeBytes);
    const obfuscated_key = obfuscatedKeyOf(parseInfoHashV1(infoHash));
    insert('torrent', { info_hash: infoHash, sha256, piece_length_bytes, piece_count, obfuscated_key });
    insert('torrent_pieces', { info_hash: infoHash, pieces });
  };
}
