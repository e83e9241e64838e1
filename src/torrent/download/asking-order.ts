/** In which order peers are asked. Those that deliver nothing come last in any. */
import type { Peer } from '../peer/peer.ts';
import { lapsesOf } from './reliability.ts';

/** So that urgent blocks go to those that bring them soonest. */
export function quickestFirst(a: Peer, b: Peer): number {
  const arrivalMs = ({ pipeline, queuedBytes }: Peer): number => pipeline.arrivalMs(queuedBytes);
  return lapsesOf(a) - lapsesOf(b) || arrivalMs(a) - arrivalMs(b);
}

/** So that under a limit nobody is left out. */
export function longestUnaskedFirst(a: Peer, b: Peer): number {
  return lapsesOf(a) - lapsesOf(b) || a.inflow.askedAtMs - b.inflow.askedAtMs;
}
