/**
 * A torrent whose metadata is known: its pieces, their download and its readers. It joins the parts and holds the
 * order of events: verified → readers; held → peers are told; bad → blame; all held → synced → done.
 */
import { endInTurn, endTogether } from '../../base/endings.ts';
import { Cancelled, NotFound } from '../../base/errors.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';
import { Availability } from '../download/availability.ts';
import { Blame } from '../download/blame.ts';
import { Completion } from '../download/completion.ts';
import { Downloader } from '../download/downloader.ts';
import { RequestLimits } from '../download/request-limits.ts';
import { WebSeeds } from '../download/web-seeds.ts';
import { Wishes, type FileChoice, type TorrentMode } from '../download/wishes.ts';
import type { ReceivedBlock } from '../peer/block-intake.ts';
import type { Peer } from '../peer/peer.ts';
import type { PieceStore, PieceStoreEvents } from '../pieces/piece-store.ts';
import type { PieceStorage, RangeSource } from '../ports.ts';
import type { ReadOptions } from '../reading/reader.ts';
import { Readers } from '../reading/readers.ts';
import { ReadingWindow } from '../reading/reading-window.ts';
import type { ContentHashes } from './content-hashes.ts';
import type { ContentHost, ContentParts } from './content-host.ts';
import { inspectContent, type ContentInspection } from './inspection.ts';
import { Upkeep } from './upkeep.ts';
import { openPieces } from './verified-pieces.ts';

/** More of them are looked at ten times a second, which is soon enough: what is asked for lies half a second ahead. */
const MAX_FOLLOWED_READERS = 8;

export class Content {
  readonly info: TorrentInfo;
  readonly store: PieceStore;
  /** What serves and fetches hashes; undefined in v1. */
  readonly hashes: ContentHashes<Peer> | undefined;
  readonly downloader: Downloader;
  readonly wishes: Wishes;
  readonly upkeep: Upkeep;
  readonly #host: ContentHost;
  readonly #storage: PieceStorage;
  readonly #blame: Blame;
  readonly #completion: Completion;
  readonly #readers: Readers;
  readonly #webSeeds: WebSeeds;
  #error: unknown;
  #isStopped = false;

  /** @throws Conflict for a bitfield of another length, InvalidInput for choices that `checkChoices` refuses. */
  constructor(parts: ContentParts) {
    const { info, host, opened } = parts;
    this.info = info;
    this.#host = host;
    this.#storage = opened.storage;
    const { store, hashes } = openPieces(parts, this.#pieceEvents());
    this.store = store;
    this.hashes = hashes;
    this.wishes = new Wishes({ info, have: store.have, mode: parts.mode, choices: parts.choices });
    if (parts.isPaused) this.wishes.setPaused(true);
    this.#blame = new Blame({
      ports: host.shared.ports,
      traffic: host.traffic,
      geometry: store.geometry,
      doubt: (piece) => hashes?.doubt(piece),
      convict: (peer) => host.convict(peer),
    });
    this.#readers = new Readers({
      store,
      nowMs: () => host.shared.ports.clock.monotonicMs(),
      windowMoved: (isJump) => this.#readerMoved(isJump),
    });
    const limits = new RequestLimits({
      traffic: host.traffic,
      geometry: store.geometry,
      nowMs: () => host.shared.ports.clock.monotonicMs(),
      isBarred: () => this.#error !== undefined,
    });
    this.downloader = this.#createDownloader(limits);
    this.#webSeeds = new WebSeeds({
      shared: host.shared,
      traffic: host.traffic,
      limits,
      store,
      downloader: this.downloader,
      wishes: this.wishes,
      use: parts.webSeedUse,
      isWanting: () => this.isWanting,
    });
    this.upkeep = this.#createUpkeep();
    this.#completion = new Completion({
      have: store.have,
      wishes: this.wishes,
      isRead: () => this.downloader.isRead,
      isChecking: () => this.upkeep.isChecking,
      finished: () => this.#onFinished(),
      uploadOnlyChanged: () => host.uploadOnlyChanged(),
    });
    if (opened.have === 'check') this.upkeep.recheck({}).catch((error: unknown) => this.#fail(error));
    hashes?.wantLayers((piece) => this.wishes.levelOf(piece));
  }

  get isComplete(): boolean {
    return this.store.have.isComplete;
  }

  get readerCount(): number {
    return this.#readers.count;
  }

  /** All that is to be fetched unread is here: the selected files, or everything. */
  get isDone(): boolean {
    return this.#completion.isDone;
  }

  /** Whether anything is to be fetched now. */
  get isWanting(): boolean {
    if (this.isComplete || this.#error !== undefined || this.wishes.isPaused) return false;
    return this.wishes.fetchesAhead || (this.wishes.mode !== 'seed-only' && this.#readers.count > 0);
  }

  /** Nothing is wanted of anybody for good: a seed, or one that has all it selected (BEP 21). */
  get isUploadOnly(): boolean {
    return this.#completion.isUploadOnly;
  }

  /** Whether ticks are needed even without peers. */
  get isBusy(): boolean {
    return this.isWanting && (this.#readers.count > 0 || this.#webSeeds.count > 0);
  }

  /** Streams verified bytes. @throws InvalidInput for a bad range, NotFound where nothing may be fetched and some is missing. */
  read(options: ReadOptions): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (this.#isStopped) throw new Cancelled('the torrent is stopped');
    const reader = this.#readers.open(options);
    this.#failUnfetchable();
    this.#host.wake();
    this.#windowMoved(true);
    this.#completion.checkUploadOnly();
    return reader.stream;
  }

  /** Which files are wanted how much from now on. @throws InvalidInput for a range that is none */
  prioritize(choices: readonly FileChoice[]): void {
    this.#wish(() => this.wishes.prioritize(choices));
  }

  setMode(mode: TorrentMode): void {
    this.#wish(() => this.wishes.setMode(mode));
  }

  /** Paused, nothing is fetched; readers wait. */
  setPaused(isPaused: boolean): void {
    this.#wish(() => this.wishes.setPaused(isPaused));
  }

  /** Lets go what is held of [first, last] and wanted by nobody; resolves with those pieces when nobody reads them any more. */
  dropPieces(first: number, last: number): Promise<readonly number[]> {
    const window = this.#readingWindow();
    // What cannot be fetched again is kept for the readers up to their ends.
    const isNeeded = (piece: number): boolean =>
      this.#mayFetchForReaders ? window.hasPiece(piece) : this.#readers.need(piece);
    return this.upkeep.drop(first, last, (piece) => !this.wishes.keeps(piece) && !isNeeded(piece));
  }

  /** A peer asked for these pieces, and their bytes could not be read. What is not there any more is not offered. */
  readFailed(pieces: Iterable<number>, error: unknown): void {
    const { log } = this.#host.shared.ports;
    for (const piece of new Set(pieces)) {
      log.warn('torrent.piece_unreadable', { piece, error });
      this.upkeep.lookAgain(piece);
    }
  }

  addWebSeed(source: RangeSource): void {
    if (!this.#webSeeds.add(source)) return;
    this.#host.wake();
    this.#webSeeds.employ();
  }

  /** @throws ProtocolError when what the peer said before does not fit the torrent. */
  addPeer(peer: Peer): void {
    peer.attach(this.store);
    if (peer.pieces.have?.isEmpty === false) this.downloader.peerGained(peer, undefined);
    this.hashes?.peerCame();
  }

  peerLeft(peer: Peer): void {
    this.downloader.peerLeft(peer);
    this.hashes?.peerLeft(peer);
  }

  received(peer: Peer, block: ReceivedBlock): void {
    if (block.isNew) this.downloader.received(peer, block);
    else this.downloader.receivedInVain(peer, block);
  }

  /** Ten times a second while active. What hedging frees goes to web seeds before peers are asked again. */
  tick(nowMs: number): void {
    this.hashes?.tick(nowMs);
    if (!this.isWanting) return;
    // Time brings needs nearer, and sources change their speed.
    if (this.#readers.count > 0) this.#moveWindow(false);
    this.downloader.hedge(nowMs);
    this.#webSeeds.yieldToSwarm(nowMs);
    this.#webSeeds.employ();
    this.downloader.fillAll();
  }

  /** Once a second while active. */
  check(nowMs: number): void {
    this.downloader.checkStalls(nowMs);
    this.downloader.updateInterest();
    this.#webSeeds.checkStalls(nowMs);
    this.#completion.checkUploadOnly();
  }

  inspect(): ContentInspection {
    return inspectContent(this.store, this.#webSeeds, this.#readers, this.upkeep);
  }

  /** Ends readers and downloads; nothing of this torrent is in memory afterwards. Storage stays open: it is the caller's. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const sourcesEnd = endTogether([this.upkeep.stop(), this.#webSeeds.stop()]);
    this.#readers.failAll(new Cancelled('the torrent was stopped'));
    this.downloader.stop();
    await endInTurn([() => sourcesEnd, () => this.hashes?.stop(), () => this.store.stop()]);
  }

  /** Only what changed is touched: requests for what is still wanted go on. */
  #wish(change: () => readonly number[]): void {
    const changed = change();
    this.#failUnfetchable();
    if (this.hashes?.lacksLayers === true) this.hashes.wantLayers((piece) => this.wishes.levelOf(piece));
    if (this.downloader.hasReaders || this.#readers.count > 0) this.#windowMoved(false);
    this.downloader.wishesChanged(changed);
    this.#webSeeds.abortUnwanted();
    this.downloader.updateInterest();
    this.#completion.wishesChanged();
    this.#completion.checkUploadOnly();
    this.#host.wake();
    this.#webSeeds.employ();
    this.downloader.fillAll();
  }

  /** Whether what a reader lacks is fetched for it, be it only once a pause is over. */
  get #mayFetchForReaders(): boolean {
    return this.wishes.mode !== 'seed-only' && this.#error === undefined;
  }

  /** Ends readers for which some bytes are missing that may not be fetched. */
  #failUnfetchable(): void {
    if (this.#mayFetchForReaders) return;
    this.#readers.failLacking(this.#error instanceof Error ? this.#error : new NotFound('these bytes are not here'));
  }

  /** With many readers their steps are followed by the tick alone: the window of all is made anew each time. */
  #readerMoved(isJump: boolean): void {
    if (isJump || this.#readers.count <= MAX_FOLLOWED_READERS) this.#windowMoved(isJump);
  }

  #windowMoved(isJump: boolean): void {
    this.#moveWindow(isJump);
    if (isJump) this.#webSeeds.abortStale();
    // HTTP first: while the swarm is unproven, it takes the very next bytes and the peers what follows.
    this.#webSeeds.employ();
    this.downloader.fillAll();
  }

  #readingWindow(): ReadingWindow {
    return this.#readers.window((position) => this.downloader.picking.leadMsAt(position));
  }

  #moveWindow(isJump: boolean): void {
    const mayFetch = this.wishes.mode !== 'seed-only' && !this.wishes.isPaused;
    const find = (): ReadingWindow => (mayFetch ? this.#readingWindow() : ReadingWindow.empty);
    let window = find();
    // Where leaves are asked for, single blocks of a piece are wanted instead of the whole.
    if (this.hashes?.windowMoved(window.spans) === true) window = find();
    this.downloader.setWindow(window, isJump || !mayFetch);
  }

  /** A piece came. */
  #onHeld(piece: number): void {
    this.#offer(piece);
    this.#completion.fetched();
  }

  /** A piece was there all the time. */
  #onFound(piece: number): void {
    this.#offer(piece);
    this.#readers.pieceReadable(piece);
  }

  #offer(piece: number): void {
    this.wishes.held(piece);
    this.#host.held(piece);
  }

  #onLost(pieces: readonly number[]): void {
    try {
      this.#storage.forget?.(pieces);
    } catch (error) {
      this.#fail(error);
    }
    for (const piece of pieces) this.wishes.lost(piece);
    this.#failUnfetchable();
    this.#host.lost(pieces);
    for (const piece of pieces) this.downloader.pieceMissing(piece);
    this.downloader.updateInterest();
    this.#completion.lost();
    this.#host.wake();
  }

  /** The last wanted piece is here. */
  #onFinished(): void {
    this.downloader.updateInterest();
    this.store.sync().then(
      () => this.#host.done(),
      (error: unknown) => this.#fail(error),
    );
  }

  /** Storage is full or broken: nothing more is fetched until the torrent is added again. */
  #fail(error: unknown): void {
    if (this.#error !== undefined || this.#isStopped) return;
    this.#error = error;
    // Its memory is for torrents that get on.
    for (const piece of this.store.active.values()) this.downloader.discard(piece);
    for (const peer of this.#host.peers) peer.cancel([...peer.ledger.open.keys()]);
    this.#readers.failLacking(error instanceof Error ? error : new NotFound('storage failed'));
    this.#host.failed(error);
  }

  // How the parts hear of each other.

  #pieceEvents(): PieceStoreEvents {
    return {
      verified: (piece) => {
        this.#readers.pieceReadable(piece.index);
        return this.#blame.pieceRight(piece);
      },
      grown: (piece) => this.#readers.pieceReadable(piece),
      blockRejected: (piece, block, source) => {
        this.#webSeeds.oweAgain(piece, block);
        this.downloader.blockRejected(piece, block);
        this.#blame.blockWrong(piece.index, block, source);
      },
      held: (piece) => this.#onHeld(piece),
      failed: (piece) => this.#blame.pieceWrong(piece),
      missing: (piece) => this.downloader.pieceMissing(piece),
      released: () => this.downloader.roomAgain(),
      storageFailed: (error) => this.#fail(error),
    };
  }

  #createDownloader(limits: RequestLimits): Downloader {
    const { shared, peers } = this.#host;
    return new Downloader({
      limits,
      clock: shared.ports.clock,
      store: this.store,
      peers,
      availability: new Availability(this.store.geometry.pieceCount, shared.ports.random),
      suspicions: this.#blame.suspicions,
      wishes: this.wishes,
      reclaimMemory: () => this.#host.reclaimMemory(),
      webSeedBlocks: (nowMs) => this.#webSeeds.pending(nowMs),
      backupArrivalMs: () => this.#webSeeds.arrivalMs(),
      shareBackup: (peer) => this.#webSeeds.share((piece) => peer.serves(piece)),
    });
  }

  #createUpkeep(): Upkeep {
    const { shared } = this.#host;
    return new Upkeep({
      store: this.store,
      clock: shared.ports.clock,
      buffers: shared.pieceBuffers,
      maxJobs: shared.limits.maxHashJobs,
      window: () => this.downloader.window.spans,
      reclaimMemory: () => this.#host.reclaimMemory(),
      log: shared.ports.log,
      found: (piece) => this.#onFound(piece),
      lost: (pieces) => this.#onLost(pieces),
      changed: (piece) => this.downloader.pieceMissing(piece),
      checked: () => {
        this.#completion.checked();
        this.#host.checked();
      },
    });
  }
}
