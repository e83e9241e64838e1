/** Checks a rate limit over every window at once: a leaky bucket never runs over while the limit holds. */

/** What the engine may save up while it is silent, and what one batch may run over. */
const BURST_MS = 250;
const MIN_BURST_BYTES = 32 * 1024;
const OVERRUN_BYTES = 80 * 1024;

export class RateAudit {
  readonly #bytesPerSecond: number;
  #levelBytes = 0;
  #atMs = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Notes bytes that pass; false when more passed than the limit allows. */
  pass(sizeBytes: number, nowMs: number): boolean {
    if (this.#bytesPerSecond === Number.POSITIVE_INFINITY) return true;
    this.#levelBytes = Math.max(0, this.#levelBytes - (this.#bytesPerSecond * (nowMs - this.#atMs)) / 1000) + sizeBytes;
    this.#atMs = nowMs;
    const burstBytes = Math.max(MIN_BURST_BYTES, (this.#bytesPerSecond * BURST_MS) / 1000);
    return this.#levelBytes <= burstBytes + OVERRUN_BYTES;
  }
}
