/**
 * A source that gives a block up for another one. Invariant: who has proven nothing takes a block only from who is late,
 * and who was late with it is remembered, so that two that bring nothing do not hand it to each other for ever.
 */
import type { Peer } from '../peer/peer.ts';
import type { ActivePiece } from '../pieces/active-piece.ts';
import { isLate, type OwedBlock, type OwingPeer } from './owed-blocks.ts';

/** Takes back what is owed of `block` of the piece, where the newcomer may have it; false where it stays. */
export function giveWay(
  owed: OwedBlock<OwingPeer & Pick<Peer, 'sourceId' | 'cancel'>>,
  newcomer: Pick<Peer, 'pipeline'>,
  { lapses }: Pick<ActivePiece, 'lapses'>,
  block: number,
): boolean {
  const hasLapsed = isLate(owed);
  if (!hasLapsed && !newcomer.pipeline.isMeasured) return false;
  if (hasLapsed) lapses.add(block, owed.peer);
  owed.peer.cancel([owed.blockKey], true);
  return true;
}
