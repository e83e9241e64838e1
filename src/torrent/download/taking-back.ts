/** Requests that nobody needs answered any more are taken back from the peers that owe them. */
import type { Peer } from '../peer/peer.ts';
import type { PieceStore } from '../pieces/piece-store.ts';
import type { ReadingWindow } from '../reading/reading-window.ts';
import type { Wishes } from './wishes.ts';

/**
 * After a jump readers want what is asked for next, and where something is missing that is urgent, nothing else. Without
 * any reader left, what is wanted unread goes on.
 */
export function cancelStale(
  peers: Iterable<Peer>,
  store: PieceStore,
  { window, wishes }: { readonly window: ReadingWindow; readonly wishes: Wishes },
): void {
  const isRushed = window.spans.some(({ piece, isUrgent }) => isUrgent && store.isMissing(piece));
  cancelWhere(peers, (key) => {
    const piece = store.geometry.pieceOf(key);
    if (window.isEmpty) return !wishes.wants(piece);
    const span = window.spanOf(piece, key - store.geometry.blockKey(piece, 0));
    return span === undefined || (isRushed && !span.isUrgent);
  });
}

/** All requests of a piece that is not begun, so that it begins with none. */
export function cancelPiece(peers: Iterable<Peer>, { geometry }: PieceStore, piece: number): void {
  const first = geometry.blockKey(piece, 0);
  const endExclusive = first + geometry.blockCount(piece);
  cancelWhere(peers, (key) => key >= first && key < endExclusive, true);
}

function cancelWhere(peers: Iterable<Peer>, isStale: (blockKey: number) => boolean, evenCurrent = false): void {
  for (const peer of peers) {
    const stale = [...peer.ledger.open.keys()].filter(isStale);
    if (stale.length > 0) peer.cancel(stale, evenCurrent);
  }
}
