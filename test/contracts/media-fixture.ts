/** Media on a real disk and a real database, with the clock in the test's hands. For tests of use cases and of doors. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { FsBlobStore } from '../../src/adapters/fs/blob-store.ts';
import { WorkerFollowerPool } from '../../src/adapters/fs/follower-pool.ts';
import { SqliteRows } from '../../src/adapters/sqlite/sqlite-rows.ts';
import type { Claim, KeyClaim } from '../../src/accounts/claim.ts';
import { parseInfoHashV1, parsePubkey, parseSha256 } from '../../src/base/ids.ts';
import type { Sha256 } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { DAY_MS, GIB, HOUR_MS } from '../../src/base/units.ts';
import type { MediaLimits, MediaPorts } from '../../src/media/context.ts';
import { Media } from '../../src/media/media.ts';
import { mediaMigrations } from '../../src/media/tables.ts';
import type { MediaTables } from '../../src/media/tables.ts';
import type { Medium } from '../../src/media/medium.ts';
import { canonicalInfo } from '../../src/codec/canonical.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { testFolder } from '../support/temp-dir.ts';
import { digestOf } from './follower-pool.ts';

export const limits: MediaLimits = {
  policy: 'anyone',
  maxUploadBytes: GIB,
  totalQuotaBytes: 10 * GIB,
  uploadExpiryMs: DAY_MS,
  unlinkGraceMs: HOUR_MS,
  acceptedTypes: [],
  maxIdleReaders: 4,
};

/** `owner`, `member`, … by the digit its key consists of. */
export function keyClaim(digit: string, more: Partial<KeyClaim> = {}): KeyClaim {
  return { kind: 'key', pubkey: parsePubkey(digit.repeat(64)), role: 'member', quotaBytes: GIB, ...more };
}

export const alice = keyClaim('a');
export const bob = keyClaim('b');
export const serverOwner = keyClaim('0', { role: 'owner' });

export interface OpenMedia extends MediaPorts {
  readonly media: Media;
  readonly clock: FakeClock;
  readonly store: FsBlobStore;
  readonly rows: SqliteRows<MediaTables>;
  /** Folder of the database and the blobs. */
  readonly folder: string;
  /** Stops this one and opens the same folder again, without recovery. */
  restart(more?: MediaChanges): Promise<OpenMedia>;
}

/** Ports to wrap or replace, and limits to change. */
export interface MediaChanges {
  readonly limits?: Partial<MediaLimits>;
  wrap?(ports: MediaPorts): MediaPorts;
}

/** Opens Media in a folder of its own that goes when the test ends. */
export async function openMedia(changes: MediaChanges = {}): Promise<OpenMedia> {
  return openIn(await testFolder('media'), new FakeClock(), changes);
}

async function openIn(folder: string, clock: FakeClock, changes: MediaChanges): Promise<OpenMedia> {
  const root = path.join(folder, 'store');
  const store = await FsBlobStore.open({ root, floor: { share: 0, bytes: 0 } });
  const file = path.join(folder, 'seedbed.db');
  const rows = await SqliteRows.open<MediaTables>({ file, migrations: mediaMigrations, clock });
  const followers = new WorkerFollowerPool({ root, threads: 1 });
  const ports: MediaPorts = { rows, store, followers, clock, log: silentLog };
  const media = new Media(changes.wrap?.(ports) ?? ports, { ...limits, ...changes.limits });
  const stop = async (): Promise<void> => {
    await media.stop();
    await followers.close();
    await rows.close();
  };
  onTestFinished(stop);
  return {
    ...ports,
    media,
    clock,
    store,
    rows,
    folder,
    async restart(more = {}) {
      await stop();
      return openIn(folder, clock, { ...changes, ...more });
    },
  };
}

export function sha256Of(bytes: Uint8Array): Sha256 {
  return parseSha256(createHash('sha256').update(bytes).digest('hex'));
}

/** A body that arrives in chunks of `chunkBytes`. */
export async function* bodyOf(bytes: Uint8Array, chunkBytes = 65_536): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

/** A body that breaks off after its bytes. */
export async function* brokenBodyOf(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield* bodyOf(bytes);
  throw new Error('the connection was reset');
}

export const never = new AbortController().signal;

export const guest: Claim = { kind: 'guest', quotaBytes: GIB };
/** A wish that declares the length of `bytes`. */
export const wishFor = (bytes: Uint8Array, name = 'film.mp4') => ({ sizeBytes: bytes.length, name });

/** Of the canonical torrent. */
export function infoHashOf(bytes: Uint8Array) {
  const info = canonicalInfo({ ...digestOf(bytes) });
  return parseInfoHashV1(createHash('sha1').update(info).digest('hex'));
}

/** Stores bytes of known length through the one-shot door. */
export async function publish(
  media: Media,
  bytes: Uint8Array,
  claim: Claim = alice,
  name = 'film.mp4',
): Promise<Medium> {
  return (await media.ingest(claim, bodyOf(bytes), { name, sizeBytes: bytes.length }, never)).medium;
}

/** Undefined when the blob is not served. */
export async function contentOf(media: Media, sha256: Sha256): Promise<Uint8Array | undefined> {
  const reader = await media.openBlob(sha256);
  if (reader === undefined) return undefined;
  const bytes = new Uint8Array(reader.sizeBytes);
  await reader.read([bytes], 0);
  await reader.close();
  return bytes;
}
