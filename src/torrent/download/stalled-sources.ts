/**
 * What a reader needs does not stay with a source that has stopped: it comes free, and others ask for it in reading
 * order. Invariants: nothing is taken from a source while nobody else delivers, nor from one that has just delivered; no
 * byte is asked of two for it.
 */
import type { Peer } from '../peer/peer.ts';
import type { ActivePiece } from '../pieces/active-piece.ts';
import type { PieceStore } from '../pieces/piece-store.ts';
import type { ReadingWindow } from '../reading/reading-window.ts';
import { isLate, owedBy } from './owed-blocks.ts';
import { isDelivering, isReliable } from './reliability.ts';

/** Beyond the guess of 100 ms for the way there and back: who has delivered nothing yet may be on another continent. */
const UNPROVEN_GRACE_MS = 150;

/** What is looked at and changed in a peer. */
export type StallingPeer = Pick<
  Peer,
  | 'sourceId'
  | 'ledger'
  | 'pipeline'
  | 'lastBlockAtMs'
  | 'isSnubbed'
  | 'punctuality'
  | 'mayRequest'
  | 'serves'
  | 'cancel'
>;

interface HeldBlock {
  readonly blockKey: number;
  readonly piece: ActivePiece;
  readonly block: number;
}

/** Takes back what readers need of peers that are late and have delivered nothing lately. */
export function releaseStalled<P extends StallingPeer>(
  peers: ReadonlySet<P>,
  store: Pick<PieceStore, 'active' | 'geometry'>,
  window: ReadingWindow,
  nowMs: number,
): void {
  if (window.isEmpty) return;
  const stalled = new Set([...peers].filter((peer) => hasStalled(peer, nowMs)));
  if (stalled.size === 0) return;
  const others = [...peers].filter((peer) => !stalled.has(peer) && mayTakeOver(peer, nowMs));
  for (const peer of stalled) {
    const held = heldFor(window, peer, store).filter(({ piece }) => others.some((other) => other.serves(piece.index)));
    if (held.length === 0) continue;
    peer.punctuality.late(nowMs);
    for (const { piece, block } of held) piece.lapses.add(block, peer);
    peer.cancel(
      held.map(({ blockKey }) => blockKey),
      true,
    );
  }
}

function hasStalled(peer: StallingPeer, nowMs: number): boolean {
  if (isDelivering(peer, nowMs)) return false;
  const [oldest] = owedBy(peer, nowMs);
  if (oldest === undefined || !isLate(oldest)) return false;
  return peer.pipeline.isMeasured || oldest.overdueMs > UNPROVEN_GRACE_MS;
}

function mayTakeOver(peer: StallingPeer, nowMs: number): boolean {
  return peer.mayRequest && peer.pipeline.isMeasured && isReliable(peer, nowMs);
}

/** What the peer was asked for and readers need, but for pieces that only it may bring. */
function heldFor(
  window: ReadingWindow,
  peer: StallingPeer,
  { active, geometry }: Pick<PieceStore, 'active' | 'geometry'>,
): HeldBlock[] {
  const held: HeldBlock[] = [];
  for (const blockKey of peer.ledger.open.keys()) {
    const piece = active.get(geometry.pieceOf(blockKey));
    if (piece === undefined || piece.exclusiveTo !== undefined) continue;
    const block = blockKey - geometry.blockKey(piece.index, 0);
    if (window.spanOf(piece.index, block) !== undefined) held.push({ blockKey, piece, block });
  }
  return held;
}
