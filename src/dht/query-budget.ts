/** How many questions of others are answered: so many a second from one address, and so many from all together. */
import type { Clock } from '../base/clock.ts';
import { SECOND_MS } from '../base/units.ts';

const MAX_PER_HOST = 50;
const MAX_ALL = 500;

export class QueryBudget {
  readonly #clock: Clock;
  readonly #counts = new Map<string, number>();
  #second = 0;
  #all = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether one more from this address is answered now. */
  takes(host: string): boolean {
    const second = Math.floor(this.#clock.monotonicMs() / SECOND_MS);
    if (second !== this.#second) {
      this.#second = second;
      this.#all = 0;
      this.#counts.clear();
    }
    const count = (this.#counts.get(host) ?? 0) + 1;
    if (count > MAX_PER_HOST || this.#all >= MAX_ALL) return false;
    this.#counts.set(host, count);
    this.#all++;
    return true;
  }
}
