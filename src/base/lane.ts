/**
 * A bound on asynchronous work: so many jobs at once, so many waiting, first come, first served; more are refused at
 * once, so that whoever sends more than can be done hears of it instead of filling memory.
 */

export interface LaneOptions {
  /** Jobs that run at the same time. */
  readonly atOnce: number;
  /** Jobs that may wait for a place. */
  readonly maxWaiting: number;
}

export class Lane {
  readonly #options: LaneOptions;
  readonly #waiting = new Set<() => void>();
  #running = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Runs `job` when a place is free and settles as it does; undefined, and nothing happens, when too many wait. */
  run<Result>(job: () => Promise<Result>): Promise<Result> | undefined {
    if (this.#running < this.#options.atOnce) {
      this.#running++;
      return this.#finish(job);
    }
    if (this.#waiting.size >= this.#options.maxWaiting) return undefined;
    return new Promise<void>((resolve) => this.#waiting.add(resolve)).then(() => this.#finish(job));
  }

  /** The place passes on to the longest waiting job, or becomes free. */
  async #finish<Result>(job: () => Promise<Result>): Promise<Result> {
    try {
      return await job();
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#running--;
      else {
        this.#waiting.delete(next);
        next();
      }
    }
  }
}
