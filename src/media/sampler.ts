/**
 * Looks at torrents that woke while they are already served: a few pieces of each are hashed, one torrent at a time.
 * Invariants: a torrent waits at most once; a failure of one does not keep the others from their turn.
 */
import type { SwarmKey } from '../base/ids.ts';
import type { TaskGroup } from '../base/tasks.ts';

export interface SamplerOptions {
  readonly tasks: TaskGroup;
  /** Reads and judges one torrent. */
  readonly sample: (key: SwarmKey, signal: AbortSignal) => Promise<void>;
  /** A sample that could not be taken, such as for a disk that does not answer. */
  readonly failed: (key: SwarmKey, error: unknown) => void;
}

export class Sampler {
  readonly #options: SamplerOptions;
  readonly #waiting = new Set<SwarmKey>();
  #isRunning = false;

  constructor(options: SamplerOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  add(key: SwarmKey): void {
    this.#waiting.add(key);
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#options.tasks.run('seeding.sample', (signal) => this.#sampleAll(signal));
  }

  /** It went back to sleep; the next time it wakes it waits again. */
  forget(key: SwarmKey): void {
    this.#waiting.delete(key);
  }

  async #sampleAll(signal: AbortSignal): Promise<void> {
    for (const key of this.#waiting) {
      this.#waiting.delete(key);
      try {
        if (!signal.aborted) await this.#options.sample(key, signal);
      } catch (error) {
        if (!signal.aborted) this.#options.failed(key, error);
      }
    }
    this.#isRunning = false;
  }
}
