/**
 * The owner of background work. A promise that nobody awaits belongs to a TaskGroup; `stop()` aborts them all and
 * waits for them, so nothing outlives its owner and no failure goes unseen.
 */
import type { Clock } from './clock.ts';
import { Cancelled } from './errors.ts';
import type { Log } from './log.ts';

export class TaskGroup {
  readonly #controller = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Starts `task` and keeps it until it settles. A rejection is logged as `task.failed`, unless the group is stopping. */
  run(name: string, task: (signal: AbortSignal) => Promise<void>): void {
    if (this.signal.aborted) return;
    const running = task(this.signal)
      .catch((error: unknown) => {
        if (!this.signal.aborted) this.#log.error('task.failed', { task: name, error });
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Runs `task` every `intervalMs`, never two at once; the first run comes after one interval. */
  every(name: string, intervalMs: number, clock: Clock, task: (signal: AbortSignal) => Promise<void>): void {
    this.run(name, async (signal) => {
      while (!signal.aborted) {
        await sleep(clock, intervalMs, signal).catch(() => undefined);
        if (signal.aborted) return;
        await task(signal).catch((error: unknown) => {
          if (!signal.aborted) this.#log.error('task.failed', { task: name, error });
        });
      }
    });
  }

  /** Aborts every task and resolves when the last one has settled. */
  async stop(): Promise<void> {
    this.#controller.abort(new Cancelled('stopping'));
    await Promise.all(this.#running);
  }
}

/** @throws Cancelled when the signal aborts first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      cancel();
      reject(new Cancelled('cancelled while waiting', {}, { cause: signal?.reason }));
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    });
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}

/** Waits for what goes on for others too: only this caller stops waiting. @throws Cancelled when the signal aborts first */
export function orCancelled<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new Cancelled('cancelled while waiting', {}, { cause: signal.reason }));
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
