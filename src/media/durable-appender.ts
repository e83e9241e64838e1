/**
 * Writes a body into a part and makes it durable window by window: gather about a megabyte, write, tell the follower;
 * when enough bytes and time have passed, sync and record the offset while the next window is being received.
 * Invariants: an offset is recorded only after the bytes below it are synced; at most one sync is under way; what is
 * recorded never runs ahead of what is written.
 */
import type { Clock } from '../base/clock.ts';
import { MIB } from '../base/units.ts';
import type { BlobPart } from '../store/blobs.ts';
import type { Follower } from '../store/follower.ts';

const BATCH_BYTES = MIB;
/** Both must have passed: fast senders pay few syncs, slow ones lose little. */
export const SYNC_BYTES = 8 * MIB;
export const SYNC_MS = 200;
/** Whatever little a slow sender sent is made durable after this. */
export const SLOW_SYNC_MS = 5_000;

export interface AppenderPorts {
  readonly part: BlobPart;
  readonly follower: Follower;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Makes sure that bytes up to here may be stored. @throws NoSpace, TooLarge */
  reserve(endBytes: number): Promise<void>;
  /** Records that bytes up to here are synced. */
  record(endBytes: number): Promise<void>;
}

export class DurableAppender {
  readonly #ports: AppenderPorts;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #writtenBytes: number;
  #recordedBytes: number;
  #lastSyncMs: number;
  #syncing: Promise<void> = Promise.resolve();

  /** The part holds exactly what is recorded. */
  constructor(ports: AppenderPorts) {
    this.#ports = ports;
    this.#writtenBytes = ports.part.sizeBytes;
    this.#recordedBytes = ports.part.sizeBytes;
    this.#lastSyncMs = ports.clock.monotonicMs();
  }

  /** Bytes that survive a power cut. */
  get recordedBytes(): number {
    return this.#recordedBytes;
  }

  /** Takes the next bytes; keeps the chunk until it is written. @throws NoSpace, TooLarge, StorageFailed */
  async take(chunk: Uint8Array): Promise<void> {
    this.#batch.push(chunk);
    this.#batchBytes += chunk.length;
    if (this.#batchBytes >= BATCH_BYTES || this.#waitedMs() >= SLOW_SYNC_MS) await this.#writeBatch();
  }

  /** Writes, syncs and records everything taken. @throws as `take`; what was recorded before stays. */
  async settle(): Promise<void> {
    if (this.#batchBytes > 0) await this.#writeBatch();
    await this.#syncing;
    await this.#syncTo(this.#writtenBytes);
  }

  async #writeBatch(): Promise<void> {
    const batch = this.#batch;
    const endBytes = this.#writtenBytes + this.#batchBytes;
    this.#batch = [];
    this.#batchBytes = 0;
    await this.#ports.reserve(endBytes);
    await this.#ports.part.write(batch, this.#writtenBytes);
    this.#writtenBytes = endBytes;
    this.#ports.follower.advance(endBytes);
    if (this.#isSyncDue()) await this.#startSync();
    await this.#ports.follower.caughtUp(this.#ports.signal);
  }

  #isSyncDue(): boolean {
    const waitedMs = this.#waitedMs();
    if (waitedMs >= SLOW_SYNC_MS) return true;
    return this.#writtenBytes - this.#recordedBytes >= SYNC_BYTES && waitedMs >= SYNC_MS;
  }

  #waitedMs(): number {
    return this.#ports.clock.monotonicMs() - this.#lastSyncMs;
  }

  /** Waits for the sync before, so that a slow disk slows the sender down. */
  async #startSync(): Promise<void> {
    await this.#syncing;
    this.#syncing = this.#syncTo(this.#writtenBytes);
    this.#syncing.catch(() => undefined); // seen by whoever awaits `#syncing` next: the next window or `settle`
  }

  async #syncTo(endBytes: number): Promise<void> {
    if (endBytes === this.#recordedBytes) return;
    this.#lastSyncMs = this.#ports.clock.monotonicMs();
    await this.#ports.part.sync();
    await this.#ports.record(endBytes);
    this.#recordedBytes = endBytes;
  }
}
