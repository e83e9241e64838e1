/**
 * Checks a rate limit over every window at once: a leaky bucket never runs over while the limit holds. It goes by what
 * is promised and by what passes on the wire, and knows nothing of the engine's own buckets.
 */
import { SECOND_MS } from '../../../src/base/units.ts';

/** What may be saved up in silence. */
const BURST_MS = 250;
const MIN_BURST_BYTES = 32 * 1024;

export interface RateSlack {
  /** What may run over. */
  readonly overrunBytes: number;
  /** What was counted before may pass so much later. */
  readonly delayMs: number;
}

export class RateAudit {
  readonly #slack: RateSlack;
  #bytesPerSecond = Number.POSITIVE_INFINITY;
  #levelBytes = 0;
  #atMs = 0;
  /** Of a limit of 0: what was under way when it was set. */
  #underWayBytes = 0;
  /** Until then passes what was counted under an earlier limit. */
  #freeUntilMs = 0;

  constructor(slack: RateSlack) {
    this.#slack = slack;
  }

  /** The limit from now on. `underWayBytes` can no longer be stopped, and may still come under a limit of 0. */
  limit(bytesPerSecond: number, nowMs: number, underWayBytes = 0): void {
    this.#leak(nowMs);
    if (bytesPerSecond < this.#bytesPerSecond) this.#freeUntilMs = nowMs + this.#slack.delayMs;
    this.#levelBytes = this.#carried(bytesPerSecond);
    this.#bytesPerSecond = bytesPerSecond;
    this.#underWayBytes = underWayBytes;
  }

  /** Notes bytes that pass; false when more passed than the limit allows. */
  pass(sizeBytes: number, nowMs: number): boolean {
    if (this.#bytesPerSecond === Number.POSITIVE_INFINITY || nowMs < this.#freeUntilMs) return true;
    this.#leak(nowMs);
    this.#levelBytes += sizeBytes;
    const delayedBytes = (this.#bytesPerSecond * this.#slack.delayMs) / SECOND_MS;
    const room = this.#bytesPerSecond === 0 ? this.#underWayBytes : burstBytes(this.#bytesPerSecond) + delayedBytes;
    return this.#levelBytes <= room + this.#slack.overrunBytes;
  }

  /** What was saved under the old limit stays saved, as far as the new one saves as much; nothing is won by a change. */
  #carried(bytesPerSecond: number): number {
    const earlier = this.#bytesPerSecond;
    if (earlier === Number.POSITIVE_INFINITY || bytesPerSecond === Number.POSITIVE_INFINITY || bytesPerSecond === 0)
      return 0;
    if (earlier === 0) return burstBytes(bytesPerSecond);
    return Math.max(0, this.#levelBytes + burstBytes(bytesPerSecond) - burstBytes(earlier));
  }

  #leak(nowMs: number): void {
    const leakedBytes = (this.#bytesPerSecond * (nowMs - this.#atMs)) / SECOND_MS;
    if (this.#bytesPerSecond < Number.POSITIVE_INFINITY) this.#levelBytes = Math.max(0, this.#levelBytes - leakedBytes);
    this.#atMs = nowMs;
  }
}

function burstBytes(bytesPerSecond: number): number {
  return Math.max(MIN_BURST_BYTES, (bytesPerSecond * BURST_MS) / SECOND_MS);
}
