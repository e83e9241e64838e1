/** Average rate of a growing total over the last few seconds; steady enough to read, quick enough to believe. */

const WINDOW_MS = 3_000;
const MAX_SAMPLES = 32;

export class RateWindow {
  #samples: { readonly atMs: number; readonly totalBytes: number }[] = [];

  /** Bytes per second up to `nowMs`, whole. */
  sample(totalBytes: number, nowMs: number): number {
    this.#samples.push({ atMs: nowMs, totalBytes });
    while (this.#samples.length > MAX_SAMPLES || this.#isOld(this.#samples[1]?.atMs, nowMs)) this.#samples.shift();
    const [oldest] = this.#samples;
    if (oldest === undefined || oldest.atMs === nowMs) return 0;
    return Math.round(((totalBytes - oldest.totalBytes) * 1_000) / (nowMs - oldest.atMs));
  }

  /** The second sample being old makes the first one superfluous. */
  #isOld(atMs: number | undefined, nowMs: number): boolean {
    return atMs !== undefined && nowMs - atMs >= WINDOW_MS;
  }
}
