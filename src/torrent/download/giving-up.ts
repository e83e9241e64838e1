/**
 * Which pieces in progress may give their memory up. One that is all here never does: it waits for its last leaf checks
 * only, and gives its memory back then.
 */
import type { ActivePiece } from '../pieces/active-piece.ts';

/** The one that nobody brought anything of for longest, but for those that are kept. */
export function stalestOf(
  pieces: Iterable<ActivePiece>,
  isKept: (piece: ActivePiece) => boolean,
): ActivePiece | undefined {
  let stalest: ActivePiece | undefined;
  for (const piece of pieces) {
    if (piece.isComplete || isKept(piece)) continue;
    if (stalest === undefined || piece.touchedAtMs < stalest.touchedAtMs) stalest = piece;
  }
  return stalest;
}

/** Those of which nothing is asked for, and nothing came since that moment. */
export function idleSince(pieces: Iterable<ActivePiece>, sinceMs: number): ActivePiece[] {
  return [...pieces].filter((piece) => piece.askedBlocks === 0 && !piece.isComplete && piece.touchedAtMs <= sinceMs);
}
