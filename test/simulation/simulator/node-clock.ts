/** One machine's share of the virtual time. Invariant: after `stop` none of its timers ever runs. */
import type { Cancel, Clock } from '../../../src/base/clock.ts';

export class NodeClock implements Clock {
  readonly #clock: Clock;
  readonly #timers = new Set<Cancel>();
  readonly #touched: () => void;
  isStopped = false;

  /** `touched` is called whenever a timer of this machine runs. */
  constructor(clock: Clock, touched: () => void) {
    this.#clock = clock;
    this.#touched = touched;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  after(delayMs: number, task: () => void): Cancel {
    if (this.isStopped) return () => undefined;
    const forget = (): void => {
      cancel();
      this.#timers.delete(forget);
    };
    const cancel = this.#clock.after(delayMs, () => {
      this.#timers.delete(forget);
      this.#touched();
      task();
    });
    this.#timers.add(forget);
    return forget;
  }

  get pending(): number {
    return this.#timers.size;
  }

  /** The machine is gone, with all it had in mind. */
  stop(): void {
    this.isStopped = true;
    for (const forget of this.#timers) forget();
  }
}
