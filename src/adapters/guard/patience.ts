/** How long a server may let us wait: a grace period, and more for every byte it sends. */
import type { Clock } from '../../base/clock.ts';
import { KIB, SECOND_MS } from '../../base/units.ts';

export interface PatienceOptions {
  /** Slower servers are given up. Default 64 KiB/s. */
  readonly minBytesPerSecond?: number;
  /** Waiting time that is free before the rate counts: connecting, first byte. Default 5 s. */
  readonly graceMs?: number;
}

/** Time in which our own side is busy is not held against the server: only `wait` runs it down. */
export class Patience {
  readonly #clock: Clock;
  readonly #minBytesPerSecond: number;
  #leftMs: number;

  constructor(clock: Clock, { minBytesPerSecond = 64 * KIB, graceMs = 5 * SECOND_MS }: PatienceOptions) {
    this.#clock = clock;
    this.#minBytesPerSecond = minBytesPerSecond;
    this.#leftMs = graceMs;
  }

  received(sizeBytes: number): void {
    this.#leftMs += (sizeBytes / this.#minBytesPerSecond) * SECOND_MS;
  }

  /** Waits for `answer`, and calls `lost` when patience ends first. */
  async wait<T>(answer: Promise<T>, lost: () => void): Promise<T> {
    const startMs = this.#clock.monotonicMs();
    const cancel = this.#clock.after(this.#leftMs, lost);
    try {
      return await answer;
    } finally {
      cancel();
      this.#leftMs -= this.#clock.monotonicMs() - startMs;
    }
  }
}
