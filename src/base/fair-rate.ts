/**
 * So many of something a second for each neighbour, and so many for all together. The last part of what all may have is
 * kept for those who had little so far, so that a few loud ones do not silence the others. Invariant: no more neighbours
 * are remembered than may be served in one second.
 */
import type { Clock } from './clock.ts';
import { SECOND_MS } from './units.ts';

export interface FairRateLimits {
  /** What one neighbour may have in a second. */
  readonly perNeighbour: number;
  /** What all together may have in a second. */
  readonly all: number;
}

/** The part of all that is kept for the quiet, and the part of a neighbour's own share up to which it is quiet. */
const KEPT_PART = 0.4;
const QUIET_PART = 0.1;

export class FairRate {
  readonly #clock: Clock;
  readonly #limits: FairRateLimits;
  readonly #counts = new Map<string, number>();
  #second = 0;
  #all = 0;

  constructor(clock: Clock, limits: FairRateLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Whether this neighbour may have one more now; if so, it is counted. */
  takes(neighbour: string): boolean {
    this.#begin(Math.floor(this.#clock.monotonicMs() / SECOND_MS));
    const count = this.#counts.get(neighbour) ?? 0;
    if (!this.#hasRoom(count)) return false;
    this.#counts.set(neighbour, count + 1);
    this.#all++;
    return true;
  }

  #hasRoom(count: number): boolean {
    const { perNeighbour, all } = this.#limits;
    const isQuiet = count < perNeighbour * QUIET_PART;
    return count < perNeighbour && this.#all < (isQuiet ? all : all * (1 - KEPT_PART));
  }

  #begin(second: number): void {
    if (second === this.#second) return;
    this.#second = second;
    this.#all = 0;
    this.#counts.clear();
  }
}
