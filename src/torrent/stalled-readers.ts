/**
 * Who asked for blocks and then stopped reading: what was written for such a peer stays in a buffer that all torrents
 * share. A pure choice. A buffer holds half a second at the peer's speed and 1 MiB at most, and its coming back is the
 * progress that shows; a kernel that holds some megabytes takes the next one when a third of them has left. 20 KiB/s are
 * fast enough at the worst moment.
 */
import { SECOND_MS } from '../base/units.ts';

export interface ReaderProgress<Reader> {
  readonly reader: Reader;
  /** For how long nothing of what was written has left; 0 when nothing waits. */
  readonly stalledMs: number;
}

/** Nobody needs longer for one buffer. */
const PATIENCE_MS = 120 * SECOND_MS;
/** While others wait for a buffer. */
const SHORT_PATIENCE_MS = 20 * SECOND_MS;

/** The readers to part from: all that have stopped, and where others wait for buffers the one that holds its longest. */
export function chooseStalled<Reader>(readers: readonly ReaderProgress<Reader>[], othersWait: boolean): Reader[] {
  const stalled = readers.filter(({ stalledMs }) => stalledMs > PATIENCE_MS);
  if (stalled.length > 0 || !othersWait) return stalled.map(({ reader }) => reader);
  const [longest] = readers.toSorted((a, b) => b.stalledMs - a.stalledMs);
  return longest !== undefined && longest.stalledMs > SHORT_PATIENCE_MS ? [longest.reader] : [];
}
