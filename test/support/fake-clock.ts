/** Virtual time behind the `Clock` port: nothing happens until a test lets it, and then in order. */
import type { Cancel, Clock } from '../../src/base/clock.ts';

interface Timer {
  readonly dueMs: number;
  /** Breaks ties: timers due at the same time run in the order they were set. */
  readonly order: number;
  task: (() => void) | undefined;
}

/** 2026-01-01T00:00:00Z, so that wall times in failures read as dates. */
const EPOCH_MS = Date.UTC(2026, 0, 1);
const MICROTASK_TURNS = 10;

export class FakeClock implements Clock {
  #elapsedMs = 0;
  #wallMs: number;
  #order = 0;
  #pending = 0;
  /** A binary heap, the next timer first; cancelled ones stay in it without a task until their turn comes. */
  readonly #timers: Timer[] = [];

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
    const timer: Timer = { dueMs: this.#elapsedMs + Math.max(0, delayMs), order: this.#order++, task };
    this.#push(timer);
    this.#pending++;
    return () => {
      if (timer.task === undefined) return;
      timer.task = undefined;
      this.#pending--;
    };
  }

  /** Timers that wait; 0 after a stop proves that nothing was left behind. */
  get pending(): number {
    return this.#pending;
  }

  /** Lets `durationMs` pass; due timers run in order, each at its own time. */
  advance(durationMs: number): void {
    const endMs = this.#elapsedMs + durationMs;
    for (let next = this.#take(endMs); next !== undefined; next = this.#take(endMs)) next();
    this.#moveTo(endMs);
  }

  /** Like `advance`, but lets promises settle before, between and after the timers. */
  async advanceAsync(durationMs: number): Promise<void> {
    const endMs = this.#elapsedMs + durationMs;
    await settle();
    for (let next = this.#take(endMs); next !== undefined; next = this.#take(endMs)) {
      next();
      await settle();
    }
    this.#moveTo(endMs);
  }

  /**
   * Moves to the next instant at which a timer is due, no later than `limitMs` (monotonic), runs all its timers and
   * lets promises settle; false when there is none. For simulations that look at the state after every instant.
   */
  async step(limitMs: number): Promise<boolean> {
    let next = this.#take(limitMs);
    if (next === undefined) return false;
    const instantMs = this.#elapsedMs;
    for (; next !== undefined; next = this.#take(instantMs)) {
      next();
      await Promise.resolve();
    }
    await new Promise((resolve) => setImmediate(resolve));
    return true;
  }

  /** The wall clock jumps (an operator sets the date); monotonic time goes on as before. */
  jumpWall(byMs: number): void {
    this.#wallMs += byMs;
  }

  /** Takes the next timer due by then, and moves to its time. */
  #take(limitMs: number): (() => void) | undefined {
    for (let next = this.#timers[0]; next !== undefined; next = this.#timers[0]) {
      if (next.task !== undefined && next.dueMs > limitMs) return undefined;
      this.#pop();
      if (next.task === undefined) continue;
      const { task } = next;
      next.task = undefined;
      this.#pending--;
      this.#moveTo(Math.max(next.dueMs, this.#elapsedMs));
      return task;
    }
    return undefined;
  }

  #moveTo(elapsedMs: number): void {
    this.#wallMs += elapsedMs - this.#elapsedMs;
    this.#elapsedMs = elapsedMs;
  }

  #push(timer: Timer): void {
    let at = this.#timers.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = this.#timers[above];
      if (parent === undefined || isBefore(parent, timer)) break;
      this.#timers[at] = parent;
      at = above;
    }
    this.#timers[at] = timer;
  }

  #pop(): void {
    const last = this.#timers.pop();
    const { length } = this.#timers;
    if (last === undefined || length === 0) return;
    let at = 0;
    for (;;) {
      const left = this.#timers[2 * at + 1];
      const right = this.#timers[2 * at + 2];
      const isRight = left !== undefined && right !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (child === undefined || isBefore(last, child)) break;
      this.#timers[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
    this.#timers[at] = last;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}

/** Lets promises that are ready run to their next wait. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < MICROTASK_TURNS; turn++) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
}
