/** A speed over the last few seconds from cumulative counts. Pure data; bounded samples. */

export interface SpeedSample {
  readonly atMs: number;
  readonly totalBytes: number;
}

export type SpeedMeter = readonly SpeedSample[];

const WINDOW_MS = 5_000;
const MAX_SAMPLES = 32;
/** Samples closer together than this replace each other, so that the window is never crowded out. */
const MIN_SPACING_MS = 200;

export const noSpeed: SpeedMeter = [];

/** Adds a reading of the cumulative count; a count that fell (a restart) starts anew. */
export function sampleSpeed(meter: SpeedMeter, sample: SpeedSample): SpeedMeter {
  const last = meter.at(-1);
  if (last !== undefined && sample.totalBytes < last.totalBytes) return [sample];
  const beforeLast = meter.at(-2);
  const crowded = last !== undefined && beforeLast !== undefined && sample.atMs - beforeLast.atMs < MIN_SPACING_MS;
  const kept = (crowded ? meter.slice(0, -1) : meter).filter((old) => sample.atMs - old.atMs <= WINDOW_MS);
  return [...kept, sample].slice(-MAX_SAMPLES);
}

/** Bytes per second over the window; 0 with fewer than two readings. */
export function speedOf(meter: SpeedMeter): number {
  const first = meter[0];
  const last = meter.at(-1);
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
  return ((last.totalBytes - first.totalBytes) / (last.atMs - first.atMs)) * 1000;
}
