/** How much one sender may do: `capacity` at once, `perSecond` in the long run. Invariant: there is no debt. */
import type { Clock } from './clock.ts';
import { SECOND_MS } from './units.ts';

/** In whatever is counted. */
export interface Rate {
  readonly capacity: number;
  readonly perSecond: number;
}

/** Full at first. */
export class TokenBucket {
  readonly #rate: Rate;
  readonly #clock: Clock;
  #tokens: number;
  #filledAtMs: number;

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
    this.#tokens = rate.capacity;
    this.#filledAtMs = clock.monotonicMs();
  }

  /** Takes `cost` tokens; false, and nothing taken, when there are not enough. */
  take(cost: number): boolean {
    const nowMs = this.#clock.monotonicMs();
    const gained = ((nowMs - this.#filledAtMs) / SECOND_MS) * this.#rate.perSecond;
    this.#tokens = Math.min(this.#rate.capacity, this.#tokens + gained);
    this.#filledAtMs = nowMs;
    if (cost > this.#tokens) return false;
    this.#tokens -= cost;
    return true;
  }
}
