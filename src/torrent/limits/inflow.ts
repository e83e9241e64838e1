/**
 * What one source, a peer or a web seed, is asked for and brings, under the limits of its address, its torrent and the
 * engine. Invariant: what these limits were charged for it is all that came, and what was asked for and may still come;
 * so what is taken back is given back once, and charged again when it comes all the same.
 */
import type { DownloadLimit } from './download-limit.ts';
import { allowanceInTurn, type Asking } from './turns.ts';

/** What an inflow has its source do. */
export interface Gate {
  /** Reads nothing more until it is released. */
  hold(): void;
  release(): void;
  /** It was held until now: its silence is no fault of its own. */
  wasHeld(nowMs: number): void;
  /** Takes back what it was asked for, as far as that can be done. */
  takeBack(): void;
}

export class Inflow {
  /** When it was last asked for something, and brought something; monotonic ms. */
  askedAtMs = -1;
  cameAtMs = -1;
  readonly #limits: readonly DownloadLimit[];
  readonly #gate: Gate;
  /** Asked for and charged; neither come nor taken back. */
  #chargedBytes = 0;
  #isHeld = false;

  /** `limits` from the narrowest on. */
  constructor(limits: readonly DownloadLimit[], gate: Gate) {
    this.#limits = limits;
    this.#gate = gate;
  }

  /** Whether any limit holds for it. */
  get isLimited(): boolean {
    for (const { bytesPerSecond } of this.#limits) if (bytesPerSecond !== Number.POSITIVE_INFINITY) return true;
    return false;
  }

  /** Nothing may be read of it now. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** From now on its limits know of it; each `open` needs its `close`. */
  open(): void {
    for (const limit of this.#limits) limit.join(this);
  }

  /** Nothing comes any more. */
  close(): void {
    this.takenBack(Number.POSITIVE_INFINITY);
    for (const limit of this.#limits) limit.leave(this);
  }

  /** Bytes it may be asked for now. */
  allowance(nowMs: number): number {
    let allowed = Number.POSITIVE_INFINITY;
    for (const limit of this.#limits) allowed = Math.min(allowed, limit.available(nowMs));
    return allowed;
  }

  /** Like `allowance`, for one of several that may have to wait for each other. */
  allowanceInTurn(asking: Asking): number {
    return allowanceInTurn(this.#limits, asking);
  }

  asked(sizeBytes: number, nowMs: number): void {
    this.askedAtMs = nowMs;
    this.#chargedBytes += sizeBytes;
    this.#take(sizeBytes);
  }

  /** These bytes are not expected any more. */
  takenBack(sizeBytes: number): void {
    const givenBack = Math.min(sizeBytes, this.#chargedBytes);
    this.#chargedBytes -= givenBack;
    this.#take(-givenBack);
  }

  /** Bytes of a block came, expected or not. */
  came(sizeBytes: number, nowMs: number): void {
    this.cameAtMs = nowMs;
    const expected = Math.min(sizeBytes, this.#chargedBytes);
    this.#chargedBytes -= expected;
    if (expected < sizeBytes) this.#take(sizeBytes - expected);
    for (const limit of this.#limits) limit.came(sizeBytes, nowMs);
  }

  /** A limit is lower than before: what comes nevertheless is charged when it comes. */
  lowered(): void {
    this.#gate.takeBack();
    this.#chargedBytes = 0;
  }

  hold(): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    this.#gate.hold();
  }

  /** Reads on as soon as what came is paid for; call ten times a second. */
  check(nowMs: number): void {
    if (!this.#isHeld) return;
    this.#gate.wasHeld(nowMs);
    for (const limit of this.#limits) limit.recover(nowMs);
    if (this.#limits.some(({ isOver }) => isOver)) return;
    this.#isHeld = false;
    this.#gate.release();
  }

  #take(sizeBytes: number): void {
    for (const limit of this.#limits) limit.take(sizeBytes);
  }
}
