/** Lets at most so many tasks run at once; the others wait in order and can give up. */
import { throwIfAborted } from '../../../src/base/errors.ts';

export class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(places: number) {
    this.#free = places;
  }

  /** Runs `task` when there is a place. @throws Cancelled when the signal aborts before its turn */
  async pass<Result>(signal: AbortSignal, task: () => Promise<Result>): Promise<Result> {
    await this.#enter();
    try {
      throwIfAborted(signal);
      return await task();
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
