/**
 * Offers of trickling peers on their way to stock ones, who can only use a complete description: held back until the
 * candidates are in, then handed over as one. Bounded in number, candidates and time.
 */
import type { Cancel, Clock } from '../base/clock.ts';
import type { IceCandidate } from '../codec/tracker-ws.ts';

/** Local candidates are there in a few ms, those of STUN and TURN servers within this. */
export const HOLD_MS = 1_500;
const MAX_HELD = 32;
const MAX_CANDIDATES = 32;

interface HeldOffer {
  readonly sdp: string;
  readonly candidates: string[];
  readonly deliver: (completeSdp: string) => void;
  readonly cancel: Cancel;
}

/** The held offers of one socket. */
export class HeldOffers {
  readonly #clock: Clock;
  readonly #held = new Map<string, HeldOffer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Holds the offer called `name` until its candidates have come; false when that cannot be done. */
  hold(name: string, sdp: string, deliver: (completeSdp: string) => void): boolean {
    const sections = sdp.match(/^m=/gm)?.length ?? 0;
    // Candidates are put at the end, which is right for one section only: that of the data channel.
    if (sections !== 1 || !sdp.endsWith('\n') || this.#held.size >= MAX_HELD || this.#held.has(name)) return false;
    const cancel = this.#clock.after(HOLD_MS, () => this.#release(name));
    this.#held.set(name, { sdp, candidates: [], deliver, cancel });
    return true;
  }

  /** Adds a candidate to a held offer; an empty one says that all have come. False when no such offer is held. */
  add(name: string, { candidate }: IceCandidate): boolean {
    const offer = this.#held.get(name);
    if (offer === undefined) return false;
    if (candidate === '') this.#release(name);
    else if (offer.candidates.length < MAX_CANDIDATES && /^candidate:[^\r\n]+$/.test(candidate))
      offer.candidates.push(candidate);
    return true;
  }

  clear(): void {
    for (const { cancel } of this.#held.values()) cancel();
    this.#held.clear();
  }

  /** Without any candidate nobody could use it: then it is dropped. */
  #release(name: string): void {
    const offer = this.#held.get(name);
    if (offer === undefined) return;
    this.#held.delete(name);
    offer.cancel();
    if (offer.candidates.length === 0) return;
    const lines = offer.candidates.map((candidate) => `a=${candidate}\r\n`);
    offer.deliver(`${offer.sdp}${lines.join('')}a=end-of-candidates\r\n`);
  }
}
