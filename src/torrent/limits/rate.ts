/**
 * Speeds: a meter that forgets, and a token bucket that limits. Both are plain arithmetic over the monotonic time
 * handed in, so they need no timer of their own.
 */
import { SECOND_MS } from '../../base/units.ts';

/** Time after which old traffic weighs 1/e. */
const MEMORY_MS = 3 * SECOND_MS;

/** Bytes per second, smoothed exponentially over about three seconds. */
export class RateMeter {
  #totalBytes = 0;
  #weightedBytes = 0;
  #updatedAtMs: number;
  readonly #startedAtMs: number;

  constructor(nowMs: number) {
    this.#updatedAtMs = nowMs;
    this.#startedAtMs = nowMs;
  }

  /** Everything ever added, in bytes. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  add(sizeBytes: number, nowMs: number): void {
    this.#decay(nowMs);
    this.#totalBytes += sizeBytes;
    this.#weightedBytes += sizeBytes;
  }

  /** Current speed; early readings are corrected for the short history. */
  bytesPerSecond(nowMs: number): number {
    this.#decay(nowMs);
    const historyMs = Math.max(nowMs - this.#startedAtMs, 100);
    const seenMs = MEMORY_MS * (1 - Math.exp(-historyMs / MEMORY_MS));
    return (this.#weightedBytes / seenMs) * SECOND_MS;
  }

  #decay(nowMs: number): void {
    const elapsedMs = nowMs - this.#updatedAtMs;
    if (elapsedMs <= 0) return;
    this.#weightedBytes *= Math.exp(-elapsedMs / MEMORY_MS);
    this.#updatedAtMs = nowMs;
  }
}

/** The longest time a silent bucket saves up for, hence the longest burst. */
const BURST_MS = 250;
/** A bucket always holds at least one large request, or slow limits would never send any. */
const MIN_BURST_BYTES = 32 * 1024;

/** A rate limit in bytes per second; `Infinity` never limits, 0 lets nothing pass. Debt is allowed, so one block may exceed what is left. */
export class TokenBucket {
  #bytesPerSecond = Number.POSITIVE_INFINITY;
  #tokens: number;
  #filledAtMs: number;

  constructor(bytesPerSecond: number, nowMs: number) {
    this.#filledAtMs = nowMs;
    this.#bytesPerSecond = bytesPerSecond;
    this.#tokens = this.#burstBytes();
  }

  get bytesPerSecond(): number {
    return this.#bytesPerSecond;
  }

  /** Changes the limit from now on. */
  limit(bytesPerSecond: number, nowMs: number): void {
    this.#fill(nowMs);
    this.#bytesPerSecond = bytesPerSecond;
    this.#tokens = Math.min(this.#tokens, this.#burstBytes());
  }

  /** Bytes that may pass now; 0 or less means wait. */
  available(nowMs: number): number {
    if (this.#bytesPerSecond === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    this.#fill(nowMs);
    return this.#tokens;
  }

  /** Charges bytes; negative gives back what was charged in vain. */
  take(sizeBytes: number): void {
    if (this.#bytesPerSecond === Number.POSITIVE_INFINITY) return;
    this.#tokens = Math.min(this.#tokens - sizeBytes, this.#burstBytes());
  }

  #burstBytes(): number {
    if (this.#bytesPerSecond === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    if (this.#bytesPerSecond === 0) return 0;
    return Math.max(MIN_BURST_BYTES, (this.#bytesPerSecond * BURST_MS) / SECOND_MS);
  }

  #fill(nowMs: number): void {
    const elapsedMs = nowMs - this.#filledAtMs;
    this.#filledAtMs = nowMs;
    if (this.#bytesPerSecond === Number.POSITIVE_INFINITY) this.#tokens = Number.POSITIVE_INFINITY;
    else if (elapsedMs > 0)
      this.#tokens = Math.min(this.#burstBytes(), this.#tokens + (this.#bytesPerSecond * elapsedMs) / SECOND_MS);
  }
}
