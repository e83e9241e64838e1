/**
 * What one peer asked us for, and the serving of it: adjacent requests are merged, headers and data share one pooled
 * buffer, storage reads straight between the headers, one write carries it all, and the next batch waits until the
 * socket has drained. Invariants: the queue is bounded, and with the fast extension every request ends in exactly one
 * piece or reject (BEP 6).
 */
import { ProtocolError } from '../../base/errors.ts';
import { MIB } from '../../base/units.ts';
import { layOutPiecesInto, PIECE_HEADER_BYTES } from '../../codec/wire-encode.ts';
import { BLOCK_BYTES, type BlockRef } from '../../codec/wire.ts';
import type { Geometry } from '../geometry.ts';
import type { BufferPool } from '../limits/buffers.ts';

/** Requests we queue for one peer; announced as `reqq`. */
export const REQUEST_QUEUE_LIMIT = 500;
/** Requests refused in a row for a full queue before the peer counts as flooding. */
const MAX_REFUSALS = 2_000;
const MAX_BATCH_REQUESTS = 64;
const MAX_BATCH_BYTES = MIB;
/** The smallest buffer there is: room for four blocks. */
const MIN_SHARE_BYTES = 4 * BLOCK_BYTES;

export interface UploadPorts {
  readonly geometry: Geometry;
  readonly pool: BufferPool;
  /** Fills the views from `position`. @throws StorageFailed */
  read(views: readonly Uint8Array[], position: number): Promise<void>;
  /** Monotonic time. */
  nowMs(): number;
  /** Bytes that limits allow now. */
  allowance(): number;
  /** Counts bytes that go out against the limits; negative: they do not go out after all. */
  charge(sizeBytes: number): void;
  /** Writes behind what is queued; false = wait for `drained`. */
  write(bytes: Uint8Array, released: () => void): boolean;
  /** Sends rejects; does nothing for peers without the fast extension. */
  reject(blocks: readonly BlockRef[]): void;
  /** What these requests are for could not be read; they are rejected. */
  failed(requests: readonly BlockRef[], error: unknown): void;
}

export class UploadQueue {
  readonly #ports: UploadPorts;
  #queue: BlockRef[] = [];
  #refusals = 0;
  #isBusy = false;
  #awaitsDrain = false;
  #isClosed = false;
  /** Written buffers that the socket still holds. */
  #unsent = 0;
  #takenBytes = 0;
  #takenAtMs = Number.NEGATIVE_INFINITY;
  /** When the oldest of them was written, or a buffer before it came back. */
  #movedAtMs = 0;

  constructor(ports: UploadPorts) {
    this.#ports = ports;
  }

  /** Requests waiting to be served. */
  get length(): number {
    return this.#queue.length;
  }

  /** It asked for something and nothing is written: limits, the disk or a lack of buffers keep it waiting. */
  get isOwing(): boolean {
    return this.#unsent === 0 && (this.#isBusy || this.#queue.length > 0);
  }

  /** When the socket last took something over; monotonic ms, −Infinity before that. */
  get takenAtMs(): number {
    return this.#takenAtMs;
  }

  /** Bytes the socket has taken over from us; some of them may still wait in a kernel. */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** For how long the peer has taken nothing of what was written for it, in ms; 0 when nothing waits in the socket. */
  stalledMs(nowMs: number): number {
    return this.#unsent === 0 ? 0 : nowMs - this.#movedAtMs;
  }

  /** Takes a request that was found valid and allowed. @throws ProtocolError when the peer floods. */
  add(block: BlockRef): void {
    if (this.#queue.length < REQUEST_QUEUE_LIMIT) {
      this.#refusals = 0;
      this.#queue.push(block);
      return;
    }
    if (++this.#refusals > MAX_REFUSALS) throw new ProtocolError('flood of requests', { queued: this.#queue.length });
    this.#ports.reject([block]);
  }

  /** The peer no longer wants it: rejected if it was still queued, otherwise it is on its way. */
  cancel(block: BlockRef): void {
    const at = this.#queue.findIndex(
      (queued) =>
        queued.piece === block.piece &&
        queued.offsetBytes === block.offsetBytes &&
        queued.lengthBytes === block.lengthBytes,
    );
    if (at < 0) return;
    this.#queue.splice(at, 1);
    this.#ports.reject([block]);
  }

  /** Refuses what waits and will not be served: of a choked peer, or of a piece that is gone. */
  refuse(isRefused: (block: BlockRef) => boolean): void {
    const refused = this.#queue.filter(isRefused);
    this.#queue = this.#queue.filter((block) => !isRefused(block));
    if (refused.length > 0) this.#ports.reject(refused);
  }

  drained(): void {
    this.#awaitsDrain = false;
    this.pump();
  }

  close(): void {
    this.#isClosed = true;
    this.#queue = [];
  }

  /** Serves the next batch unless one is running, the socket is full, or limits say wait. */
  pump(): void {
    if (this.#isBusy || this.#awaitsDrain || this.#isClosed || this.#queue.length === 0) return;
    const batch = this.#chooseBatch();
    if (batch.length === 0) return;
    const sizeBytes = batch.reduce((sum, block) => sum + block.lengthBytes + PIECE_HEADER_BYTES, 0);
    const buffer = this.#ports.pool.acquire(bufferBytesFor(sizeBytes));
    if (buffer === undefined) return;
    this.#queue.splice(0, batch.length);
    this.#isBusy = true;
    this.#serve(batch, buffer, sizeBytes).catch((error: unknown) => this.#ports.failed(batch, error));
  }

  #chooseBatch(): BlockRef[] {
    // Who does not read what it asked for holds its buffer, so the scarcer they are the smaller.
    const shareBytes = Math.max(MIN_SHARE_BYTES, this.#ports.pool.shareBytes);
    let allowance = Math.min(this.#ports.allowance(), MAX_BATCH_BYTES, shareBytes);
    const batch: BlockRef[] = [];
    for (const block of this.#queue) {
      if (allowance <= 0 || batch.length === MAX_BATCH_REQUESTS) break;
      if (batch.length > 0 && block.lengthBytes > allowance) break;
      allowance -= block.lengthBytes;
      batch.push(block);
    }
    return batch;
  }

  async #serve(batch: readonly BlockRef[], buffer: Uint8Array<ArrayBuffer>, sizeBytes: number): Promise<void> {
    const { pool } = this.#ports;
    this.#ports.charge(sizeBytes);
    try {
      await this.#fill(batch, buffer);
    } catch (error) {
      pool.release(buffer);
      this.#isBusy = false;
      this.#ports.charge(-sizeBytes);
      this.#ports.reject(batch);
      throw error;
    }
    this.#isBusy = false;
    if (this.#isClosed) {
      pool.release(buffer);
      this.#ports.charge(-sizeBytes);
      return;
    }
    this.#awaitsDrain = !this.#write(buffer, sizeBytes);
    this.pump();
  }

  #write(buffer: Uint8Array<ArrayBuffer>, sizeBytes: number): boolean {
    if (this.#unsent++ === 0) this.#movedAtMs = this.#ports.nowMs();
    return this.#ports.write(buffer.subarray(0, sizeBytes), () => {
      this.#unsent--;
      this.#takenBytes += sizeBytes;
      this.#movedAtMs = this.#ports.nowMs();
      this.#takenAtMs = this.#movedAtMs;
      this.#ports.pool.release(buffer);
    });
  }

  /** Reads each run of adjacent blocks with one call. */
  async #fill(batch: readonly BlockRef[], buffer: Uint8Array<ArrayBuffer>): Promise<void> {
    const bodies = layOutPiecesInto(buffer, batch);
    const reads: Promise<void>[] = [];
    let runStart = 0;
    for (let at = 1; at <= batch.length; at++) {
      if (at < batch.length && this.#position(batch[at]) === this.#endOf(batch[at - 1])) continue;
      reads.push(this.#ports.read(bodies.slice(runStart, at), this.#position(batch[runStart])));
      runStart = at;
    }
    // All settle before the buffer may be reused, also when one fails.
    for (const result of await Promise.allSettled(reads)) if (result.status === 'rejected') throw result.reason;
  }

  #position(block: BlockRef | undefined): number {
    return block === undefined ? 0 : this.#ports.geometry.pieceStart(block.piece) + block.offsetBytes;
  }

  #endOf(block: BlockRef | undefined): number {
    return this.#position(block) + (block?.lengthBytes ?? 0);
  }
}

/** Few sizes, so that pooled buffers fit again: room for 4, 16 or 64 blocks, or exactly what larger requests need. */
function bufferBytesFor(sizeBytes: number): number {
  for (const blocks of [4, 16, MAX_BATCH_REQUESTS])
    if (sizeBytes <= blocks * (BLOCK_BYTES + PIECE_HEADER_BYTES)) return blocks * (BLOCK_BYTES + PIECE_HEADER_BYTES);
  return sizeBytes;
}
