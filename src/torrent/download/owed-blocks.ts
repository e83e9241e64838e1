/**
 * What sources owe: which block by whom, and when it should be here by what was measured of the source. Decides nothing; a
 * look tells the source's pipeline how long it has been waited for.
 */
import { BLOCK_BYTES } from '../../codec/wire.ts';
import type { Peer } from '../peer/peer.ts';
import { owedArrivalsMs } from './arrival.ts';

/** A source this far behind its own estimate is late. */
export const LATE_AFTER_MS = 60;

/** A block that a source still owes. */
export interface PendingBlock {
  readonly blockKey: number;
  /** When it should be here, ms from now. */
  readonly arrivesInMs: number;
  /** How long the source is behind its own estimate, in ms. */
  readonly overdueMs: number;
  /** It can hardly have been sent yet: a cancel saves its bytes. */
  readonly isStoppable: boolean;
}

/** `P` is undefined for a web seed. */
export interface OwedBlock<P> extends PendingBlock {
  readonly peer: P;
}

export type OwingPeer = Pick<Peer, 'ledger' | 'pipeline' | 'lastBlockAtMs'>;

/** What the peer was asked for, in that order. */
export function* owedBy<P extends OwingPeer>(peer: P, nowMs: number): Generator<OwedBlock<P>> {
  const { pipeline, ledger } = peer;
  const [oldest] = ledger.open.values();
  if (oldest === undefined) return;
  pipeline.waited(nowMs);
  const blockMs = BLOCK_BYTES / pipeline.bytesPerMs;
  const headInMs = Math.max(peer.lastBlockAtMs + pipeline.promisedBlockMs, oldest.sentAtMs + pipeline.delayMs) - nowMs;
  const arrivals = owedArrivalsMs(headInMs, blockMs);
  const overdueMs = Math.max(0, -headInMs);
  let unsent = -pipeline.blocksUnderWay;
  for (const blockKey of ledger.open.keys())
    yield { peer, blockKey, arrivesInMs: arrivals.next().value, overdueMs, isStoppable: unsent++ >= 0 };
}

/** The peer broke its own promise: it is behind what was measured of it by more than chance explains. */
export function isLate({ overdueMs, peer }: OwedBlock<OwingPeer>): boolean {
  return overdueMs > Math.max(LATE_AFTER_MS, peer.pipeline.promisedBlockMs / 2);
}

/** Each block by the source that should bring it first. */
export function soonestOf<P>(owed: Iterable<OwedBlock<P>>): Iterable<OwedBlock<P>> {
  const soonest = new Map<number, OwedBlock<P>>();
  for (const block of owed) {
    const known = soonest.get(block.blockKey);
    if (known === undefined || block.arrivesInMs < known.arrivesInMs) soonest.set(block.blockKey, block);
  }
  return soonest.values();
}

/** Of the peers that were asked for the block, the one that should bring it last. */
export function lastToBring<P extends OwingPeer>(
  peers: Iterable<P>,
  blockKey: number,
  nowMs: number,
): OwedBlock<P> | undefined {
  let last: OwedBlock<P> | undefined;
  for (const peer of peers) {
    if (!peer.ledger.has(blockKey)) continue;
    for (const owed of owedBy(peer, nowMs))
      if (owed.blockKey === blockKey && owed.arrivesInMs > (last?.arrivesInMs ?? -1)) last = owed;
  }
  return last;
}
