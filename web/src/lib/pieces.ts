/** A bitfield (BEP 3, most significant bit first) as something to draw: runs of equal coverage. Pure. */

export interface PieceRun {
  /** Both in [0, 1], of the whole width. */
  readonly start: number;
  readonly end: number;
  /** Share of the pieces in this run that are held, in (0, 1]. */
  readonly held: number;
}

export function hasPiece(bitfield: Uint8Array, index: number): boolean {
  return (((bitfield[index >> 3] ?? 0) >> (7 - (index & 7))) & 1) === 1;
}

export function countPieces(bitfield: Uint8Array, pieceCount: number): number {
  let held = 0;
  for (let index = 0; index < pieceCount; index++) if (hasPiece(bitfield, index)) held++;
  return held;
}

/** At most `buckets` runs; neighbours with equal coverage are joined, empty ones left out. */
export function pieceRuns(bitfield: Uint8Array, pieceCount: number, buckets: number): PieceRun[] {
  const used = Math.min(buckets, pieceCount);
  const runs: PieceRun[] = [];
  for (let bucket = 0; bucket < used; bucket++) {
    const run = coverage(
      bitfield,
      Math.floor((bucket * pieceCount) / used),
      Math.floor(((bucket + 1) * pieceCount) / used),
    );
    const [start, end] = [bucket / used, (bucket + 1) / used];
    const last = runs.at(-1);
    if (last !== undefined && last.end === start && last.held === run) runs[runs.length - 1] = { ...last, end };
    else if (run > 0) runs.push({ start, end, held: run });
  }
  return runs;
}

function coverage(bitfield: Uint8Array, first: number, endExclusive: number): number {
  let held = 0;
  for (let index = first; index < endExclusive; index++) if (hasPiece(bitfield, index)) held++;
  return held / Math.max(1, endExclusive - first);
}
