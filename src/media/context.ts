/** What every use case of media shares: ports, limits, and the few things kept in memory. */
import type { UploadPolicy } from '../base/api.ts';
import type { Clock } from '../base/clock.ts';
import type { Emitter } from '../base/emitter.ts';
import type { Sha256 } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { BlobStore } from '../store/blobs.ts';
import type { FollowerPool } from '../store/follower.ts';
import type { Rows } from '../store/rows.ts';
import type { KeyedLock } from './keyed-lock.ts';
import type { MediaReads } from './media-reads.ts';
import type { MediaEvents } from './medium.ts';
import type { ReaderCache } from './reader-cache.ts';
import type { BlobRow, MediaTables } from './tables.ts';

export interface MediaPorts {
  readonly rows: Rows<MediaTables>;
  readonly store: BlobStore;
  readonly followers: FollowerPool;
  readonly clock: Clock;
  readonly log: Log;
}

export interface MediaLimits {
  /** Who may upload. */
  readonly policy: UploadPolicy;
  readonly maxUploadBytes: number;
  /** All identities together, reservations included. */
  readonly totalQuotaBytes: number;
  /** An upload nobody continues is removed after this. */
  readonly uploadExpiryMs: number;
  /** How long a removed blob's bytes stay. */
  readonly unlinkGraceMs: number;
  /** MIME types or families (`video/*`) taken in; empty: all. */
  readonly acceptedTypes: readonly string[];
  /** Blobs kept open without a reader. */
  readonly maxIdleReaders: number;
}

export interface MediaContext extends MediaPorts {
  readonly limits: MediaLimits;
  readonly reads: MediaReads;
  readonly events: Emitter<MediaEvents>;
  readonly readers: ReaderCache;
  /** Whatever gives a blob its name, its grants or its end holds this. */
  readonly blobLocks: KeyedLock<Sha256>;
  /** Aborted when media stops. */
  readonly stopping: AbortSignal;
  /** Runs what nobody waits for; ends with media. A failure is logged. */
  inBackground(name: string, task: (signal: AbortSignal) => Promise<unknown>): void;
  /** The row of a blob that may be read: kept by somebody, not damaged. Remembered until `forgetMedium`. */
  servedBlob(sha256: Sha256): BlobRow | undefined;
  /** Call after every change of a blob's rows. */
  forgetMedium(sha256: Sha256): void;
}

/** True for an exact type, or its family. */
export function acceptsType(accepted: readonly string[], type: string): boolean {
  return accepted.length === 0 || accepted.includes(type) || accepted.includes(`${type.split('/')[0]}/*`);
}
