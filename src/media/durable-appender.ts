/**
 * Writes a body into a part and makes it durable window by window: gather a megabyte, write it while the next is being
 * gathered, tell the follower; when enough bytes and time have passed, sync and record the offset, also meanwhile.
 * Invariants: an offset is recorded only after the bytes below it are synced; one write and one sync at most are under
 * way; at most two buffers are in use; nothing is written after a write that failed.
 */
import type { Clock } from '../base/clock.ts';
import { MIB } from '../base/units.ts';
import type { BlobPart } from '../store/blobs.ts';
import type { Follower } from '../store/follower.ts';
import type { BufferPool } from './buffer-pool.ts';

/** Both must have passed: fast senders pay few syncs, slow ones lose little. */
export const SYNC_BYTES = 8 * MIB;
export const SYNC_MS = 200;
/** Whatever little a slow sender sent is made durable after this. */
export const SLOW_SYNC_MS = 5_000;

export interface AppenderPorts {
  readonly part: BlobPart;
  readonly follower: Follower;
  readonly buffers: BufferPool;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Makes sure that bytes up to here may be stored. @throws NoSpace, TooLarge */
  reserve(endBytes: number): Promise<void>;
  /** Records that bytes up to here are synced. */
  record(endBytes: number): Promise<void>;
}

export class DurableAppender {
  readonly #ports: AppenderPorts;
  #filling: Uint8Array | undefined;
  #filledBytes = 0;
  #writtenBytes: number;
  #recordedBytes: number;
  #lastSyncMs: number;
  /** Never rejects: what goes wrong is in `#failure`. */
  #writing: Promise<void> = Promise.resolve();
  #syncing: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;

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

  /** Takes the next bytes; the chunk is the sender's again when it resolves. @throws NoSpace, TooLarge, StorageFailed */
  async take(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const buffer = (this.#filling ??= this.#ports.buffers.take());
      const part = chunk.subarray(at, at + buffer.length - this.#filledBytes);
      buffer.set(part, this.#filledBytes);
      this.#filledBytes += part.length;
      at += part.length;
      if (this.#filledBytes === buffer.length) await this.#flush();
    }
    if (this.#filledBytes > 0 && this.#waitedMs() >= SLOW_SYNC_MS) await this.#flush();
  }

  /** Writes, syncs and records everything taken, or all that was written before a failure. @throws as `take` */
  async settle(): Promise<void> {
    await this.#writing;
    if (this.#failure === undefined && this.#filledBytes > 0) await this.#flush();
    await this.#writing;
    this.#dropFilling();
    await this.#syncing;
    await this.#syncTo(this.#writtenBytes);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Waits for the write before, then starts the next. */
  async #flush(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure.error;
    const [buffer, bytes] = [this.#filling, this.#filledBytes];
    if (buffer === undefined) return;
    this.#filling = undefined;
    this.#filledBytes = 0;
    this.#writing = this.#write(buffer.subarray(0, bytes))
      .catch((error: unknown) => void (this.#failure = { error }))
      .finally(() => this.#ports.buffers.give(buffer));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const endBytes = this.#writtenBytes + bytes.length;
    await this.#ports.reserve(endBytes);
    await this.#ports.part.write([bytes], this.#writtenBytes);
    this.#writtenBytes = endBytes;
    this.#ports.follower.advance(endBytes);
    if (this.#isSyncDue()) await this.#startSync();
    await this.#ports.follower.caughtUp(this.#ports.signal);
  }

  #dropFilling(): void {
    if (this.#filling !== undefined) this.#ports.buffers.give(this.#filling);
    this.#filling = undefined;
    this.#filledBytes = 0;
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
