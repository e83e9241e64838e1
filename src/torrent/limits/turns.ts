/**
 * Who waits under a limit. While somebody does, what comes free is handed out in rounds, to whoever had nothing for
 * longest; without that, whoever happens to ask in the right moment would get it all. Invariant: who does not ask again
 * soon is forgotten, so that nobody waits for one that is gone.
 */

/** Rounds are ten times a second; who missed two of them no longer wants anything. */
const FORGOTTEN_AFTER_MS = 300;

export class Turns {
  /** When each was refused last, the latest refusal last. */
  readonly #waiting = new Map<number, number>();

  /** It wanted something and got nothing. */
  refused(who: number, nowMs: number): void {
    this.#waiting.delete(who);
    this.#waiting.set(who, nowMs);
  }

  served(who: number): void {
    this.#waiting.delete(who);
  }

  /** Whether somebody else waits. */
  othersWait(who: number, nowMs: number): boolean {
    for (const [waiting, refusedAtMs] of this.#waiting) {
      if (nowMs - refusedAtMs > FORGOTTEN_AFTER_MS) this.#waiting.delete(waiting);
      else if (waiting !== who) return true;
    }
    return false;
  }
}

/** A limit under which some wait. */
export interface LimitInTurn {
  readonly turns: Turns;
  /** Infinity: there is none. */
  readonly bytesPerSecond: number;
  /** Bytes that may pass now. */
  available(nowMs: number): number;
}

/** Who asks, and when. */
export interface Asking {
  readonly who: number;
  /** Everybody is asked now, in a fair order. */
  readonly isRound: boolean;
  /** Less is of no use. */
  readonly leastBytes: number;
  readonly nowMs: number;
}

/** Bytes that all these limits, the narrowest first, allow now; 0 where that is too little, or out of a round others wait. */
export function allowanceInTurn(limits: readonly LimitInTurn[], { who, isRound, leastBytes, nowMs }: Asking): number {
  let allowed = Number.POSITIVE_INFINITY;
  for (const limit of limits) {
    if (limit.bytesPerSecond === Number.POSITIVE_INFINITY) continue;
    const available = limit.available(nowMs);
    if (available < leastBytes || (!isRound && limit.turns.othersWait(who, nowMs))) {
      limit.turns.refused(who, nowMs);
      return 0;
    }
    limit.turns.served(who);
    allowed = Math.min(allowed, available);
  }
  return allowed;
}
