/**
 * A torrent whose metadata is known: its pieces, their download and its readers. It joins the parts and holds the
 * order of events: verified → readers; held → peers are told; bad → blame; all held → synced → done.
 */
import { Cancelled, NotFound } from '../base/errors.ts';
import type { Bitfield } from '../codec/bitfield.ts';
import type { VerifiedLayers } from '../codec/piece-layers.ts';
import type { TorrentInfo } from '../codec/torrent-info.ts';
import type { ActivePiece, BlockSource } from './active-piece.ts';
import { Availability } from './availability.ts';
import type { ReceivedBlock } from './block-intake.ts';
import { Downloader } from './downloader.ts';
import { Geometry } from './geometry.ts';
import { HashTrees } from './hash-trees.ts';
import { inspectPiece, type ContentInspection } from './inspection.ts';
import type { Peer } from './peer.ts';
import { PieceStore } from './piece-store.ts';
import type { PieceStorage, RangeSource } from './ports.ts';
import { Reader, type ReadOptions } from './reader.ts';
import { joinWindows } from './reading-window.ts';
import type { Shared } from './shared.ts';
import { Suspicions } from './suspicion.ts';
import type { Traffic } from './traffic.ts';
import { verifierFor } from './verify.ts';
import { WebSeed } from './web-seed.ts';
import { WebSeeding, type WebSeedUse } from './web-seeding.ts';

/** `all`: fetch everything. `on-demand`: only what readers want. `seed-only`: fetch nothing. */
export type TorrentMode = 'all' | 'on-demand' | 'seed-only';

export interface ContentHost {
  readonly shared: Shared;
  readonly traffic: Traffic;
  readonly peers: ReadonlySet<Peer>;
  reclaimMemory(): boolean;
  held(piece: number): void;
  done(): void;
  convict(source: BlockSource): void;
  failed(error: unknown): void;
  /** There is something to do: tick again. */
  wake(): void;
}

export interface ContentParts {
  readonly info: TorrentInfo;
  /** Absent where peers have to deliver them. */
  readonly pieceLayers: VerifiedLayers | undefined;
  readonly storage: PieceStorage;
  readonly have: Bitfield;
  readonly mode: TorrentMode;
  readonly webSeedUse: WebSeedUse;
  readonly host: ContentHost;
}

export class Content {
  readonly info: TorrentInfo;
  readonly store: PieceStore;
  readonly downloader: Downloader;
  readonly #host: ContentHost;
  readonly #mode: TorrentMode;
  readonly #suspicions: Suspicions;
  readonly #webSeeding: WebSeeding;
  readonly #webSeeds = new Map<string, WebSeed>();
  readonly #readers = new Set<Reader>();
  #error: unknown;
  #isStopped = false;

  constructor(parts: ContentParts) {
    const { info, host } = parts;
    const { shared } = host;
    this.info = info;
    this.#host = host;
    this.#mode = parts.mode;
    this.#suspicions = new Suspicions(shared.ports.hasher);
    const trees = info.version === 'v1' ? undefined : new HashTrees(info, parts.pieceLayers);
    this.store = new PieceStore({
      geometry: Geometry.of(info),
      verifier: verifierFor(info, trees, shared.ports.hasher),
      storage: parts.storage,
      have: parts.have,
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
      policy: { fetchesAll: parts.mode === 'all' },
      reclaimMemory: () => host.reclaimMemory(),
      webSeedBlocks: (nowMs) => [...this.#webSeeds.values()].flatMap((seed) => seed.pending(nowMs)),
      hasBackup: () => this.#hasIdleWebSeed(),
      shareBackup: (peer) => [...this.#webSeeds.values()].some((seed) => seed.share((piece) => peer.serves(piece))),
    });
    this.#webSeeding = new WebSeeding({
      ...limits,
      store: this.store,
      downloader: this.downloader,
      use: parts.webSeedUse,
      fetchesAll: parts.mode === 'all',
      swarmSilentMs: (nowMs) => nowMs - host.traffic.peerBlockAtMs,
    });
  }

  get isComplete(): boolean {
    return this.store.have.isComplete;
  }

  get readerCount(): number {
    return this.#readers.size;
  }

  /** Whether anything is to be fetched now. */
  get isWanting(): boolean {
    if (this.isComplete || this.#error !== undefined) return false;
    return this.#mode === 'all' || this.#readers.size > 0;
  }

  /** Whether ticks are needed even without peers. */
  get isBusy(): boolean {
    return this.isWanting && (this.#readers.size > 0 || this.#webSeeds.size > 0);
  }

  /** Streams verified bytes. @throws InvalidInput for a bad range, NotFound where nothing may be fetched and some is missing. */
  read(options: ReadOptions): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (this.#isStopped) throw new Cancelled('the torrent is stopped');
    const reader = new Reader(
      {
        store: this.store,
        windowMoved: (isJump) => this.#windowMoved(isJump),
        closed: (closed) => {
          this.#readers.delete(closed);
          this.#windowMoved(true);
        },
      },
      options,
    );
    this.#readers.add(reader);
    const isFetchable = this.#mode !== 'seed-only' && this.#error === undefined;
    if (!isFetchable && reader.lacksAny()) {
      reader.fail(this.#error instanceof Error ? this.#error : new NotFound('these bytes are not here'));
      return reader.stream;
    }
    this.#host.wake();
    this.#windowMoved(true);
    return reader.stream;
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
        this.downloader.received(from, { blockKey, piece, otherAskers, isNew: true });
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
  }

  received(peer: Peer, block: ReceivedBlock): void {
    this.downloader.received(peer, block);
  }

  /** Ten times a second while active. What hedging frees goes to web seeds before peers are asked again. */
  tick(nowMs: number): void {
    if (!this.isWanting) return;
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
      readers: this.#readers.size,
    };
  }

  /** Ends readers and downloads; nothing of this torrent is in memory afterwards. Storage stays open: it is the caller's. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const reader of this.#readers) reader.fail(new Cancelled('the torrent was stopped'));
    this.downloader.stop();
    await Promise.all([...this.#webSeeds.values()].map((seed) => seed.stop()));
    await this.store.stop();
  }

  #windowMoved(isJump: boolean): void {
    if (this.#mode === 'seed-only') return;
    this.downloader.setWindow(joinWindows([...this.#readers].map((reader) => reader.window())), isJump);
    if (isJump) for (const seed of this.#webSeeds.values()) this.#webSeeding.abortStale(seed);
    // HTTP first: while the swarm is unproven, it takes the very next bytes and the peers what follows.
    this.#employWebSeeds();
    this.downloader.fillAll();
  }

  #hasIdleWebSeed(): boolean {
    const nowMs = this.#host.shared.ports.clock.monotonicMs();
    return [...this.#webSeeds.values()].some((seed) => seed.isReady(nowMs));
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
    for (const reader of this.#readers) reader.pieceReadable(piece);
  }

  /** The sender of a block that does not match its leaf is a liar, and nobody else. */
  #onBadBlock(piece: ActivePiece, block: number, source: BlockSource): void {
    const { geometry } = this.store;
    this.#host.traffic.wastedBytes += geometry.blockBytes(piece.index, block);
    this.#host.shared.ports.log.info('torrent.bad_block', { piece: piece.index, block });
    this.#host.convict(source);
    this.downloader.blocksFreed();
  }

  #onHeld(piece: number): void {
    for (const peer of this.#host.peers) peer.sayHave(piece);
    this.#host.held(piece);
    if (!this.isComplete) return;
    this.downloader.updateInterest();
    this.store.storage.sync().then(
      () => this.#host.done(),
      (error: unknown) => this.#fail(error),
    );
  }

  async #onBad(piece: ActivePiece): Promise<void> {
    this.#host.traffic.wastedBytes += piece.sizeBytes;
    this.#host.shared.ports.log.info('torrent.bad_piece', { piece: piece.index, sources: piece.contributors().size });
    const guilty = await this.#suspicions.accuse(piece);
    if (guilty !== undefined) this.#host.convict(guilty);
  }

  /** Storage is full or broken: nothing more is fetched until the torrent is added again. */
  #fail(error: unknown): void {
    if (this.#error !== undefined || this.#isStopped) return;
    this.#error = error;
    for (const peer of this.#host.peers) peer.cancel([...peer.ledger.open.keys()]);
    for (const reader of this.#readers)
      if (reader.lacksAny()) reader.fail(error instanceof Error ? error : new NotFound('storage failed'));
    this.#host.failed(error);
  }
}
