/**
 * Read buffers for delivery, bounded: the first streams get 1 MiB each (measured: the size at which Node beats sendfile per
 * CPU second); when those are all lent out, further streams get 64 KiB, so many slow readers cost little memory.
 * A lease ends exactly once: given back for reuse, or dropped where the kernel might still read from it.
 */
import { KIB, MIB } from '../../base/units.ts';

const LARGE_BYTES = MIB;
const SMALL_BYTES = 64 * KIB;

export interface BufferLease {
  readonly bytes: Uint8Array;
  /** The bytes are sent; the buffer may be reused. */
  giveBack(): void;
  /** The connection broke while the bytes were on their way; the buffer goes to the garbage collector. */
  drop(): void;
}

export interface BufferPoolLimits {
  /** 1 MiB buffers lent out at once. */
  readonly maxLarge: number;
  /** Buffers of each size kept for reuse. */
  readonly maxIdle: number;
}

export const DEFAULT_POOL_LIMITS: BufferPoolLimits = { maxLarge: 96, maxIdle: 32 };

export class BufferPool {
  readonly #limits: BufferPoolLimits;
  readonly #idleLarge: Uint8Array[] = [];
  readonly #idleSmall: Uint8Array[] = [];
  #lentLarge = 0;
  #lentSmall = 0;

  constructor(limits: BufferPoolLimits = DEFAULT_POOL_LIMITS) {
    this.#limits = limits;
  }

  /** Bytes lent out now. */
  get lentBytes(): number {
    return this.#lentLarge * LARGE_BYTES + this.#lentSmall * SMALL_BYTES;
  }

  /** A buffer fit for the next read of a range with `remainingBytes` to go; it may be shorter or longer than that. */
  take(remainingBytes: number): BufferLease {
    if (remainingBytes <= SMALL_BYTES || this.#lentLarge >= this.#limits.maxLarge) {
      this.#lentSmall++;
      return this.#lease(this.#idleSmall, SMALL_BYTES, () => this.#lentSmall--);
    }
    this.#lentLarge++;
    return this.#lease(this.#idleLarge, LARGE_BYTES, () => this.#lentLarge--);
  }

  #lease(idle: Uint8Array[], sizeBytes: number, ended: () => void): BufferLease {
    const bytes = idle.pop() ?? Buffer.allocUnsafeSlow(sizeBytes);
    let isOut = true;
    const end = (mayReuse: boolean): void => {
      if (!isOut) return;
      isOut = false;
      ended();
      if (mayReuse && idle.length < this.#limits.maxIdle) idle.push(bytes);
    };
    return { bytes, giveBack: () => end(true), drop: () => end(false) };
  }
}
