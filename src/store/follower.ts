/**
 * Hashing beside the write: a follower reads a part's bytes as they grow, on another thread, and knows every hash the
 * moment the last byte is there. `adapters/fs` fulfils it with worker threads that read the page cache.
 */
import type { Sha256, UploadId } from '../base/ids.ts';

/** What one pass over the bytes yields. */
export interface ContentDigest {
  readonly sizeBytes: number;
  readonly sha256: Sha256;
  /** CRC-32 as in ZIP, unsigned. */
  readonly crc32: number;
  /** The first bytes, at most 4,096, to tell the type from. */
  readonly head: Uint8Array;
  /** SHA-1 of each piece of the canonical torrent, back to back; empty for the empty blob. */
  readonly pieces: Uint8Array;
}

export interface Follower {
  /** What `advance` was last told. */
  readonly availableBytes: number;
  /** True once it cannot finish any more: the bytes could not be read, or it was abandoned. */
  readonly hasFailed: boolean;
  /** The part's bytes up to here are written and will not change. */
  advance(availableBytes: number): void;
  /** Resolves when hashing is near enough that the bytes are still in memory. @throws StorageFailed, Cancelled */
  caughtUp(signal: AbortSignal): Promise<void>;
  /** Hashes the rest; `availableBytes` must have reached `sizeBytes`. Call once. @throws StorageFailed, Cancelled */
  finish(sizeBytes: number, signal: AbortSignal): Promise<ContentDigest>;
  /** Lets go; harmless after `finish`. */
  abandon(): void;
}

export interface FollowerPool {
  /** Follows a part from its first byte. Where the size is not known yet, pieces take a second pass at the end. */
  follow(part: UploadId, sizeBytes: number | undefined): Follower;
  /** Reads a stored blob from end to end; undefined when it is not there. @throws StorageFailed, Cancelled */
  digest(blob: Sha256, signal: AbortSignal): Promise<ContentDigest | undefined>;
  /** Ends the threads; what is under way is rejected with Cancelled. */
  close(): Promise<void>;
}
