/**
 * What a viewer feels, as arithmetic: playback starts with a quarter second in the buffer, eats them at the bitrate, and stalls when
 * the buffer is empty. Times are monotonic ms handed in; nothing here waits.
 */
import { KIB, SECOND_MS } from '../../src/base/units.ts';

/** Enough for a first picture. */
const PICTURE_BYTES = 64 * KIB;
/** A player starts once it holds so much. */
const START_MS = 250;

export interface PlaybackPlan {
  readonly bytesPerSecond: number;
  /** Time to be shown after each seek. */
  readonly playMs: number;
}

export class Playback {
  readonly #plan: PlaybackPlan;
  readonly #openedAtMs: number;
  #receivedBytes = 0;
  #startedAtMs: number | undefined;
  /** When the buffer will be empty. */
  #emptyAtMs = 0;
  /** From the click until the first byte is here; until the first 64 KiB are. */
  firstByteMs: number | undefined;
  pictureMs: number | undefined;
  stalls = 0;
  stalledMs = 0;

  constructor(plan: PlaybackPlan, openedAtMs: number) {
    this.#plan = plan;
    this.#openedAtMs = openedAtMs;
  }

  arrived(sizeBytes: number, nowMs: number): void {
    this.firstByteMs ??= nowMs - this.#openedAtMs;
    this.#receivedBytes += sizeBytes;
    if (this.#receivedBytes >= PICTURE_BYTES) this.pictureMs ??= nowMs - this.#openedAtMs;
    if (this.#startedAtMs !== undefined) this.#refill(sizeBytes, nowMs);
    else if (this.#lastsMs(this.#receivedBytes) >= START_MS) {
      this.#startedAtMs = nowMs;
      this.#emptyAtMs = nowMs + this.#lastsMs(this.#receivedBytes);
    }
  }

  /** What the player was given, its buffer included. */
  get takenBytes(): number {
    return this.#receivedBytes;
  }

  bufferedMs(nowMs: number): number {
    return Math.max(0, this.#emptyAtMs - nowMs);
  }

  playedMs(nowMs: number): number {
    if (this.#startedAtMs === undefined) return 0;
    return Math.min(nowMs, this.#emptyAtMs) - this.#startedAtMs - this.stalledMs;
  }

  /** Time until the plan is fulfilled if the buffer lasts; undefined when more bytes are needed for that. */
  endsInMs(nowMs: number): number | undefined {
    const leftMs = this.#plan.playMs - this.playedMs(nowMs);
    return this.#startedAtMs !== undefined && leftMs <= this.bufferedMs(nowMs) ? leftMs : undefined;
  }

  #refill(sizeBytes: number, nowMs: number): void {
    if (nowMs > this.#emptyAtMs) {
      this.stalls++;
      this.stalledMs += nowMs - this.#emptyAtMs;
      this.#emptyAtMs = nowMs;
    }
    this.#emptyAtMs += this.#lastsMs(sizeBytes);
  }

  #lastsMs(sizeBytes: number): number {
    return (sizeBytes / this.#plan.bytesPerSecond) * SECOND_MS;
  }
}
