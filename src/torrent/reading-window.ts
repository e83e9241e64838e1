/**
 * Which pieces a reader needs and by when: a pure function of its position and habits. Urgent pieces come first and by
 * earliest arrival; the pieces ahead fill the time until they are needed. Nothing behind the position and nothing
 * beyond the reader's end is ever in the window.
 */
import { MIB, SECOND_MS } from '../base/units.ts';
import type { Geometry } from './geometry.ts';

/** Where a reader stands. Positions are bytes in the torrent's flat space. */
export interface ReadingState {
  readonly position: number;
  readonly endExclusive: number;
  /** Bytes delivered without a jump. */
  readonly sequentialBytes: number;
  /** What the reader consumes on average; undefined = not known. */
  readonly bytesPerSecond: number | undefined;
}

/** A piece somebody waits for. `dueInMs` is the time until the reader stands in front of it. */
export interface WantedPiece {
  readonly piece: number;
  readonly dueInMs: number;
  readonly isUrgent: boolean;
}

const URGENT_PIECES = 2;
const URGENT_SECONDS = 2;
const AHEAD_SECONDS = 25;
const FIRST_AHEAD_BYTES = 4 * MIB;
/** Read-ahead where the bitrate is not known. */
const FLAT_AHEAD_BYTES = 32 * MIB;
/** Consumption assumed for deadlines where the bitrate is not known: 8 Mbit/s. */
const ASSUMED_BYTES_PER_SECOND = 1_000_000;
/** Small pieces must not make the list long: no more are looked at per reader. */
const MAX_PIECES = 512;

/** Pieces from the position on, in reading order, whether here or not. */
export function readingWindow(state: ReadingState, geometry: Geometry): WantedPiece[] {
  const { position, endExclusive } = state;
  if (position >= endExclusive) return [];
  const rate = state.bytesPerSecond ?? ASSUMED_BYTES_PER_SECOND;
  const first = geometry.pieceAt(position);
  const urgentEnd = Math.max(
    geometry.pieceStart(first + URGENT_PIECES),
    position + (state.bytesPerSecond === undefined ? 0 : state.bytesPerSecond * URGENT_SECONDS),
  );
  const end = Math.min(endExclusive, Math.max(urgentEnd, position + aheadBytes(state)));
  const wanted: WantedPiece[] = [];
  for (let piece = first; geometry.pieceStart(piece) < end && wanted.length < MAX_PIECES; piece++) {
    const distance = Math.max(0, geometry.pieceStart(piece) - position);
    wanted.push({ piece, dueInMs: (distance / rate) * SECOND_MS, isUrgent: geometry.pieceStart(piece) < urgentEnd });
  }
  return wanted;
}

/** Starts small, so that a probe costs little, and doubles while the reader goes straight on. */
function aheadBytes(state: ReadingState): number {
  const limit =
    state.bytesPerSecond === undefined
      ? FLAT_AHEAD_BYTES
      : Math.max(FIRST_AHEAD_BYTES, state.bytesPerSecond * AHEAD_SECONDS);
  return Math.min(limit, Math.max(FIRST_AHEAD_BYTES, 2 * state.sequentialBytes));
}

/** Joins the windows of all readers: each piece once, with its earliest need, soonest first. */
export function joinWindows(windows: readonly (readonly WantedPiece[])[]): WantedPiece[] {
  if (windows.length === 1) return [...(windows[0] ?? [])];
  const soonest = new Map<number, WantedPiece>();
  for (const window of windows)
    for (const wanted of window) {
      const known = soonest.get(wanted.piece);
      if (known === undefined || wanted.dueInMs < known.dueInMs) soonest.set(wanted.piece, wanted);
    }
  return [...soonest.values()].sort((a, b) => Number(b.isUrgent) - Number(a.isUrgent) || a.dueInMs - b.dueInMs);
}
