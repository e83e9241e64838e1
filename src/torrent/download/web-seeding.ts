/**
 * When and what web seeds fetch. The crowd comes first: HTTP takes what the swarm would bring too late for a reader,
 * and without a reader only what a cold swarm does not bring at all, unless told to help always.
 */
import { SECOND_MS } from '../../base/units.ts';
import { BLOCK_BYTES } from '../../codec/wire.ts';
import type { Geometry } from '../geometry.ts';
import type { BlockSource } from '../pieces/active-piece.ts';
import type { PieceStore } from '../pieces/piece-store.ts';
import type { WantedSpan } from '../reading/reading-window.ts';
import type { Downloader } from './downloader.ts';
import type { RequestLimits } from './request-limits.ts';
import type { BlockRun, WebSeed } from './web-seed.ts';
import type { Wishes } from './wishes.ts';

/** `when-needed`: late pieces and cold swarms only. `always`: an equal source at any time. */
export type WebSeedUse = (typeof WEB_SEED_USES)[number];
/** All uses. */
export const WEB_SEED_USES = ['when-needed', 'always'] as const;

/** Time a swarm gets before HTTP fetches what nobody reads. */
export const COLD_SWARM_MS = 5 * SECOND_MS;
/** A piece should be here this long before its reader. */
const MARGIN_MS = 500;

/** HTTP fetches no further ahead of a reader: until then peers may still turn up, and the reader may leave. */
const HORIZON_MS = 1.5 * SECOND_MS;

/** Whether HTTP should take a piece that a reader will need in `dueInMs`: only where it beats a swarm that is late. */
export function httpIsNeeded(need: {
  readonly use: WebSeedUse;
  readonly swarmArrivalMs: number;
  readonly httpArrivalMs: number;
  readonly dueInMs: number;
}): boolean {
  if (need.use === 'always') return true;
  if (need.dueInMs > HORIZON_MS) return false;
  return need.swarmArrivalMs > Math.max(need.dueInMs - MARGIN_MS, need.httpArrivalMs);
}

/** A run is given up for the swarm only where that saves this much. */
const MIN_GAIN_MS = 200;

/** Whether HTTP should leave the rest of a run that a reader waits for to the swarm. */
export function httpShouldYield(late: {
  readonly use: WebSeedUse;
  readonly restMs: number;
  readonly swarmArrivalMs: number;
}): boolean {
  return late.use !== 'always' && late.restMs > late.swarmArrivalMs + MIN_GAIN_MS;
}

/** Whether HTTP should take part where nobody reads. */
export function httpMayFill(swarm: { readonly use: WebSeedUse; readonly silentMs: number }): boolean {
  return swarm.use === 'always' || swarm.silentMs >= COLD_SWARM_MS;
}

const MAX_RUN_PIECES = 512;

/** Blocks of one piece that a run may take. */
type ClaimableSpan = Pick<WantedSpan, 'piece' | 'fromBlock' | 'untilBlock'>;

export interface WebSeedingParts {
  readonly store: PieceStore;
  readonly downloader: Downloader;
  readonly use: WebSeedUse;
  readonly wishes: Wishes;
  /** Time since the swarm last delivered a block. */
  swarmSilentMs(nowMs: number): number;
  readonly limits: RequestLimits;
}

export class WebSeeding {
  readonly #parts: WebSeedingParts;

  constructor(parts: WebSeedingParts) {
    this.#parts = parts;
  }

  /** Starts the next run of an idle seed when there is something for it. */
  employ(seed: WebSeed, nowMs: number): void {
    if (!seed.isReady(nowMs)) return;
    const spans = this.#neededSpans(seed, nowMs);
    if (spans.length === 0 && this.#mayFill(nowMs))
      spans.push(...this.#fillablePieces().map((piece) => this.#whole(piece)));
    const allowedBytes = spans.length === 0 ? 0 : this.#parts.limits.runBytesInTurn(seed);
    const run = allowedBytes === 0 ? undefined : this.#claim(seed, spans, allowedBytes);
    if (run === undefined) return;
    this.#parts.limits.askedRun(seed, run.endExclusive - run.start);
    seed.start(run);
  }

  /** A run that turned out slower than the swarm is left to the swarm, but for the block in progress. */
  yieldToSwarm(seed: WebSeed, nowMs: number): void {
    const current = seed.current;
    const { store, downloader, use } = this.#parts;
    if (current === undefined || !downloader.hasReaders) return;
    const piece = store.geometry.pieceAt(current.start);
    const swarmArrivalMs = downloader.picking.swarmArrivalMs(piece, current.endExclusive - current.start);
    if (httpShouldYield({ use, restMs: seed.restMs(nowMs), swarmArrivalMs })) seed.yieldRest();
  }

  /** A run that serves no reader any more ends at once. */
  abortStale(seed: WebSeed): void {
    const current = seed.current;
    if (current === undefined) return;
    const { downloader, wishes } = this.#parts;
    if (wishes.fetchesAhead && !downloader.hasReaders) return;
    const [first, last] = this.#piecesOf(current);
    const isWanted = downloader.window.spans.some(({ piece }) => piece >= first && piece <= last);
    if (!isWanted) seed.abort();
  }

  /** A run of which nobody wants a piece any more ends at once. */
  abortUnwanted(seed: WebSeed): void {
    if (seed.current === undefined) return;
    const [first, last] = this.#piecesOf(seed.current);
    for (let piece = first; piece <= last; piece++) if (this.#parts.downloader.wants(piece)) return;
    seed.abort();
  }

  #piecesOf(run: BlockRun): [first: number, last: number] {
    const { geometry } = this.#parts.store;
    return [geometry.pieceAt(run.start), geometry.pieceAt(Math.max(run.start, run.endExclusive - 1))];
  }

  /** The first spans in a row that readers wait for and that the swarm would bring too late. */
  #neededSpans(seed: WebSeed, nowMs: number): ClaimableSpan[] {
    const { store, downloader, use } = this.#parts;
    const needed: ClaimableSpan[] = [];
    let freeBytes = 0;
    for (const span of downloader.window.spans) {
      const { piece, fromBlock, untilBlock, dueAtMs } = span;
      if (!store.isMissing(piece)) continue;
      const active = store.active.get(piece);
      const free = active?.freeIn(fromBlock, untilBlock) ?? untilBlock - fromBlock;
      freeBytes += free * BLOCK_BYTES;
      if (free === 0) continue;
      const swarmArrivalMs = downloader.picking.swarmArrivalMs(piece, freeBytes);
      const httpArrivalMs = seed.arrivalMs((untilBlock - fromBlock) * BLOCK_BYTES);
      const isNeeded = httpIsNeeded({ use, dueInMs: dueAtMs - nowMs, swarmArrivalMs, httpArrivalMs });
      const last = needed.at(-1);
      if (isNeeded && (last === undefined || follows(span, last, store.geometry))) needed.push(span);
      else if (last !== undefined) break;
    }
    return needed;
  }

  #mayFill(nowMs: number): boolean {
    const { wishes, use } = this.#parts;
    return wishes.fetchesAhead && httpMayFill({ use, silentMs: this.#parts.swarmSilentMs(nowMs) });
  }

  /** Where nobody reads: a piece already begun, or the first missing ones in a row. */
  #fillablePieces(): number[] {
    const { store, downloader, wishes } = this.#parts;
    for (const active of store.active.values())
      if (active.freeBlocks > 0 && downloader.wants(active.index)) return [active.index];
    const missing: number[] = [];
    store.have.forEachMissing((piece) => {
      const isFree = store.isMissing(piece) && !store.active.has(piece) && wishes.wants(piece);
      const last = missing.at(-1);
      if (isFree && (last === undefined || piece === last + 1)) missing.push(piece);
      else if (last !== undefined) return false;
      return missing.length < MAX_RUN_PIECES;
    });
    return missing;
  }

  #whole(piece: number): ClaimableSpan {
    return { piece, fromBlock: 0, untilBlock: this.#parts.store.geometry.blockCount(piece) };
  }

  /** Marks the longest run of free blocks in these neighbouring spans as asked. */
  #claim(seed: WebSeed, spans: readonly ClaimableSpan[], allowedBytes: number): BlockRun | undefined {
    const { geometry } = this.#parts.store;
    const limitBytes = Math.min(seed.runBytes, allowedBytes);
    let start: number | undefined;
    let end = 0;
    for (const span of spans) {
      const leftBytes = start === undefined ? limitBytes : limitBytes - (end - start);
      const claimed = leftBytes > 0 ? this.#claimIn(seed, span, leftBytes, start) : undefined;
      if (claimed === undefined) break;
      start ??= claimed.start;
      end = claimed.endExclusive;
      if (end < endOf(span, geometry)) break;
    }
    return start === undefined ? undefined : { start, endExclusive: end };
  }

  /** The free run of one span; a continuing run must begin with its first block. */
  #claimIn(
    seed: BlockSource,
    span: ClaimableSpan,
    limitBytes: number,
    runStart: number | undefined,
  ): BlockRun | undefined {
    const { geometry } = this.#parts.store;
    const active = this.#parts.downloader.open(span.piece, seed);
    const first = active?.firstFreeIn(span.fromBlock, span.untilBlock);
    if (active === undefined || first === undefined) return undefined;
    if (runStart !== undefined && first !== span.fromBlock) return undefined;
    const pieceStart = geometry.pieceStart(span.piece);
    // A suspect piece is fetched whole, or its blame would be unclear.
    const [limit, until] =
      active.exclusiveTo === undefined ? [limitBytes, span.untilBlock] : [active.sizeBytes, active.blockCount];
    let block = first;
    while (block < until && active.isFree(block) && (block - first) * BLOCK_BYTES < limit) active.ask(block++);
    const endExclusive = pieceStart + Math.min(block * BLOCK_BYTES, active.sizeBytes);
    return { start: pieceStart + first * BLOCK_BYTES, endExclusive };
  }
}

/** Position behind the span's last byte. */
function endOf({ piece, untilBlock }: ClaimableSpan, geometry: Geometry): number {
  return geometry.pieceStart(piece) + Math.min(untilBlock * BLOCK_BYTES, geometry.pieceBytes(piece));
}

/** Whether the span begins where the other ends. */
function follows(span: ClaimableSpan, before: ClaimableSpan, geometry: Geometry): boolean {
  if (span.piece === before.piece) return span.fromBlock === before.untilBlock;
  const isAtBorder = span.fromBlock === 0 && before.untilBlock === geometry.blockCount(before.piece);
  return isAtBorder && span.piece === before.piece + 1;
}
