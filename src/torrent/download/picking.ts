/**
 * Which blocks one peer should be asked for: what readers wait for, where the peer is quick enough; then pieces begun;
 * then the rarest; at the very end what others are busy with. It marks blocks as asked and sends nothing.
 */
import type { Clock } from '../../base/clock.ts';
import { BLOCK_BYTES } from '../../codec/wire.ts';
import type { Peer } from '../peer/peer.ts';
import type { ActivePiece } from '../pieces/active-piece.ts';
import type { PieceStore } from '../pieces/piece-store.ts';
import { BLOCKWISE_SPAN_BLOCKS, leadTimeMs, type ReadingWindow, type WantedSpan } from '../reading/reading-window.ts';
import { isEarly, isTimely, jointArrivalMs } from './arrival.ts';
import type { Availability } from './availability.ts';
import { isForsaken, isReliable } from './reliability.ts';
import type { Wishes } from './wishes.ts';

const ENDGAME_BATCH = 8;
/** Sources asked for one block in endgame. */
const MAX_DUPLICATES = 3;

type BlockFilter = (block: number) => boolean;

/** It was late and has not made that good: nothing urgent is asked of it where others are. */
function isDoubtful(peer: Pick<Peer, 'punctuality'>, span: WantedSpan): boolean {
  return span.isUrgent && peer.punctuality.isInDoubt;
}

/** What both let through; undefined lets everything through. */
function joined(one: BlockFilter | undefined, other: BlockFilter | undefined): BlockFilter | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return (block) => one(block) && other(block);
}

export interface PickingParts {
  readonly clock: Clock;
  readonly store: PieceStore;
  readonly peers: ReadonlySet<Peer>;
  readonly availability: Availability;
  readonly wishes: Wishes;
  /** What readers wait for. */
  window(): ReadingWindow;
  /** Whether the piece is worth fetching now. */
  wants(piece: number): boolean;
  /** Begins a piece for the peer; undefined when it may not have it. */
  open(piece: number, peer: Peer): ActivePiece | undefined;
  /** A web seed gives part of its run back to an idle peer; false when none has much left. */
  shareBackup(peer: Peer): boolean;
}

export class Picking {
  readonly #parts: PickingParts;

  constructor(parts: PickingParts) {
    this.#parts = parts;
  }

  /** When the peers whose speed is known would have delivered `sizeBytes`, ms from now; Infinity without any. */
  swarmArrivalMs(piece: number, sizeBytes: number): number {
    return jointArrivalMs(this.#measuredSourcesOf(piece), sizeBytes);
  }

  /** How early, in ms, what is to be read at a position should be asked for. */
  leadMsAt(position: number): number {
    const { store } = this.#parts;
    const piece = store.geometry.pieceAt(position);
    const idle = this.#measuredSourcesOf(piece).map(({ pipeline }) => ({ pipeline, queuedBytes: 0 }));
    const wholeBytes = store.geometry.pieceBytes(piece);
    const spanBytes = store.isBlockwise(piece) ? BLOCKWISE_SPAN_BLOCKS * BLOCK_BYTES : wholeBytes;
    return leadTimeMs(jointArrivalMs(idle, spanBytes));
  }

  /** Up to `room` blocks for the peer, marked as asked; for a peer that has none, at last what others are busy with. */
  pick(peer: Peer, room: number): number[] {
    const blockKeys: number[] = [];
    this.#pickFree(peer, room, blockKeys);
    if (blockKeys.length > 0 || peer.ledger.size > 0) return this.#stillAsked(blockKeys);
    if (this.#parts.shareBackup(peer)) this.#pickFree(peer, room, blockKeys);
    if (blockKeys.length === 0 && this.#parts.wishes.fetchesAhead) this.#pickEndgame(peer, room, blockKeys);
    return this.#stillAsked(blockKeys);
  }

  /** Without blocks of a piece that was given up, for want of memory, for one picked after it. */
  #stillAsked(blockKeys: readonly number[]): number[] {
    const { geometry, active } = this.#parts.store;
    return [...new Set(blockKeys)].filter((blockKey) => {
      const piece = active.get(geometry.pieceOf(blockKey));
      return piece !== undefined && piece.askers(blockKey - geometry.blockKey(piece.index, 0)) > 0;
    });
  }

  #pickFree(peer: Peer, room: number, into: number[]): void {
    this.#pickWindow(peer, room, into);
    if (!this.#parts.wishes.fetchesAhead) return;
    this.#pickBegun(peer, room, into);
    this.#pickRarest(peer, room, into);
  }

  #pickWindow(peer: Peer, room: number, into: number[]): void {
    const { store } = this.#parts;
    for (const span of this.#parts.window().spans) {
      if (into.length >= room) return;
      if (!store.isMissing(span.piece) || !peer.serves(span.piece)) continue;
      const begun = store.active.get(span.piece);
      const free = begun?.freeIn(span.fromBlock, span.untilBlock) ?? span.untilBlock - span.fromBlock;
      if (free === 0 || !this.#isTimely(peer, span, free, into.length)) continue;
      const active = this.#parts.open(span.piece, peer);
      if (active !== undefined) this.#take(peer, active, room, into, span);
    }
  }

  /** A slow peer must not take a block that the others would bring sooner, but should help where it can. */
  #isTimely(peer: Peer, span: WantedSpan, freeBlocks: number, picked: number): boolean {
    const nowMs = this.#parts.clock.monotonicMs();
    const dueInMs = span.dueAtMs - nowMs;
    const ownMs = peer.pipeline.arrivalMs(peer.queuedBytes + picked * BLOCK_BYTES);
    const mayBeTrusted = isReliable(peer, nowMs) && !isDoubtful(peer, span);
    if (mayBeTrusted && isEarly(ownMs, dueInMs)) return true;
    const others = this.#sourcesOf(span.piece).filter(
      (other) => other !== peer && !isDoubtful(other, span) && this.#mayTakeNext(other, span),
    );
    if (!mayBeTrusted) return others.length === 0;
    return isTimely({ ownMs, othersMs: jointArrivalMs(others, freeBlocks * BLOCK_BYTES), dueInMs });
  }

  /** It did not let the next free block of the span lapse: of who did, nothing is to be expected. */
  #mayTakeNext(peer: Peer, { piece, fromBlock, untilBlock }: WantedSpan): boolean {
    const active = this.#parts.store.active.get(piece);
    if (active === undefined || active.lapses.isEmpty) return true;
    const next = active.firstFreeIn(fromBlock, untilBlock);
    return next === undefined || !active.lapses.has(next, peer);
  }

  #pickBegun(peer: Peer, room: number, into: number[]): void {
    for (const active of this.#parts.store.active.values()) {
      if (into.length >= room) return;
      if (active.freeBlocks === 0 || !peer.serves(active.index) || !this.#parts.wants(active.index)) continue;
      if (active.exclusiveTo === undefined || active.exclusiveTo === peer) this.#take(peer, active, room, into);
    }
  }

  /** What readers need is given out by `#pickWindow` alone: who is too slow for it, or in doubt, gets none by other ways. */
  #isUnread(piece: number): BlockFilter | undefined {
    const window = this.#parts.window();
    return window.hasPiece(piece) ? (block) => window.spanOf(piece, block) === undefined : undefined;
  }

  #pickRarest(peer: Peer, room: number, into: number[]): void {
    const window = this.#parts.window();
    while (into.length < room) {
      const piece = this.#parts.availability.pick(peer, (candidate) => window.hasPiece(candidate));
      if (piece === undefined) return;
      const active = this.#parts.open(piece, peer);
      if (active === undefined) return;
      this.#take(peer, active, room, into);
    }
  }

  /**
   * Which of the piece's blocks the peer may be asked for; undefined: each. One that it let lapse is for others, where
   * any are idle; for a reader, where any are reliable.
   */
  #openTo(peer: Peer, { index, lapses, exclusiveTo }: ActivePiece, isRead = false): BlockFilter | undefined {
    if (lapses.isEmpty || exclusiveTo !== undefined) return undefined;
    const others = isRead
      ? this.#sourcesOf(index)
      : [...this.#parts.peers].filter(({ ledger, mayRequest }) => ledger.size === 0 && mayRequest);
    const able = others.filter((other) => other !== peer && other.serves(index));
    return (block) => !lapses.has(block, peer) || able.every((other) => lapses.has(block, other));
  }

  /** How many peers that deliver nothing were asked for each block. */
  #countForsaken(): Map<number, number> {
    const counts = new Map<number, number>();
    for (const peer of this.#parts.peers) {
      if (!isForsaken(peer)) continue;
      for (const blockKey of peer.ledger.open.keys()) counts.set(blockKey, (counts.get(blockKey) ?? 0) + 1);
    }
    return counts;
  }

  /** All that is left is on its way from others: ask for the same blocks, too. */
  #pickEndgame(peer: Peer, room: number, into: number[]): void {
    if (this.#parts.availability.size > 0) return;
    const { geometry, active } = this.#parts.store;
    // Those that deliver nothing take no places from those that might.
    const forsaken = isForsaken(peer) ? undefined : this.#countForsaken();
    for (const piece of active.values()) {
      if (!peer.serves(piece.index) || piece.exclusiveTo !== undefined) continue;
      const isOpen = this.#openTo(peer, piece);
      for (let block = 0; block < piece.blockCount; block++) {
        if (into.length >= Math.min(room, ENDGAME_BATCH)) return;
        const askers = piece.askers(block);
        if (askers === 0 || !piece.mayAsk(block) || isOpen?.(block) === false) continue;
        const blockKey = geometry.blockKey(piece.index, block);
        if (askers - (forsaken?.get(blockKey) ?? 0) >= MAX_DUPLICATES) continue;
        piece.ask(block);
        into.push(blockKey);
      }
    }
  }

  #take(peer: Peer, active: ActivePiece, room: number, into: number[], span?: WantedSpan): void {
    const { geometry } = this.#parts.store;
    const isOpen = joined(
      this.#openTo(peer, active, span !== undefined),
      span === undefined ? this.#isUnread(active.index) : undefined,
    );
    const { fromBlock, untilBlock } = span ?? { fromBlock: 0, untilBlock: active.blockCount };
    while (into.length < room) {
      const block = active.firstFreeIn(fromBlock, untilBlock, isOpen);
      if (block === undefined) return;
      active.ask(block);
      into.push(geometry.blockKey(active.index, block));
    }
  }

  #sourcesOf(piece: number): Peer[] {
    const nowMs = this.#parts.clock.monotonicMs();
    return [...this.#parts.peers].filter((peer) => peer.mayRequest && isReliable(peer, nowMs) && peer.serves(piece));
  }

  #measuredSourcesOf(piece: number): Peer[] {
    return this.#sourcesOf(piece).filter((peer) => peer.pipeline.isMeasured);
  }
}
