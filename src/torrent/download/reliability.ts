/** Which peers deliver what they were asked for: plain questions about what they did so far. */
import { SECOND_MS } from '../../base/units.ts';
import type { Peer } from '../peer/peer.ts';

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

/** A block of it came within the last second: one that serves in bursts is late now and then, and still the best there is. */
export function isDelivering(
  { pipeline, lastBlockAtMs }: Pick<Peer, 'pipeline' | 'lastBlockAtMs'>,
  nowMs: number,
): boolean {
  return pipeline.isMeasured && nowMs - lastBlockAtMs < SECOND_MS;
}

/** It may be trusted with something a reader needs. */
export function isReliable(peer: Pick<Peer, 'isSnubbed' | 'punctuality'>, nowMs: number): boolean {
  return !peer.isSnubbed && !peer.punctuality.isTardy(nowMs);
}
