/**
 * Another source for urgent blocks that will come too late while a peer is quicker: requests that can be taken back change
 * hands, others are doubled, and the first answer cancels the other; of three sources the latest makes room. Whoever helps
 * puts the urgent block ahead of what it can still take back, and what it was given counts as its load: help never piles up
 * on one peer.
 */
import { BLOCK_BYTES } from '../../codec/wire.ts';
import type { Peer } from '../peer/peer.ts';
import type { ActivePiece } from '../pieces/active-piece.ts';
import type { PieceStore } from '../pieces/piece-store.ts';
import { ReadingWindow } from '../reading/reading-window.ts';
import { isWorthHedging } from './arrival.ts';
import { giveWay } from './giving-way.ts';
import {
  isLate,
  LATE_AFTER_MS,
  lastToBring,
  owedBy,
  soonestOf,
  type OwedBlock,
  type PendingBlock,
} from './owed-blocks.ts';
import { isReliable } from './reliability.ts';
import type { StallingPeer } from './stalled-sources.ts';

const MAX_HEDGES = 64;
/** Sources asked for one block at the same time. */
const MAX_SOURCES = 3;

/** What hedging looks at and changes in a peer. */
export type HedgedPeer = StallingPeer & Pick<Peer, 'requestQueueLimit'>;

export interface HedgingParts<P extends HedgedPeer> {
  readonly store: Pick<PieceStore, 'active' | 'geometry'>;
  readonly peers: ReadonlySet<P>;
  /** What web seeds are fetching. */
  webSeedBlocks(nowMs: number): Iterable<PendingBlock>;
  /** When an idle web seed would have a block here, ms from now; Infinity without one. */
  backupArrivalMs(): number;
  /** Whether limits allow one more block. */
  mayAsk(peer: P): boolean;
  /** Asks the peer for one more block. */
  ask(peer: P, blockKey: number): void;
}

export class Hedging<P extends HedgedPeer> {
  readonly #parts: HedgingParts<P>;
  #window = ReadingWindow.empty;

  constructor(parts: HedgingParts<P>) {
    this.#parts = parts;
  }

  /** Looks at every urgent block asked for that will be late, the latest first. */
  hedge(window: ReadingWindow, nowMs: number): void {
    this.#window = window;
    if (!window.spans.some(({ isUrgent }) => isUrgent)) return;
    const late = [...soonestOf(this.#owed(nowMs))].filter(({ blockKey, arrivesInMs }) => {
      const dueAtMs = this.#urgentDueAtMs(blockKey);
      return dueAtMs !== undefined && nowMs + arrivesInMs > dueAtMs;
    });
    late.sort((a, b) => b.arrivesInMs - a.arrivesInMs);
    let hedges = 0;
    for (const block of late) if (this.#hedgeBlock(block, nowMs) && ++hedges >= MAX_HEDGES) return;
  }

  *#owed(nowMs: number): Generator<OwedBlock<P | undefined>> {
    for (const peer of this.#parts.peers) yield* owedBy(peer, nowMs);
    for (const block of this.#parts.webSeedBlocks(nowMs)) yield { ...block, peer: undefined };
  }

  /** When a reader needs the block; undefined when none does soon. */
  #urgentDueAtMs(blockKey: number): number | undefined {
    const { geometry } = this.#parts.store;
    const piece = geometry.pieceOf(blockKey);
    const span = this.#window.spanOf(piece, blockKey - geometry.blockKey(piece, 0));
    return span?.isUrgent === true ? span.dueAtMs : undefined;
  }

  /** True when another source was asked. */
  #hedgeBlock(block: OwedBlock<P | undefined>, nowMs: number): boolean {
    const { store } = this.#parts;
    const { peer: late, blockKey, arrivesInMs, overdueMs } = block;
    const piece = store.active.get(store.geometry.pieceOf(blockKey));
    if (piece === undefined || piece.exclusiveTo !== undefined) return false;
    const blockInPiece = blockKey - store.geometry.blockKey(piece.index, 0);
    if (piece.askers(blockInPiece) === 0) return false; // here already, though a web seed goes on with it
    const best = this.#quickestFor(piece, blockInPiece, nowMs);
    // What is taken back instead makes room under a limit.
    const isAllowed = best !== undefined && (block.isStoppable || this.#parts.mayAsk(best.peer));
    if (isAllowed && isWorthHedging(arrivesInMs, best.arrivesInMs)) {
      if (late !== undefined && overdueMs > LATE_AFTER_MS) late.punctuality.late(nowMs);
      if (piece.askers(blockInPiece) >= MAX_SOURCES && !this.#makeRoom(piece, blockInPiece, best.peer, nowMs))
        return false;
      this.#makeWay(best.peer);
      // What can still be taken back changes hands; what may be on its way already is asked of both.
      if (block.isStoppable) late?.cancel([blockKey]);
      piece.ask(blockInPiece);
      this.#parts.ask(best.peer, blockKey);
      return true;
    }
    const isHopeless = overdueMs > LATE_AFTER_MS && isWorthHedging(arrivesInMs, this.#parts.backupArrivalMs());
    if (isHopeless) late?.cancel([blockKey], true);
    return false;
  }

  /** The source that should bring the block last makes room for a quicker one; false where it keeps its place. */
  #makeRoom(piece: ActivePiece, block: number, newcomer: P, nowMs: number): boolean {
    const blockKey = this.#parts.store.geometry.blockKey(piece.index, block);
    const last = lastToBring(this.#parts.peers, blockKey, nowMs);
    if (last === undefined || !giveWay(last, newcomer, piece, block)) return false;
    if (isLate(last)) last.peer.punctuality.late(nowMs);
    return true;
  }

  /** Of the reliable peers that may be asked; one that let the block lapse before comes behind all others. */
  #quickestFor(piece: ActivePiece, block: number, nowMs: number): { peer: P; arrivesInMs: number } | undefined {
    const blockKey = this.#parts.store.geometry.blockKey(piece.index, block);
    let best: { peer: P; arrivesInMs: number; hasLapsed: boolean } | undefined;
    for (const peer of this.#parts.peers) {
      const { ledger } = peer;
      if (ledger.has(blockKey) || ledger.size >= peer.requestQueueLimit || !isReliable(peer, nowMs)) continue;
      if (!peer.mayRequest || !peer.serves(piece.index)) continue;
      const hasLapsed = piece.lapses.has(block, peer);
      const arrivesInMs = peer.pipeline.arrivalMs(this.#bytesAhead(peer));
      if (best === undefined || (hasLapsed === best.hasLapsed ? arrivesInMs < best.arrivesInMs : best.hasLapsed))
        best = { peer, arrivesInMs, hasLapsed };
    }
    return best;
  }

  /** What is ahead of a new urgent request: what is urgent itself, and what can no longer be taken back. */
  #bytesAhead(peer: P): number {
    let urgentBlocks = 0;
    for (const blockKey of peer.ledger.open.keys()) urgentBlocks += Number(this.#urgentDueAtMs(blockKey) !== undefined);
    return Math.max(urgentBlocks, Math.min(peer.ledger.size, peer.pipeline.blocksUnderWay)) * BLOCK_BYTES;
  }

  /** Takes back what the peer has queued but can hardly have sent yet, unless it is urgent itself. */
  #makeWay(peer: P): void {
    const stoppable = [...peer.ledger.open.keys()].slice(peer.pipeline.blocksUnderWay);
    const cancelled = stoppable.filter((blockKey) => this.#urgentDueAtMs(blockKey) === undefined);
    if (cancelled.length > 0) peer.cancel(cancelled);
  }
}
