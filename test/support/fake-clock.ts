/** Virtual time behind the `Clock` port: nothing happens until a test lets it, and then in order. */
import type { Cancel, Clock } from '../../src/base/clock.ts';

interface Timer {
  readonly dueMs: number;
  readonly task: () => void;
}

/** 2026-01-01T00:00:00Z, so that wall times in failures read as dates. */
const EPOCH_MS = Date.UTC(2026, 0, 1);
const MICROTASK_TURNS = 10;

export class FakeClock implements Clock {
  #elapsedMs = 0;
  #wallMs: number;
  readonly #timers = new Set<Timer>();

  constructor(nowMs = EPOCH_MS) {
    this.#wallMs = nowMs;
  }

  nowMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, task: () => void): Cancel {
    const timer = { dueMs: this.#elapsedMs + Math.max(0, delayMs), task };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Timers that wait; 0 after a stop proves that nothing was left behind. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Lets `durationMs` pass; due timers run in order, each at its own time. */
  advance(durationMs: number): void {
    const endMs = this.#elapsedMs + durationMs;
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) this.#fire(next);
    this.#moveTo(endMs);
  }

  /** Like `advance`, but lets promises settle before, between and after the timers. */
  async advanceAsync(durationMs: number): Promise<void> {
    const endMs = this.#elapsedMs + durationMs;
    await settle();
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#fire(next);
      await settle();
    }
    this.#moveTo(endMs);
  }

  /** The wall clock jumps (an operator sets the date); monotonic time goes on as before. */
  jumpWall(byMs: number): void {
    this.#wallMs += byMs;
  }

  #next(endMs: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers)
      if (timer.dueMs <= endMs && (first === undefined || timer.dueMs < first.dueMs)) first = timer;
    return first;
  }

  #fire(timer: Timer): void {
    this.#timers.delete(timer);
    this.#moveTo(Math.max(timer.dueMs, this.#elapsedMs));
    timer.task();
  }

  #moveTo(elapsedMs: number): void {
    this.#wallMs += elapsedMs - this.#elapsedMs;
    this.#elapsedMs = elapsedMs;
  }
}

/** Lets promises that are ready run to their next wait. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < MICROTASK_TURNS; turn++) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
}
