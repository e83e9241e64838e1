/**
 * Another source for urgent blocks that will come too late while a peer is quicker: requests that can be taken back change
 * hands, others are doubled, and the first answer cancels the other. Whoever helps puts the urgent block ahead of what it
 * can still take back, and what it was given counts as its load: help never piles up on one peer.
 */
import { SECOND_MS } from '../base/units.ts';
import { BLOCK_BYTES } from '../codec/wire.ts';
import { isWorthHedging, owedArrivalsMs } from './arrival.ts';
import type { Peer } from './peer.ts';
import type { PieceStore } from './piece-store.ts';
import { ReadingWindow } from './reading-window.ts';

/** A source this far behind its own estimate keeps a reader waiting. */
const LATE_AFTER_MS = 60;
/** It gets nothing urgent for so long, unless it delivers: or it would be given what was just taken from it. */
const TARDY_MS = SECOND_MS;
const MAX_HEDGES = 64;
/** Sources asked for one block at the same time. */
const MAX_SOURCES = 3;
/** A peer that lets its requests lapse so often in a row is forsaken. */
const MAX_LAPSES = 2;

/** A block that a source still owes. */
export interface PendingBlock {
  readonly blockKey: number;
  /** When it should be here, ms from now. */
  readonly arrivesInMs: number;
  /** How long the source is behind its own estimate, in ms. */
  readonly overdueMs: number;
  /** It can hardly have been sent yet: a cancel saves its bytes. */
  readonly isStoppable: boolean;
}

/** What hedging looks at and changes in a peer. */
export type HedgedPeer = Pick<
  Peer,
  | 'ledger'
  | 'pipeline'
  | 'lastBlockAtMs'
  | 'isSnubbed'
  | 'tardyUntilMs'
  | 'mayRequest'
  | 'requestQueueLimit'
  | 'serves'
  | 'cancel'
>;

interface OwedBlock<P> extends PendingBlock {
  /** Undefined for a web seed. */
  readonly peer: P | undefined;
}

export interface HedgingParts<P extends HedgedPeer> {
  readonly store: Pick<PieceStore, 'active' | 'geometry'>;
  readonly peers: ReadonlySet<P>;
  /** What web seeds are fetching. */
  webSeedBlocks(nowMs: number): Iterable<PendingBlock>;
  /** When an idle web seed would have a block here, ms from now; Infinity without one. */
  backupArrivalMs(): number;
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
    const late = [...this.#soonest(nowMs)].filter(({ blockKey, arrivesInMs }) => {
      const dueAtMs = this.#urgentDueAtMs(blockKey);
      return dueAtMs !== undefined && nowMs + arrivesInMs > dueAtMs;
    });
    late.sort((a, b) => b.arrivesInMs - a.arrivesInMs);
    let hedges = 0;
    for (const block of late) if (this.#hedgeBlock(block, nowMs) && ++hedges >= MAX_HEDGES) return;
  }

  /** Each block that somebody was asked for, by the source that should bring it first. */
  #soonest(nowMs: number): Iterable<OwedBlock<P>> {
    const soonest = new Map<number, OwedBlock<P>>();
    for (const owed of this.#owed(nowMs)) {
      const known = soonest.get(owed.blockKey);
      if (known === undefined || owed.arrivesInMs < known.arrivesInMs) soonest.set(owed.blockKey, owed);
    }
    return soonest.values();
  }

  *#owed(nowMs: number): Generator<OwedBlock<P>> {
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
  #hedgeBlock(block: OwedBlock<P>, nowMs: number): boolean {
    const { store } = this.#parts;
    const { peer: late, blockKey, arrivesInMs, overdueMs } = block;
    const piece = store.active.get(store.geometry.pieceOf(blockKey));
    if (piece === undefined || piece.exclusiveTo !== undefined) return false;
    const blockInPiece = blockKey - store.geometry.blockKey(piece.index, 0);
    const askers = piece.askers(blockInPiece);
    if (askers === 0 || askers >= MAX_SOURCES) return false; // 0: here already, though a web seed goes on with it
    const best = this.#quickestFor(piece.index, blockKey, nowMs);
    if (best !== undefined && isWorthHedging(arrivesInMs, best.arrivesInMs)) {
      if (late !== undefined && overdueMs > LATE_AFTER_MS) late.tardyUntilMs = nowMs + TARDY_MS;
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

  #quickestFor(piece: number, blockKey: number, nowMs: number): { peer: P; arrivesInMs: number } | undefined {
    let best: { peer: P; arrivesInMs: number } | undefined;
    for (const peer of this.#parts.peers) {
      if (peer.ledger.has(blockKey) || !isReliable(peer, nowMs) || !peer.mayRequest || !peer.serves(piece)) continue;
      const arrivesInMs = peer.pipeline.arrivalMs(this.#bytesAhead(peer));
      if (peer.ledger.size >= peer.requestQueueLimit || (best !== undefined && arrivesInMs >= best.arrivesInMs))
        continue;
      best = { peer, arrivesInMs };
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

/** What the peer was asked for, in that order. */
function* owedBy<P extends HedgedPeer>(peer: P, nowMs: number): Generator<OwedBlock<P>> {
  const { pipeline, ledger } = peer;
  const [oldest] = ledger.open.values();
  if (oldest === undefined) return;
  pipeline.waited(nowMs);
  const blockMs = BLOCK_BYTES / pipeline.bytesPerMs;
  const headInMs = Math.max(peer.lastBlockAtMs + blockMs, oldest.sentAtMs + pipeline.delayMs) - nowMs;
  const arrivals = owedArrivalsMs(headInMs, blockMs);
  const overdueMs = Math.max(0, -headInMs);
  let unsent = -pipeline.blocksUnderWay;
  for (const blockKey of ledger.open.keys())
    yield { peer, blockKey, arrivesInMs: arrivals.next().value, overdueMs, isStoppable: unsent++ >= 0 };
}

/** It delivers nothing: silent for long, or twice over it let lapse what it was asked for. */
export function isForsaken(peer: Pick<Peer, 'isSnubbed' | 'ledger'>): boolean {
  return peer.isSnubbed || peer.ledger.lapses >= MAX_LAPSES;
}

/** How often a forsaken peer let its requests lapse in a row; 0 for any other. */
export function lapsesOf(peer: Pick<Peer, 'isSnubbed' | 'ledger'>): number {
  return isForsaken(peer) ? peer.ledger.lapses : 0;
}

/** It may be trusted with something urgent. */
export function isReliable(peer: Pick<Peer, 'isSnubbed' | 'tardyUntilMs'>, nowMs: number): boolean {
  return !peer.isSnubbed && nowMs >= peer.tardyUntilMs;
}
