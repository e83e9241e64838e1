/**
 * Pooled buffers under one byte budget. Invariant: bytes lent out plus bytes kept for reuse never exceed the budget,
 * except that one buffer is always granted when nothing is lent, so a torrent with huge pieces still moves.
 */

/** Sizes are rounded up to this, so that nearly equal wishes share buffers. */
const GRAIN_BYTES = 4096;

/** Who takes a share of what is left never takes the last: with 64 MiB, 1 MiB each while a quarter is left, then less. */
const SHARES_OF_REST = 16;

function classOf(sizeBytes: number): number {
  return Math.ceil(sizeBytes / GRAIN_BYTES) * GRAIN_BYTES;
}

/** Lends buffers of at least the asked size; the caller gives each back exactly once. */
export class BufferPool {
  readonly budgetBytes: number;
  readonly #free = new Map<number, Uint8Array<ArrayBuffer>[]>();
  readonly #lent = new Set<Uint8Array<ArrayBuffer>>();
  #lentBytes = 0;
  #freeBytes = 0;
  #refusals = 0;

  constructor(budgetBytes: number) {
    this.budgetBytes = budgetBytes;
  }

  /** Bytes now in use by borrowers. */
  get lentBytes(): number {
    return this.#lentBytes;
  }

  /** What one borrower among many should take at most, in bytes: less and less as the budget is used up. */
  get shareBytes(): number {
    return Math.max(0, this.budgetBytes - this.#lentBytes) / SHARES_OF_REST;
  }

  /** How often the budget was used up when a buffer was wanted. */
  get refusals(): number {
    return this.#refusals;
  }

  /** A buffer of at least `sizeBytes` with arbitrary content, or undefined when the budget is used up. */
  acquire(sizeBytes: number): Uint8Array<ArrayBuffer> | undefined {
    const size = classOf(sizeBytes);
    if (this.#lentBytes > 0 && this.#lentBytes + size > this.budgetBytes) {
      this.#refusals++;
      return undefined;
    }
    const buffer = this.#reuse(size) ?? new Uint8Array(size);
    this.#lent.add(buffer);
    this.#lentBytes += size;
    return buffer;
  }

  /** Takes a buffer back; a buffer that was not lent (or comes back twice) is ignored. */
  release(buffer: Uint8Array<ArrayBuffer>): void {
    if (!this.#lent.delete(buffer)) return;
    this.#lentBytes -= buffer.length;
    if (buffer.length === 0 || this.#lentBytes + this.#freeBytes + buffer.length > this.budgetBytes) return;
    const list = this.#free.get(buffer.length) ?? [];
    this.#free.set(buffer.length, list);
    list.push(buffer);
    this.#freeBytes += buffer.length;
  }

  /** Forgets the buffers kept for reuse. */
  trim(): void {
    this.#free.clear();
    this.#freeBytes = 0;
  }

  #reuse(size: number): Uint8Array<ArrayBuffer> | undefined {
    const buffer = this.#free.get(size)?.pop();
    if (buffer !== undefined) {
      this.#freeBytes -= size;
      return buffer;
    }
    // Another size is needed: make room by dropping what is kept, so that the sum stays within the budget.
    if (this.#lentBytes + this.#freeBytes + size > this.budgetBytes) this.trim();
    return undefined;
  }
}
