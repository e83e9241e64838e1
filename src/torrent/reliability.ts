/** Which peers deliver what they were asked for: plain questions about what they did so far. */
import type { Peer } from './peer.ts';

/** A peer that lets its requests lapse so often in a row is forsaken. */
const MAX_LAPSES = 2;

/** It delivers nothing: silent for long, or twice over it let lapse what it was asked for. */
export function isForsaken(peer: Pick<Peer, 'isSnubbed' | 'ledger'>): boolean {
  return peer.isSnubbed || peer.ledger.lapses >= MAX_LAPSES;
}

/** How often a forsaken peer let its requests lapse in a row; 0 for any other. */
export function lapsesOf(peer: Pick<Peer, 'isSnubbed' | 'ledger'>): number {
  return isForsaken(peer) ? peer.ledger.lapses : 0;
}

/** It may be trusted with something urgent. */
export function isReliable(peer: Pick<Peer, 'isSnubbed' | 'tardyUntilMs'>, nowMs: number): boolean {
  return !peer.isSnubbed && nowMs >= peer.tardyUntilMs;
}
