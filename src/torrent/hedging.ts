/**
 * A second source for urgent blocks that are overdue, or that will come too late while another peer is quicker. The
 * first answer wins and the other request is cancelled. Whoever helps puts the urgent block ahead of what it can still
 * take back.
 */
import { BLOCK_BYTES } from '../codec/wire.ts';
import type { BlockSource } from './active-piece.ts';
import { TOLERATED_LATENESS } from './arrival.ts';
import type { Peer } from './peer.ts';
import type { PieceStore } from './piece-store.ts';
import type { WantedPiece } from './reading-window.ts';

/** Extra time before a block counts as overdue. */
const LATE_AFTER_MS = 60;
const MAX_HEDGES_PER_TICK = 64;

/** A block that a source was asked for, and the monotonic time at which it should be here. */
export interface PendingBlock {
  readonly blockKey: number;
  readonly expectedAtMs: number;
}

export interface HedgingParts {
  readonly store: PieceStore;
  readonly peers: ReadonlySet<Peer>;
  /** What web seeds are fetching. */
  webSeedBlocks(nowMs: number): Iterable<PendingBlock>;
  /** A web seed is idle and could take blocks that no peer will bring in time. */
  hasBackup(): boolean;
  /** Asks the peer for one more block. */
  ask(peer: Peer, blockKey: number): void;
}

export class Hedging {
  readonly #parts: HedgingParts;
  #dueInMs: ReadonlyMap<number, number> = new Map();

  constructor(parts: HedgingParts) {
    this.#parts = parts;
  }

  /** Looks at every block asked for in the urgent pieces of the window. */
  hedge(window: readonly WantedPiece[], nowMs: number): void {
    this.#dueInMs = new Map(window.filter(({ isUrgent }) => isUrgent).map(({ piece, dueInMs }) => [piece, dueInMs]));
    if (this.#dueInMs.size === 0) return;
    let hedges = 0;
    for (const [late, block] of this.#pending(nowMs)) {
      if (!this.#isLate(block, nowMs)) continue;
      if (this.#hedgeBlock(late, block, nowMs) && ++hedges >= MAX_HEDGES_PER_TICK) return;
    }
  }

  *#pending(nowMs: number): Generator<[Peer | undefined, PendingBlock]> {
    for (const peer of this.#parts.peers)
      for (const [blockKey, { expectedAtMs }] of peer.ledger.open) yield [peer, { blockKey, expectedAtMs }];
    for (const block of this.#parts.webSeedBlocks(nowMs)) yield [undefined, block];
  }

  #isLate(block: PendingBlock, nowMs: number): boolean {
    const dueInMs = this.#dueInMs.get(this.#parts.store.geometry.pieceOf(block.blockKey));
    return dueInMs !== undefined && arrivalMs(block, nowMs) > dueInMs;
  }

  /** True when a second source was asked. `late` is the peer that has it now; undefined for a web seed. */
  #hedgeBlock(late: Peer | undefined, { blockKey, expectedAtMs }: PendingBlock, nowMs: number): boolean {
    const { store } = this.#parts;
    const piece = store.active.get(store.geometry.pieceOf(blockKey));
    if (piece === undefined || piece.exclusiveTo !== undefined) return false;
    const block = blockKey - store.geometry.blockKey(piece.index, 0);
    if (piece.askers(block) !== 1) return false;
    const lateMs = arrivalMs({ blockKey, expectedAtMs }, nowMs);
    const best = this.#quickestFor(piece.index, late);
    if (best !== undefined && best.pipeline.arrivalMs(unstoppableBytes(best)) * TOLERATED_LATENESS < lateMs) {
      this.#makeWay(best);
      piece.ask(block);
      this.#parts.ask(best, blockKey);
      return true;
    }
    const isHopeless = best === undefined && lateMs === Number.POSITIVE_INFINITY;
    if (isHopeless && this.#parts.hasBackup()) late?.cancel([blockKey], true);
    return false;
  }

  #quickestFor(piece: number, except: BlockSource | undefined): Peer | undefined {
    let best: Peer | undefined;
    let bestMs = Number.POSITIVE_INFINITY;
    for (const peer of this.#parts.peers) {
      if (peer === except || peer.isSnubbed || !peer.mayRequest || !peer.serves(piece)) continue;
      const peerMs = peer.pipeline.arrivalMs(unstoppableBytes(peer));
      if (peer.ledger.size >= peer.requestQueueLimit || peerMs >= bestMs) continue;
      best = peer;
      bestMs = peerMs;
    }
    return best;
  }

  /** Takes back what the peer has queued but can hardly have sent yet, unless it is urgent itself. */
  #makeWay(peer: Peer): void {
    const { geometry } = this.#parts.store;
    const stoppable = [...peer.ledger.open.keys()].slice(peer.pipeline.blocksUnderWay);
    const cancelled = stoppable.filter((blockKey) => !this.#dueInMs.has(geometry.pieceOf(blockKey)));
    if (cancelled.length > 0) peer.cancel(cancelled);
  }
}

/** Time until a block should be here; Infinity when it should have been long ago. */
function arrivalMs({ expectedAtMs }: PendingBlock, nowMs: number): number {
  return nowMs > expectedAtMs + LATE_AFTER_MS ? Number.POSITIVE_INFINITY : Math.max(0, expectedAtMs - nowMs);
}

/** What is ahead of a new request even when all that can be taken back is. */
function unstoppableBytes(peer: Peer): number {
  return Math.min(peer.queuedBytes, peer.pipeline.blocksUnderWay * BLOCK_BYTES);
}
