/**
 * What a reader needs and by when: a pure function of its position, its habits and the speed of its sources. What is
 * due comes first, by deadline; what lies ahead grows with what was read. Nothing behind the position and nothing
 * beyond the reader's end is ever in the window.
 */
import { KIB, MIB, SECOND_MS } from '../../base/units.ts';
import { BLOCK_BYTES } from '../../codec/wire.ts';
import type { Geometry } from '../geometry.ts';

/** Where a reader stands. Positions are bytes in the torrent's flat space, times are monotonic ms. */
export interface ReadingState {
  readonly nowMs: number;
  readonly position: number;
  readonly endExclusive: number;
  /** When the byte at the position is needed; in the past where the reader waits for it. */
  readonly neededAtMs: number;
  /** Bytes delivered without a jump. */
  readonly sequentialBytes: number;
  /** What the reader consumes on average; undefined = not known. */
  readonly bytesPerSecond: number | undefined;
  /** How long before it is needed something should be asked for; see `leadTimeMs`. */
  readonly leadMs: number;
}

/** How a torrent can be read. */
export interface ReadingLayout {
  readonly geometry: Geometry;
  /** Single blocks are verified and handed over (v2 with leaves): only those from the position on are needed. */
  isBlockwise(piece: number): boolean;
}

/** Blocks [fromBlock, untilBlock) of a piece that somebody waits for: a whole piece, or 256 KiB of one read blockwise. */
export interface WantedSpan {
  readonly piece: number;
  readonly fromBlock: number;
  readonly untilBlock: number;
  /** Monotonic time at which the reader stands in front of it. */
  readonly dueAtMs: number;
  /** Due within two seconds: only sources that are quick enough may take it, and late blocks get a second one. */
  readonly isUrgent: boolean;
}

const URGENT_MS = 2 * SECOND_MS;
const AHEAD_MS = 25 * SECOND_MS;
/**
 * Each piece is asked for so many times earlier than its sources need to bring it, which rides out one that drops out
 * halfway. The seek bench has no stall with it, and fetches two thirds of what a fixed window of 4 MiB did.
 */
const LEAD_FACTOR = 3;
const MIN_LEAD_MS = 500;
/** Who read less than this may be a probe for an index, and moves no window. */
const PROBE_MS = 4 * SECOND_MS;
/** What lies ahead grows to this share of what was read since: at most half as much again is fetched in vain. */
const AHEAD_SHARE = 0.5;
/** Without a bitrate: first window and largest one, doubling between. */
const FIRST_AHEAD_BYTES = 4 * MIB;
const FLAT_AHEAD_BYTES = 32 * MIB;
/** Consumption assumed for deadlines where the bitrate is not known: 8 Mbit/s. */
const ASSUMED_BYTES_PER_SECOND = 1_000_000;
/** Small pieces must not make the list long: no more are looked at per reader. */
const MAX_SPANS = 512;
/** Spans of a piece that is read blockwise. Short, because the last one in the window is fetched whole. */
export const BLOCKWISE_SPAN_BLOCKS = (256 * KIB) / BLOCK_BYTES;

/** How long before its need a piece should be asked for, from when its sources could bring it; Infinity = not known. */
export function leadTimeMs(pieceArrivalMs: number): number {
  if (pieceArrivalMs === Number.POSITIVE_INFINITY) return URGENT_MS;
  return Math.min(AHEAD_MS, Math.max(MIN_LEAD_MS, LEAD_FACTOR * pieceArrivalMs));
}

/** From the position on, in reading order, whether here or not. */
export function readingWindow(state: ReadingState, layout: ReadingLayout): WantedSpan[] {
  const { position, endExclusive, nowMs, neededAtMs } = state;
  const rate = state.bytesPerSecond ?? ASSUMED_BYTES_PER_SECOND;
  const end = Math.min(endExclusive, position + aheadBytes(state, rate));
  const wanted: WantedSpan[] = [];
  let start = position;
  while (start < end && wanted.length < MAX_SPANS) {
    const { blocks, next } = spanAt(start, layout);
    const distanceMs = ((start - position) / rate) * SECOND_MS;
    const dueAtMs = start === position ? neededAtMs : Math.max(neededAtMs, nowMs) + distanceMs;
    wanted.push({ ...blocks, dueAtMs, isUrgent: dueAtMs - nowMs <= URGENT_MS });
    start = next;
  }
  return wanted;
}

/** The span that holds the byte at `position`, and where the next begins. */
function spanAt(
  position: number,
  layout: ReadingLayout,
): { blocks: Pick<WantedSpan, 'piece' | 'fromBlock' | 'untilBlock'>; next: number } {
  const { geometry } = layout;
  const piece = geometry.pieceAt(position);
  const pieceStart = geometry.pieceStart(piece);
  const blockCount = geometry.blockCount(piece);
  const pieceEnd = pieceStart + geometry.spanBytes(piece);
  if (!layout.isBlockwise(piece)) return { blocks: { piece, fromBlock: 0, untilBlock: blockCount }, next: pieceEnd };
  // Padding is read behind the last block, once that is here.
  const fromBlock = Math.min(blockCount - 1, Math.floor((position - pieceStart) / BLOCK_BYTES));
  // Borders are the same for all readers, so that their spans can be joined.
  const border = (Math.floor(fromBlock / BLOCKWISE_SPAN_BLOCKS) + 1) * BLOCKWISE_SPAN_BLOCKS;
  const untilBlock = Math.min(blockCount, border);
  const next = untilBlock === blockCount ? pieceEnd : pieceStart + border * BLOCK_BYTES;
  return { blocks: { piece, fromBlock, untilBlock }, next };
}

/** Starts small, so that a probe or a seek costs little, and grows while the reader goes straight on. */
function aheadBytes({ sequentialBytes, bytesPerSecond, leadMs }: ReadingState, rate: number): number {
  const bytesPerMs = rate / SECOND_MS;
  const leadBytes = leadMs * bytesPerMs;
  if (bytesPerSecond === undefined)
    return Math.min(FLAT_AHEAD_BYTES, Math.max(FIRST_AHEAD_BYTES, leadBytes, 2 * sequentialBytes));
  const grownBytes = AHEAD_SHARE * (sequentialBytes - PROBE_MS * bytesPerMs);
  return Math.min(AHEAD_MS * bytesPerMs, Math.max(leadBytes, grownBytes));
}

/** What all readers need, soonest first. */
export class ReadingWindow {
  static readonly empty = new ReadingWindow([]);
  readonly spans: readonly WantedSpan[];
  readonly #byPiece = new Map<number, WantedSpan[]>();

  /** Joins the windows of several readers: each span once, with its earliest need. */
  constructor(windows: readonly (readonly WantedSpan[])[]) {
    const [only, ...more] = windows;
    for (const span of windows.flat()) this.#add(span);
    const spans = [...this.#byPiece.values()].flat();
    this.spans = only !== undefined && more.length === 0 ? only : spans.sort((a, b) => a.dueAtMs - b.dueAtMs);
  }

  get isEmpty(): boolean {
    return this.spans.length === 0;
  }

  hasPiece(piece: number): boolean {
    return this.#byPiece.has(piece);
  }

  /** The span that holds the block; undefined when nobody needs it. */
  spanOf(piece: number, block: number): WantedSpan | undefined {
    return this.#byPiece.get(piece)?.find((span) => block >= span.fromBlock && block < span.untilBlock);
  }

  #add(span: WantedSpan): void {
    const known = this.#byPiece.get(span.piece) ?? [];
    const twin = known.findIndex((other) => other.untilBlock === span.untilBlock);
    const other = known[twin];
    if (other === undefined) known.push(span);
    else known[twin] = joined(other, span);
    this.#byPiece.set(span.piece, known);
  }
}

function joined(a: WantedSpan, b: WantedSpan): WantedSpan {
  const sooner = a.dueAtMs <= b.dueAtMs ? a : b;
  return { ...sooner, fromBlock: Math.min(a.fromBlock, b.fromBlock) };
}
