/** Half-open byte ranges [start, endExclusive). */
export interface ByteRange {
  readonly start: number;
  readonly endExclusive: number;
}

export function rangeLength(range: ByteRange): number {
  return range.endExclusive - range.start;
}
