/**
 * Whether a peer keeps those waiting who asked it. One that was late gets nothing a reader needs for a while, longer each
 * time; a block that comes before it was taken back makes that good. Invariant: the next chance comes within 16 seconds,
 * however often it was late.
 */
import { SECOND_MS } from '../../base/units.ts';

/** Pause after the first time; each further time in a row it is twice as long. */
const FIRST_PAUSE_MS = SECOND_MS;
const MAX_DOUBLINGS = 4;

export class Punctuality {
  #untilMs = Number.NEGATIVE_INFINITY;
  #times = 0;

  /** It was late, and has delivered nothing since. */
  get isInDoubt(): boolean {
    return this.#times > 0;
  }

  /** It was late so lately that nothing a reader needs is asked of it. */
  isTardy(nowMs: number): boolean {
    return nowMs < this.#untilMs;
  }

  /** It kept somebody waiting; while its pause lasts that is no news. */
  late(nowMs: number): void {
    if (this.isTardy(nowMs)) return;
    this.#untilMs = nowMs + FIRST_PAUSE_MS * 2 ** Math.min(this.#times, MAX_DOUBLINGS);
    this.#times++;
  }

  /** A block came before it was taken back. */
  delivered(): void {
    this.#untilMs = Number.NEGATIVE_INFINITY;
    this.#times = 0;
  }
}
