/**
 * A second source for urgent blocks that will come too late while another peer is quicker. The first answer wins and
 * the other request is cancelled. Whoever helps puts the urgent block ahead of what it can still take back, and what it
 * was given counts as its load: help never piles up on one peer.
 */
import { BLOCK_BYTES } from '../codec/wire.ts';
import type { BlockSource } from './active-piece.ts';
import { isWorthHedging, owedArrivalsMs } from './arrival.ts';
import type { Peer } from './peer.ts';
import type { PieceStore } from './piece-store.ts';
import { ReadingWindow } from './reading-window.ts';

/** Behind its estimate by more than this, a source is given up for one that nobody waits for. */
const LATE_AFTER_MS = 60;
const MAX_HEDGES_PER_TICK = 64;

/** A block that a source still owes. */
export interface PendingBlock {
  readonly blockKey: number;
  /** When it should be here, ms from now. */
  readonly arrivesInMs: number;
  /** How long the source is behind its own estimate, in ms. */
  readonly overdueMs: number;
}

export interface HedgingParts {
  readonly store: PieceStore;
  readonly peers: ReadonlySet<Peer>;
  /** What web seeds are fetching. */
  webSeedBlocks(nowMs: number): Iterable<PendingBlock>;
  /** When an idle web seed would have a block here, ms from now; Infinity without one. */
  backupArrivalMs(): number;
  /** Asks the peer for one more block. */
  ask(peer: Peer, blockKey: number): void;
}

export class Hedging {
  readonly #parts: HedgingParts;
  #window = ReadingWindow.empty;

  constructor(parts: HedgingParts) {
    this.#parts = parts;
  }

  /** Looks at every block asked for that is urgent. */
  hedge(window: ReadingWindow, nowMs: number): void {
    this.#window = window;
    if (!window.spans.some(({ isUrgent }) => isUrgent)) return;
    let hedges = 0;
    for (const [source, block] of this.#pending(nowMs)) {
      const dueAtMs = this.#urgentDueAtMs(block.blockKey);
      if (dueAtMs === undefined || nowMs + block.arrivesInMs <= dueAtMs) continue;
      if (this.#hedgeBlock(source, block) && ++hedges >= MAX_HEDGES_PER_TICK) return;
    }
  }

  *#pending(nowMs: number): Generator<[Peer | undefined, PendingBlock]> {
    for (const peer of this.#parts.peers) for (const block of owedBy(peer, nowMs)) yield [peer, block];
    for (const block of this.#parts.webSeedBlocks(nowMs)) yield [undefined, block];
  }

  /** When a reader needs the block; undefined when none does soon. */
  #urgentDueAtMs(blockKey: number): number | undefined {
    const { geometry } = this.#parts.store;
    const piece = geometry.pieceOf(blockKey);
    const span = this.#window.spanOf(piece, blockKey - geometry.blockKey(piece, 0));
    return span?.isUrgent === true ? span.dueAtMs : undefined;
  }

  /** True when a second source was asked. `late` is the peer that has it now; undefined for a web seed. */
  #hedgeBlock(late: Peer | undefined, { blockKey, arrivesInMs, overdueMs }: PendingBlock): boolean {
    const { store } = this.#parts;
    const piece = store.active.get(store.geometry.pieceOf(blockKey));
    if (piece === undefined || piece.exclusiveTo !== undefined) return false;
    const block = blockKey - store.geometry.blockKey(piece.index, 0);
    if (piece.askers(block) !== 1) return false;
    const best = this.#quickestFor(piece.index, late);
    if (best !== undefined && isWorthHedging(arrivesInMs, best.arrivesInMs)) {
      this.#makeWay(best.peer);
      piece.ask(block);
      this.#parts.ask(best.peer, blockKey);
      return true;
    }
    const isHopeless = overdueMs > LATE_AFTER_MS && isWorthHedging(arrivesInMs, this.#parts.backupArrivalMs());
    if (isHopeless) late?.cancel([blockKey], true);
    return false;
  }

  #quickestFor(piece: number, except: BlockSource | undefined): { peer: Peer; arrivesInMs: number } | undefined {
    let best: { peer: Peer; arrivesInMs: number } | undefined;
    for (const peer of this.#parts.peers) {
      if (peer === except || peer.isSnubbed || !peer.mayRequest || !peer.serves(piece)) continue;
      const arrivesInMs = peer.pipeline.arrivalMs(this.#bytesAhead(peer));
      if (peer.ledger.size >= peer.requestQueueLimit || (best !== undefined && arrivesInMs >= best.arrivesInMs))
        continue;
      best = { peer, arrivesInMs };
    }
    return best;
  }

  /** What is ahead of a new urgent request: what is urgent itself, and what can no longer be taken back. */
  #bytesAhead(peer: Peer): number {
    let urgentBlocks = 0;
    for (const blockKey of peer.ledger.open.keys()) urgentBlocks += Number(this.#urgentDueAtMs(blockKey) !== undefined);
    return Math.max(urgentBlocks, Math.min(peer.ledger.size, peer.pipeline.blocksUnderWay)) * BLOCK_BYTES;
  }

  /** Takes back what the peer has queued but can hardly have sent yet, unless it is urgent itself. */
  #makeWay(peer: Peer): void {
    const stoppable = [...peer.ledger.open.keys()].slice(peer.pipeline.blocksUnderWay);
    const cancelled = stoppable.filter((blockKey) => this.#urgentDueAtMs(blockKey) === undefined);
    if (cancelled.length > 0) peer.cancel(cancelled);
  }
}

/** What the peer was asked for, in that order. */
function* owedBy(peer: Peer, nowMs: number): Generator<PendingBlock> {
  const { pipeline, ledger } = peer;
  const [oldest] = ledger.open.values();
  if (oldest === undefined) return;
  const blockMs = BLOCK_BYTES / pipeline.bytesPerMs;
  const headInMs = Math.max(peer.lastBlockAtMs + blockMs, oldest.sentAtMs + pipeline.delayMs) - nowMs;
  const arrivals = owedArrivalsMs(headInMs, blockMs);
  const overdueMs = Math.max(0, -headInMs);
  for (const blockKey of ledger.open.keys()) yield { blockKey, arrivesInMs: arrivals.next().value, overdueMs };
}
