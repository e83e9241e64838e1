/**
 * The requests of one torrent: who is asked when (`picking` says for what), what is taken back, and what an answer, a
 * refusal or a silence means. Blocks that are late, or the very last ones, are asked of a second source, and the first
 * answer cancels the other. Everything it decides on is in memory; it sends only through `Peer`.
 */
import type { Clock } from '../../base/clock.ts';
import { MIB } from '../../base/units.ts';
import type { Inflow } from '../limits/inflow.ts';
import type { ReceivedBlock } from '../peer/block-intake.ts';
import type { Peer } from '../peer/peer.ts';
import type { ActivePiece, BlockSource } from '../pieces/active-piece.ts';
import type { PieceStore } from '../pieces/piece-store.ts';
import { ReadingWindow } from '../reading/reading-window.ts';
import { longestUnaskedFirst, quickestFirst } from './asking-order.ts';
import type { Availability } from './availability.ts';
import { idleSince, stalestOf } from './giving-up.ts';
import { Hedging } from './hedging.ts';
import type { PendingBlock } from './owed-blocks.ts';
import { Picking } from './picking.ts';
import { Relief } from './relief.ts';
import type { RequestLimits } from './request-limits.ts';
import { releaseStalled } from './stalled-sources.ts';
import type { Suspicions } from './suspicion.ts';
import { cancelPiece, cancelStale } from './taking-back.ts';
import type { Wishes } from './wishes.ts';

/** A queue no longer than this share of its limit is filled up again: many requests in one write. */
const REFILL_SHARE = 0.5;
const READING_REFILL_SHARE = 0.8;
/** Nothing delivered for this long although asked: snubbed. */
const SNUB_AFTER_MS = 10_000;
/** No further piece is begun ahead while so much waits for hash and disk: more would only fill memory and caches. */
const MAX_UNWRITTEN_BYTES = 32 * MIB;
const MAX_UNWRITTEN_PIECES = 2;
/** Peers stay interesting for so long after the last reader: a seek must not wait to be unchoked again. */
const INTEREST_LINGERS_MS = 60_000;

/** Blocks come from here, under limits. */
export interface DownloadSource extends BlockSource {
  readonly inflow: Inflow;
}

export interface DownloaderParts {
  readonly clock: Clock;
  readonly store: PieceStore;
  readonly peers: ReadonlySet<Peer>;
  readonly availability: Availability;
  readonly suspicions: Suspicions;
  readonly wishes: Wishes;
  readonly limits: RequestLimits;
  /** What web seeds are fetching. */
  webSeedBlocks(nowMs: number): Iterable<PendingBlock>;
  /** When an idle web seed would have a block here, ms from now; Infinity without one. */
  backupArrivalMs(): number;
  /** A web seed gives part of its run back to an idle peer; false when none has much left. */
  shareBackup(peer: Peer): boolean;
  /** Memory is short and a reader waits: another torrent may give some up. True when it did. */
  reclaimMemory(): boolean;
}

export class Downloader {
  readonly #parts: DownloaderParts;
  readonly #hedging: Hedging<Peer>;
  readonly #relief: Relief<Peer>;
  /** Also knows how soon the swarm could bring something. */
  readonly picking: Picking;
  #window = ReadingWindow.empty;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #fillIsDue = false;
  #hedgeIsDue = false;
  /** A piece could not be begun for want of room. */
  #isStarved = false;
  #isStopped = false;

  constructor(parts: DownloaderParts) {
    this.#parts = parts;
    this.picking = new Picking({
      clock: parts.clock,
      store: parts.store,
      peers: parts.peers,
      availability: parts.availability,
      wishes: parts.wishes,
      window: () => this.#window,
      wants: (piece) => this.wants(piece),
      open: (piece, peer) => this.open(piece, peer),
      shareBackup: (peer) => parts.shareBackup(peer),
    });
    this.#hedging = new Hedging<Peer>({
      store: parts.store,
      peers: parts.peers,
      webSeedBlocks: (nowMs) => parts.webSeedBlocks(nowMs),
      backupArrivalMs: () => parts.backupArrivalMs(),
      mayAsk: (peer) => parts.limits.blocksNow(peer, 1) > 0,
      ask: (peer, blockKey) => this.#ask(peer, [blockKey]),
    });
    this.#relief = new Relief<Peer>({
      store: parts.store,
      peers: parts.peers,
      isLastLap: () => parts.availability.size === 0 || this.#isStarved,
      room: (peer) => parts.limits.blocksNow(peer, this.#queueLimit(peer) - peer.ledger.size),
      ask: (peer, blockKey) => this.#ask(peer, [blockKey]),
    });
    parts.store.have.forEachMissing((piece) => this.#offer(piece));
  }

  /** What readers wait for. */
  get window(): ReadingWindow {
    return this.#window;
  }

  get hasReaders(): boolean {
    return !this.#window.isEmpty;
  }

  /** Somebody reads, or did a moment ago and may seek. */
  get isRead(): boolean {
    return this.hasReaders || this.#parts.clock.monotonicMs() - this.#readAtMs < INTEREST_LINGERS_MS;
  }

  /** Whether the piece is worth fetching now. */
  wants(piece: number): boolean {
    return this.#parts.store.isMissing(piece) && (this.#parts.wishes.wants(piece) || this.#window.hasPiece(piece));
  }

  /** Readers moved. On a jump everything asked for outside the new window is taken back. Asking is left to `fillAll`. */
  setWindow(window: ReadingWindow, isJump: boolean): void {
    this.#window = window;
    this.#readAtMs = this.#parts.clock.monotonicMs();
    if (!isJump) return;
    cancelStale(this.#parts.peers, this.#parts.store, { window, wishes: this.#parts.wishes });
    this.updateInterest();
  }

  /** Tells each peer whether we want something of it. While anybody reads we stay interested in everybody. */
  updateInterest(): void {
    for (const peer of this.#parts.peers) this.#updateInterest(peer);
  }

  peerGained(peer: Peer, piece: number | undefined): void {
    this.#parts.availability.gained(peer, piece);
    if (!peer.amInterested && (piece === undefined || this.wants(piece))) this.#updateInterest(peer);
    if (peer.ledger.size === 0) this.fill(peer);
  }

  peerLost(peer: Peer, piece: number): void {
    this.#parts.availability.lost(peer, piece);
    const active = this.#parts.store.active.get(piece);
    if (active?.exclusiveTo === peer) this.discard(active);
  }

  /** It may be asked for pieces it refused before. */
  peerUnchoked(peer: Peer): void {
    this.#parts.availability.refresh(peer);
    this.fill(peer);
  }

  peerLeft(peer: Peer): void {
    this.#parts.availability.left(peer);
  }

  /** Asks one peer for more once its queue is half empty; for a reader, whose queues are short, block by block. */
  fill(peer: Peer): void {
    if (this.#isStopped || !peer.mayRequest || peer.isClosed) return;
    const limit = this.#queueLimit(peer);
    if (peer.ledger.size > limit * (this.hasReaders ? READING_REFILL_SHARE : REFILL_SHARE)) return;
    const room = this.#parts.limits.blocksInTurn(peer, limit - peer.ledger.size);
    if (room <= 0) return;
    const blockKeys = this.picking.pick(peer, room);
    if (blockKeys.length > 0) this.#ask(peer, blockKeys);
    else if (peer.ledger.size === 0 && this.hasReaders) this.#hedgeSoon();
  }

  /** The peer brought something: it is asked for more, or whoever's turn it is under a limit. */
  turn(peer: Peer): void {
    if (peer.inflow.isLimited) this.#fillSoon();
    else this.fill(peer);
  }

  /** Asks everybody, the quickest first, so that urgent blocks go to them; those that deliver nothing come last. */
  fillAll(): void {
    const ordered = [...this.#parts.peers].filter((peer) => peer.mayRequest);
    ordered.sort(this.hasReaders || ordered[0]?.inflow.isLimited !== true ? quickestFirst : longestUnaskedFirst);
    for (const peer of ordered) this.fill(peer);
  }

  /** Blocks a source will not deliver: free for others. */
  released(source: DownloadSource, blockKeys: readonly number[], isGone: boolean): void {
    for (const blockKey of blockKeys) {
      const piece = this.#unask(blockKey);
      if (isGone && piece?.exclusiveTo === source) this.discard(piece);
    }
    this.#parts.limits.takenBack(source, blockKeys);
    this.#fillSoon();
  }

  /** The peer will not serve a block it was asked for: others are tried first from now on. */
  refused(peer: Peer, blockKey: number): void {
    this.#noteLapse(peer, [blockKey]);
    this.released(peer, [blockKey], peer.isChoking || peer.isSnubbed);
  }

  /** A block came that was of no use: whatever else the peer was asked of it is taken back. */
  receivedInVain(peer: Peer, block: ReceivedBlock): void {
    const { geometry, active } = this.#parts.store;
    const piece = block.wasOpen ? this.#unask(block.blockKey) : active.get(geometry.pieceOf(block.blockKey));
    const isWanted = piece?.isReceived(block.blockKey - geometry.blockKey(piece.index, 0)) === false;
    if (!isWanted) peer.cancel([block.blockKey], true);
    else this.#fillSoon();
  }

  /** A new block came: cancels its other requests and completes the piece. */
  received(source: BlockSource, block: ReceivedBlock): void {
    if (block.piece === undefined) return;
    if (block.otherAskers > 0)
      for (const peer of this.#parts.peers)
        if (peer !== source && peer.ledger.has(block.blockKey)) peer.cancel([block.blockKey]);
    const { store } = this.#parts;
    store.received(block.piece, block.blockKey - store.geometry.blockKey(block.piece.index, 0));
  }

  /** The piece is missing again after a failed hash or write. */
  pieceMissing(piece: number): void {
    cancelPiece(this.#parts.peers, this.#parts.store, piece);
    this.#offer(piece);
    this.#fillSoon();
  }

  /** A block that came was wrong and is free again, but for those who are just bringing it. */
  blockRejected(piece: ActivePiece, block: number): void {
    const blockKey = this.#parts.store.geometry.blockKey(piece.index, block);
    for (const peer of this.#parts.peers) if (peer.ledger.has(blockKey)) piece.ask(block);
    this.#fillSoon();
  }

  /** These pieces are wanted more, less or not at all from now on: what is begun goes on only where somebody wants it. */
  wishesChanged(pieces: readonly number[]): void {
    for (const piece of pieces) this.#offer(piece);
    for (const active of this.#parts.store.active.values()) if (!this.wants(active.index)) this.discard(active);
  }

  /** Memory came free: goes on where something could not be begun. */
  roomAgain(): void {
    if (!this.#isStarved) return;
    this.#isStarved = false;
    this.#fillSoon();
  }

  /** Throws away what is here of a piece and takes its requests back. */
  discard(piece: ActivePiece): void {
    this.#parts.store.drop(piece);
    this.pieceMissing(piece.index);
  }

  /** Gives up the stalest piece that no reader waits for; true when there was one. `force` also takes pieces in progress. */
  evictOne(force: boolean): boolean {
    const isKept = (piece: ActivePiece): boolean =>
      this.#window.hasPiece(piece.index) || (!force && piece.askedBlocks > 0);
    const stalest = stalestOf(this.#parts.store.active.values(), isKept);
    if (stalest !== undefined) this.discard(stalest);
    return stalest !== undefined;
  }

  /** Memory of what nobody wants any more, and nobody brought anything of since that moment, is for others. */
  giveUpUnwanted(sinceMs: number): void {
    const idle = idleSince(this.#parts.store.active.values(), sinceMs);
    for (const piece of idle) if (!this.wants(piece.index)) this.discard(piece);
  }

  /**
   * Ten times a second: what readers need is freed from sources that stopped, urgent blocks that will be late get a
   * second one, and of what is wanted unread slow sources are relieved by idle ones.
   */
  hedge(nowMs: number): void {
    releaseStalled(this.#parts.peers, this.#parts.store, this.#window, nowMs);
    this.#hedging.hedge(this.#window, nowMs);
    if (this.#parts.wishes.fetchesAhead) this.#relief.relieve(nowMs);
  }

  /** Once a second: peers that deliver nothing lose their requests, and pieces bound to such a source their bond. */
  checkStalls(nowMs: number): void {
    for (const peer of this.#parts.peers) {
      if (peer.ledger.size === 0 || nowMs - peer.lastBlockAtMs < SNUB_AFTER_MS) continue;
      peer.isSnubbed = true;
      peer.lastBlockAtMs = nowMs;
      const asked = [...peer.ledger.open.keys()];
      this.#noteLapse(peer, asked);
      peer.cancel(asked, true);
    }
    for (const piece of this.#parts.store.active.values())
      if (piece.exclusiveTo !== undefined && piece.askedBlocks === 0 && nowMs - piece.touchedAtMs > SNUB_AFTER_MS)
        this.discard(piece);
    this.giveUpUnwanted(nowMs - INTEREST_LINGERS_MS);
  }

  /** Begins a piece for a source, making room when a reader waits; undefined when it may not have it. */
  open(piece: number, source: BlockSource): ActivePiece | undefined {
    const { store, availability, suspicions } = this.#parts;
    const isSuspect = suspicions.isSuspect(piece);
    if (isSuspect && !store.active.has(piece) && this.#isBrakedBy(source, piece)) return undefined;
    const active = store.active.get(piece) ?? this.#begin(piece);
    if (active === undefined) {
      this.#isStarved = true;
      return undefined;
    }
    availability.withdraw(piece);
    if (active.receivedBlocks + active.askedBlocks === 0 && isSuspect) active.exclusiveTo ??= source;
    return active.exclusiveTo === undefined || active.exclusiveTo === source ? active : undefined;
  }

  /** Whether a piece bound to this peer would wait for somebody who delivers nothing, while others could. */
  #isBrakedBy(source: BlockSource, piece: number): boolean {
    const peers = [...this.#parts.peers];
    const isSnubbed = peers.some((peer) => peer === source && peer.isSnubbed);
    return isSnubbed && peers.some((peer) => !peer.isSnubbed && peer.mayRequest && peer.serves(piece));
  }

  stop(): void {
    this.#isStopped = true;
    this.#window = ReadingWindow.empty;
  }

  /** A piece that nobody has begun may be picked as far as it is wanted. */
  #offer(piece: number): void {
    const { store, availability, wishes } = this.#parts;
    const isFree = store.isMissing(piece) && !store.active.has(piece);
    availability.offer(piece, isFree ? wishes.levelOf(piece) : 0);
  }

  /** One source less will bring the block; returns its piece where that is begun. */
  #unask(blockKey: number): ActivePiece | undefined {
    const { geometry, active } = this.#parts.store;
    const piece = active.get(geometry.pieceOf(blockKey));
    piece?.unask(blockKey - geometry.blockKey(piece.index, 0));
    return piece;
  }

  #noteLapse(peer: Peer, blockKeys: readonly number[]): void {
    const { geometry, active } = this.#parts.store;
    peer.ledger.lapsed();
    for (const blockKey of blockKeys) {
      const piece = active.get(geometry.pieceOf(blockKey));
      piece?.lapses.add(blockKey - geometry.blockKey(piece.index, 0), peer);
    }
  }

  #ask(peer: Peer, blockKeys: readonly number[]): void {
    this.#parts.limits.asked(peer, blockKeys);
    peer.request(blockKeys);
  }

  /** Hash and disk cannot keep up with the network. */
  #lagsBehind(): boolean {
    const { unwrittenBytes, geometry } = this.#parts.store;
    return unwrittenBytes > Math.max(MAX_UNWRITTEN_BYTES, MAX_UNWRITTEN_PIECES * geometry.pieceLengthBytes);
  }

  #begin(piece: number): ActivePiece | undefined {
    const { store, clock } = this.#parts;
    const isUrgent = this.#window.hasPiece(piece);
    if (!isUrgent && this.#lagsBehind()) return undefined;
    const begun = store.open(piece, clock.monotonicMs());
    if (begun !== undefined || !store.isMissing(piece) || !this.#makeRoom(isUrgent)) return begun;
    return store.open(piece, clock.monotonicMs());
  }

  /** Gives up what nobody brings any more; for a reader also what nobody waits for. */
  #makeRoom(isUrgent: boolean): boolean {
    return this.evictOne(isUrgent) || (isUrgent && this.#parts.reclaimMemory());
  }

  #updateInterest(peer: Peer): void {
    const { store, wishes } = this.#parts;
    const have = peer.pieces.have;
    if (have === undefined || this.#isStopped) return;
    const wantsAny = wishes.wantsAnyOf(have);
    peer.setInterested(wantsAny || (this.isRead && !store.have.isComplete && have.count > 0));
  }

  #queueLimit(peer: Peer): number {
    if (peer.isSnubbed || (this.hasReaders && peer.punctuality.isInDoubt)) return 1;
    return Math.min(peer.pipeline.windowBlocks(this.hasReaders), peer.requestQueueLimit);
  }

  /** A peer has nothing left to do: it may take over what others owe a reader. */
  #hedgeSoon(): void {
    if (this.#hedgeIsDue || this.#isStopped) return;
    this.#hedgeIsDue = true;
    queueMicrotask(() => {
      this.#hedgeIsDue = false;
      if (!this.#isStopped) this.hedge(this.#parts.clock.monotonicMs());
    });
  }

  #fillSoon(): void {
    if (this.#fillIsDue || this.#isStopped) return;
    this.#fillIsDue = true;
    queueMicrotask(() => {
      this.#fillIsDue = false;
      this.fillAll();
    });
  }
}
