/** Time as a port, so that the engine, the tracker and every limit run under a virtual clock in tests. */

/** Cancels what it was returned for; harmless when called twice or too late. */
export type Cancel = () => void;

/** Tells the time and wakes its user. */
export interface Clock {
  /** Wall time in ms since 1970; may jump. For records and expiry. */
  nowMs(): number;
  /** Monotonic time in ms from an arbitrary origin. For durations, rates and timeouts. */
  monotonicMs(): number;
  /** Runs `task` once, `delayMs` from now. */
  after(delayMs: number, task: () => void): Cancel;
}

/** The machine's own time. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  },
};
