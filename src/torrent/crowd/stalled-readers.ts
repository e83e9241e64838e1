/**
 * Who asked for blocks and then stopped reading: what was written for such a peer stays in a buffer that all torrents
 * share. A pure choice. A buffer holds half a second at the peer's speed and 1 MiB at most, and its coming back is the
 * progress that shows; a kernel that holds some megabytes takes the next one when a third of them has left. 20 KiB/s are
 * fast enough at the worst moment.
 */
import { MIB, SECOND_MS } from '../../base/units.ts';

export interface ReaderProgress<Reader> {
  readonly reader: Reader;
  /** For how long nothing of what was written has left; 0 when nothing waits. */
  readonly stalledMs: number;
  /** Bytes it has taken since it came. */
  readonly takenBytes: number;
}

/** Nobody needs longer for one buffer. */
const PATIENCE_MS = 120 * SECOND_MS;
/** While others wait for a buffer. */
const SHORT_PATIENCE_MS = 20 * SECOND_MS;
/** While others wait, with who has shown nothing yet: the kernels on the way may have taken all it was sent. */
const UNPROVEN_PATIENCE_MS = 5 * SECOND_MS;
const PROVEN_BYTES = 16 * MIB;

/**
 * The readers to part from: all that have stopped. Where others wait for buffers also all that never showed that they read,
 * or else the one that holds its buffer longest.
 */
export function chooseStalled<Reader>(readers: readonly ReaderProgress<Reader>[], othersWait: boolean): Reader[] {
  const stalled = readers.filter(({ stalledMs }) => stalledMs > PATIENCE_MS);
  if (stalled.length > 0 || !othersWait) return stalled.map(({ reader }) => reader);
  const unproven = readers.filter(
    ({ stalledMs, takenBytes }) => stalledMs > UNPROVEN_PATIENCE_MS && takenBytes < PROVEN_BYTES,
  );
  if (unproven.length > 0) return unproven.map(({ reader }) => reader);
  const [longest] = readers.toSorted((a, b) => b.stalledMs - a.stalledMs);
  return longest !== undefined && longest.stalledMs > SHORT_PATIENCE_MS ? [longest.reader] : [];
}
