/**
 * A torrent whose metadata is known: its pieces, their download and its readers. It joins the parts and holds the
 * order of events: verified → readers; held → peers are told; bad → blame; all held → synced → done.
 */
import { Cancelled, Conflict, NotFound } from '../base/errors.ts';
import { Bitfield } from '../codec/bitfield.ts';
import type { VerifiedLayers } from '../codec/piece-layers.ts';
import type { TorrentInfo } from '../codec/torrent-info.ts';
import { BLOCK_BYTES } from '../codec/wire.ts';
import type { ActivePiece, BlockSource } from './active-piece.ts';
import { Availability } from './availability.ts';
import type { ReceivedBlock } from './block-intake.ts';
import { Completion } from './completion.ts';
import { Downloader } from './downloader.ts';
import { Geometry } from './geometry.ts';
import { ContentHashes } from './content-hashes.ts';
import { inspectPiece, type ContentInspection } from './inspection.ts';
import type { Peer } from './peer.ts';
import { PieceStore } from './piece-store.ts';
import type { PieceStorage, RangeSource } from './ports.ts';
import type { ReadOptions } from './reader.ts';
import { Readers } from './readers.ts';
import { ReadingWindow } from './reading-window.ts';
import type { Shared } from './shared.ts';
import { Suspicions } from './suspicion.ts';
import type { OpenedStorage } from './torrent-types.ts';
import type { Traffic } from './traffic.ts';
import { Upkeep, type RecheckOptions } from './upkeep.ts';
import { verifierFor } from './verify.ts';
import { WebSeed } from './web-seed.ts';
import { WebSeeding, type WebSeedUse } from './web-seeding.ts';
import { Wishes, type FileChoice, type TorrentMode } from './wishes.ts';

export interface ContentHost {
  readonly shared: Shared;
  readonly traffic: Traffic;
  readonly peers: ReadonlySet<Peer>;
  reclaimMemory(): boolean;
  held(piece: number): void;
  /** These pieces are not in storage any more. */
  lost(pieces: readonly number[]): void;
  /** Every piece was looked at. */
  checked(): void;
  /** All that was to be fetched is in storage and synced. */
  done(): void;
  /** We want nothing any more, or something again. */
  uploadOnlyChanged(): void;
  convict(source: BlockSource): void;
  /** The peer knows the v2 half of the torrent (BEP 52). */
  speaksV2(peer: Peer): boolean;
  failed(error: unknown): void;
  /** There is something to do: tick again. */
  wake(): void;
}

export interface ContentParts {
  readonly info: TorrentInfo;
  /** Whether the torrent's v2 hashes count: not where it was asked for by its v1 hash alone. */
  readonly usesV2: boolean;
  /** Absent where peers have to deliver them. */
  readonly pieceLayers: VerifiedLayers | undefined;
  readonly storage: PieceStorage;
  readonly have: OpenedStorage['have'];
  readonly mode: TorrentMode;
  /** Which files are wanted how much, over the default of all normally. */
  readonly choices: readonly FileChoice[];
  readonly isPaused: boolean;
  readonly webSeedUse: WebSeedUse;
  readonly host: ContentHost;
}

export class Content {
  readonly info: TorrentInfo;
  readonly store: PieceStore;
  readonly downloader: Downloader;
  readonly wishes: Wishes;
  readonly upkeep: Upkeep;
  readonly #completion: Completion;
  readonly #host: ContentHost;
  readonly #stopping = new AbortController();
  readonly #suspicions: Suspicions;
  readonly #webSeeding: WebSeeding;
  readonly #webSeeds = new Map<string, WebSeed>();
  readonly #readers: Readers;
  readonly #hashes: ContentHashes<Peer> | undefined;
  #error: unknown;
  #recheck: Promise<void> | undefined;
  #isStopped = false;

  constructor(parts: ContentParts) {
    const { info, host } = parts;
    const { shared } = host;
    const have = heldPieces(parts.have, info.pieceCount);
    this.info = info;
    this.#host = host;
    this.#suspicions = new Suspicions(shared.ports.hasher);
    const geometry = Geometry.of(info);
    const hashes = parts.usesV2 && info.version !== 'v1' ? this.#createHashes(parts, geometry, have) : undefined;
    this.#hashes = hashes;
    this.store = new PieceStore({
      geometry,
      verifier: verifierFor(info, hashes?.trees, shared.ports.hasher, (piece, leaves) =>
        hashes?.leaves.keep(piece, leaves),
      ),
      ...(hashes && {
        leaves: {
          hasher: shared.ports.hasher,
          leavesOf: (piece: number) => hashes.leaves.cached(piece),
          expects: (piece: number) => hashes.expectsLeaves(piece),
        },
      }),
      storage: parts.storage,
      have,
      pool: shared.pieceBuffers,
      hashJobs: shared.hashJobs,
      events: {
        verified: (piece) => this.#onVerified(piece),
        grown: (piece) => this.#onReadable(piece),
        blockRejected: (piece, block, source) => this.#onBadBlock(piece, block, source),
        held: (piece) => this.#onHeld(piece),
        failed: (piece) => this.#onBad(piece),
        missing: (piece) => this.downloader.pieceMissing(piece),
        released: () => this.downloader.roomAgain(),
        storageFailed: (error) => this.#fail(error),
      },
    });
    this.wishes = new Wishes({ info, have, mode: parts.mode, choices: parts.choices });
    if (parts.isPaused) this.wishes.setPaused(true);
    const limits = {
      allowance: () => (this.#error === undefined ? host.traffic.downloadAllowance() : 0),
      charge: (sizeBytes: number) => host.traffic.chargeDownload(sizeBytes),
    };
    this.downloader = new Downloader({
      ...limits,
      clock: shared.ports.clock,
      store: this.store,
      peers: host.peers,
      availability: new Availability(this.store.geometry.pieceCount, shared.ports.random),
      suspicions: this.#suspicions,
      wishes: this.wishes,
      reclaimMemory: () => host.reclaimMemory(),
      webSeedBlocks: (nowMs) => [...this.#webSeeds.values()].flatMap((seed) => seed.pending(nowMs)),
      backupArrivalMs: () => this.#backupArrivalMs(),
      shareBackup: (peer) => [...this.#webSeeds.values()].some((seed) => seed.share((piece) => peer.serves(piece))),
    });
    this.#webSeeding = new WebSeeding({
      ...limits,
      store: this.store,
      downloader: this.downloader,
      use: parts.webSeedUse,
      wishes: this.wishes,
      swarmSilentMs: (nowMs) => nowMs - host.traffic.peerBlockAtMs,
    });
    this.upkeep = new Upkeep({
      store: this.store,
      clock: shared.ports.clock,
      buffers: shared.pieceBuffers,
      maxJobs: shared.limits.maxHashJobs,
      window: () => this.downloader.window.spans,
      reclaimMemory: () => host.reclaimMemory(),
      found: (piece) => this.#onFound(piece),
      lost: (pieces) => this.#onLost(pieces),
      changed: (piece) => this.downloader.pieceMissing(piece),
    });
    this.#readers = new Readers({
      store: this.store,
      nowMs: () => shared.ports.clock.monotonicMs(),
      windowMoved: (isJump) => this.#windowMoved(isJump),
    });
    this.#completion = new Completion({
      have,
      wishes: this.wishes,
      isRead: () => this.downloader.isRead,
      isChecking: () => this.upkeep.isChecking,
      finished: () => this.#onFinished(),
      uploadOnlyChanged: () => host.uploadOnlyChanged(),
    });
    if (parts.have === 'check') this.recheck({}).catch((error: unknown) => this.#fail(error));
    hashes?.start();
  }

  /** What serves and fetches hashes; undefined in v1. */
  get hashes(): ContentHashes<Peer> | undefined {
    return this.#hashes;
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
    return this.isWanting && (this.#readers.count > 0 || this.#webSeeds.size > 0);
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

  /**
   * Reads back and hashes everything; resolves when each piece counts as what it is.
   * @throws Conflict while another recheck runs, Cancelled when aborted or stopped, HashMismatch
   */
  async recheck(options: RecheckOptions): Promise<void> {
    const { signal: stopped } = this.#stopping;
    const signal = options.signal === undefined ? stopped : AbortSignal.any([options.signal, stopped]);
    this.upkeep.begin();
    const running = this.upkeep.run({ ...options, signal });
    this.#recheck = running;
    await running;
    this.#completion.checked();
    this.#host.checked();
  }

  /** Lets go what is held of [first, last] and wanted by nobody; resolves with those pieces when nobody reads them any more. */
  dropPieces(first: number, last: number): Promise<readonly number[]> {
    const { window } = this.downloader;
    return this.upkeep.drop(first, last, (piece) => !this.wishes.wants(piece) && !window.hasPiece(piece));
  }

  addWebSeed(source: RangeSource): void {
    if (this.#webSeeds.has(source.label) || this.#isStopped) return;
    const { shared } = this.#host;
    const seed = new WebSeed(shared.nextSourceId(), source, {
      store: this.store,
      nowMs: () => shared.ports.clock.monotonicMs(),
      received: (from, piece, block, otherAskers, sizeBytes) => {
        this.#host.traffic.httpBlock(sizeBytes);
        const blockKey = this.store.geometry.blockKey(piece.index, block);
        this.downloader.received(from, { blockKey, piece, otherAskers, isNew: true, wasOpen: true });
      },
      idle: () => this.#employWebSeeds(),
      released: (from, blockKeys) => this.downloader.released(from, blockKeys, from.current === undefined),
      failed: (from, error) => shared.ports.log.info('webseed.failed', { source: from.source.label, error }),
    });
    this.#webSeeds.set(source.label, seed);
    this.#host.wake();
    this.#employWebSeeds();
  }

  /** @throws ProtocolError when what the peer said before does not fit the torrent. */
  addPeer(peer: Peer): void {
    peer.attach(this.store);
    if (peer.pieces.have?.isEmpty === false) this.downloader.peerGained(peer, undefined);
    this.#hashes?.peerCame();
  }

  peerLeft(peer: Peer): void {
    this.downloader.peerLeft(peer);
    this.#hashes?.peerLeft(peer);
  }

  received(peer: Peer, block: ReceivedBlock): void {
    if (block.isNew) this.downloader.received(peer, block);
    else this.downloader.receivedInVain(peer, block);
  }

  /** Ten times a second while active. What hedging frees goes to web seeds before peers are asked again. */
  tick(nowMs: number): void {
    this.#hashes?.tick(nowMs);
    if (!this.isWanting) return;
    // Time brings needs nearer, and sources change their speed.
    if (this.#readers.count > 0) this.#moveWindow(false);
    this.downloader.hedge(nowMs);
    for (const seed of this.#webSeeds.values()) this.#webSeeding.yieldToSwarm(seed, nowMs);
    this.#employWebSeeds();
    this.downloader.fillAll();
  }

  /** Once a second while active. */
  check(nowMs: number): void {
    this.downloader.checkStalls(nowMs);
    this.downloader.updateInterest();
    for (const seed of this.#webSeeds.values()) seed.checkStall(nowMs);
    this.#completion.checkUploadOnly();
  }

  inspect(): ContentInspection {
    const { geometry, have, active, checking, verified } = this.store;
    return {
      pieceCount: geometry.pieceCount,
      blocksPerPiece: geometry.blocksPerPiece,
      held: (piece) => have.has(piece),
      active: [...active.values()].map(inspectPiece),
      checking: [...checking],
      verified: [...verified],
      webSeeds: [...this.#webSeeds.values()].map((seed) => ({
        label: seed.source.label,
        isBanned: seed.isBanned,
        asked: seed.askedBlocks,
      })),
      readers: this.#readers.count,
    };
  }

  /** Ends readers and downloads; nothing of this torrent is in memory afterwards. Storage stays open: it is the caller's. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopping.abort(new Cancelled('the torrent was stopped'));
    this.#readers.failAll(new Cancelled('the torrent was stopped'));
    this.downloader.stop();
    await Promise.all([...this.#webSeeds.values()].map((seed) => seed.stop()));
    await Promise.allSettled([this.#recheck]);
    await this.#hashes?.stop();
    await this.store.stop();
  }

  /** Only what changed is touched: requests for what is still wanted go on. */
  #wish(change: () => readonly number[]): void {
    const changed = change();
    this.#failUnfetchable();
    if (this.downloader.hasReaders || this.#readers.count > 0) this.#windowMoved(false);
    this.downloader.wishesChanged(changed);
    for (const seed of this.#webSeeds.values()) this.#webSeeding.abortUnwanted(seed);
    this.downloader.updateInterest();
    this.#completion.wishesChanged();
    this.#completion.checkUploadOnly();
    this.#host.wake();
    this.#employWebSeeds();
    this.downloader.fillAll();
  }

  /** Ends readers for which some bytes are missing that may not be fetched. */
  #failUnfetchable(): void {
    if (this.wishes.mode !== 'seed-only' && this.#error === undefined) return;
    this.#readers.failLacking(this.#error instanceof Error ? this.#error : new NotFound('these bytes are not here'));
  }

  #windowMoved(isJump: boolean): void {
    this.#moveWindow(isJump);
    if (isJump) for (const seed of this.#webSeeds.values()) this.#webSeeding.abortStale(seed);
    // HTTP first: while the swarm is unproven, it takes the very next bytes and the peers what follows.
    this.#employWebSeeds();
    this.downloader.fillAll();
  }

  #createHashes(parts: ContentParts, geometry: Geometry, have: Bitfield): ContentHashes<Peer> {
    const { host, info, pieceLayers } = parts;
    return new ContentHashes<Peer>({
      info,
      pieceLayers,
      geometry,
      read: (views, position) => this.store.readInto(views, position),
      have,
      shared: host.shared,
      peers: host.peers,
      speaksV2: (peer) => host.speaksV2(peer),
      pieceKnown: (piece) => this.downloader.pieceMissing(piece),
      leavesLearned: (piece, leaves) => this.store.leavesLearned(piece, leaves),
      convict: (peer) => host.convict(peer),
      failed: (error) => this.#fail(error),
    });
  }

  #moveWindow(isJump: boolean): void {
    const mayFetch = this.wishes.mode !== 'seed-only' && !this.wishes.isPaused;
    const find = (): ReadingWindow =>
      mayFetch ? this.#readers.window((position) => this.downloader.picking.leadMsAt(position)) : ReadingWindow.empty;
    let window = find();
    // Where leaves are asked for, single blocks of a piece are wanted instead of the whole.
    if (this.#hashes?.windowMoved(window.spans) === true) window = find();
    this.downloader.setWindow(window, isJump || !mayFetch);
  }

  #backupArrivalMs(): number {
    const nowMs = this.#host.shared.ports.clock.monotonicMs();
    const ready = [...this.#webSeeds.values()].filter((seed) => seed.isReady(nowMs));
    return Math.min(...ready.map((seed) => seed.arrivalMs(BLOCK_BYTES)));
  }

  #employWebSeeds(): void {
    if (this.#isStopped || !this.isWanting) return;
    const nowMs = this.#host.shared.ports.clock.monotonicMs();
    for (const seed of this.#webSeeds.values()) this.#webSeeding.employ(seed, nowMs);
  }

  #onVerified(piece: ActivePiece): Promise<void> | undefined {
    this.#onReadable(piece.index);
    if (!this.#suspicions.isSuspect(piece.index)) return undefined;
    return this.#suspicions.acquitOrConvict(piece).then((guilty) => {
      for (const source of guilty) this.#host.convict(source);
    });
  }

  #onReadable(piece: number): void {
    this.#readers.pieceReadable(piece);
  }

  /** The sender of a block that does not match its leaf is a liar, and nobody else. */
  #onBadBlock(piece: ActivePiece, block: number, source: BlockSource): void {
    const { geometry } = this.store;
    this.#host.traffic.wastedBytes += geometry.blockBytes(piece.index, block);
    this.#host.shared.ports.log.info('torrent.bad_block', { piece: piece.index, block });
    this.#host.convict(source);
    this.downloader.blocksFreed();
  }

  /** A piece came. */
  #onHeld(piece: number): void {
    this.#offer(piece);
    this.#completion.fetched();
  }

  /** A piece was there all the time. */
  #onFound(piece: number): void {
    this.#offer(piece);
    this.#onReadable(piece);
  }

  #offer(piece: number): void {
    this.wishes.held(piece);
    for (const peer of this.#host.peers) peer.sayHave(piece);
    this.#host.held(piece);
  }

  /** Peers that do not know how to forget a piece have to ask again from the start (BEP 54). */
  #onLost(pieces: readonly number[]): void {
    for (const piece of pieces) this.wishes.lost(piece);
    for (const peer of this.#host.peers) {
      const unheard = pieces.filter((piece) => !peer.sayDontHave(piece));
      if (unheard.length > 0) peer.connection.close();
    }
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

  async #onBad(piece: ActivePiece): Promise<void> {
    this.#host.traffic.wastedBytes += piece.sizeBytes;
    this.#host.shared.ports.log.info('torrent.bad_piece', { piece: piece.index, sources: piece.contributors().size });
    this.#hashes?.doubt(piece.index);
    const guilty = await this.#suspicions.accuse(piece);
    if (guilty !== undefined) this.#host.convict(guilty);
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
}

function heldPieces(have: OpenedStorage['have'], pieceCount: number): Bitfield {
  if (have === 'all') return Bitfield.full(pieceCount);
  if (have === 'none' || have === 'check') return new Bitfield(pieceCount);
  if (have.length !== pieceCount) throw new Conflict('the bitfield does not fit the torrent', { pieceCount });
  return have;
}
