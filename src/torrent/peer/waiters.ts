/** Promises that wait for one thing to happen, each with its own way out; nothing is left of those that gave up. */

export class Waiters {
  readonly #waiting = new Set<() => void>();

  /** Resolves at the next `wakeAll`, or when the signal aborts: the caller looks which. */
  wait(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal?.addEventListener('abort', wake, { once: true });
    });
  }

  wakeAll(): void {
    for (const wake of this.#waiting) wake();
  }
}
