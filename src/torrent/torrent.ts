/**
 * One torrent: its identity, its peers and, once the metadata is known, its content. Invariants: every peer in the set
 * is open; a torrent without peers, readers and wishes gets no ticks; after `stop` no timer, socket, promise or buffer
 * of it is left.
 */
import { compareBytes, toHex } from '../base/bytes.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError, Cancelled, Conflict, HashMismatch, ProtocolError, StorageFailed, TimedOut } from '../base/errors.ts';
import { swarmKeyOf, type SwarmKey } from '../base/ids.ts';
import { KIB, SECOND_MS } from '../base/units.ts';
import { Bitfield } from '../codec/bitfield.ts';
import type { ExtendedHandshake, MetadataMessage, PexMessage } from '../codec/extension.ts';
import type { Handshake } from '../codec/handshake.ts';
import type { InfoHashes } from '../codec/metainfo.ts';
import { parseTorrentInfo, type TorrentInfo } from '../codec/torrent-info.ts';
import type { BlockSource } from './active-piece.ts';
import { Candidates } from './candidates.ts';
import { Choking } from './choking.ts';
import type { Connection } from './connection.ts';
import { Content, type TorrentMode } from './content.ts';
import { handleExtended, sayExtendedHandshake } from './extensions.ts';
import { MetadataFetch, MetadataServer } from './metadata-exchange.ts';
import { Peer, type PeerHost } from './peer.ts';
import { PeerExchange } from './peer-exchange.ts';
import type { PeerAddress, PeerSocket, PieceStorage, RangeSource } from './ports.ts';
import { RateMeter, TokenBucket } from './rate.ts';
import type { ReadOptions } from './reader.ts';
import type { Shared } from './shared.ts';
import { describePeer, type PeerStats, type TorrentStats } from './stats.ts';
import { WebSeed } from './web-seed.ts';
import type { WebSeedUse } from './web-seeding.ts';

const CHECK_MS = SECOND_MS;
/** Under a limit no peer takes more than this before the others had their turn. */
const FAIR_SHARE_BYTES = 64 * KIB;
/** Something must be sent at least this often (BEP 3: two minutes, less the slack others grant). */
const KEEP_ALIVE_MS = 100 * SECOND_MS;
/** A peer that sends nothing for this long is gone. */
const SILENT_MS = 240 * SECOND_MS;

/** Where the pieces of a torrent live and which of them are there. */
export interface OpenedStorage {
  readonly storage: PieceStorage;
  /** Trusted: pieces named here are served without hashing. */
  readonly have: 'all' | 'none' | Bitfield;
}

export interface TorrentOptions extends InfoHashes {
  /** Default `all`. */
  readonly mode?: TorrentMode;
  /** Default `when-needed`. */
  readonly webSeedUse?: WebSeedUse;
  readonly webSeeds?: readonly RangeSource[];
  /** Addresses to dial; they pass the engine's filter first. */
  readonly peers?: readonly PeerAddress[];
  /** Bytes per second; default no limit beside the engine's. */
  readonly uploadBytesPerSecond?: number;
  readonly downloadBytesPerSecond?: number;
}

export interface TorrentEvents {
  /** The info dictionary is known and verified. */
  metadata: TorrentInfo;
  /** A piece is verified and in storage (not yet synced). */
  verified: { readonly piece: number };
  /** All pieces are in storage and synced. */
  done: undefined;
  peer: { readonly peer: PeerStats; readonly change: 'connected' | 'gone' };
  /** Storage failed or the metadata cannot be used; nothing more is fetched. */
  error: Error;
}

/** What a torrent needs of its engine. */
export interface TorrentHost {
  readonly shared: Shared;
  /** Ticks are needed from now on. */
  activate(torrent: Torrent): void;
  /** Opens a connection to the address; failures come back through `dialEnded`. False when too many are being opened. */
  dial(torrent: Torrent, address: PeerAddress): boolean;
  /** Takes over a socket that is open already. */
  greet(torrent: Torrent, socket: PeerSocket): void;
  /** Makes another torrent give up piece memory. */
  reclaimMemory(forTorrent: Torrent): boolean;
  connectionsChanged(by: 1 | -1): void;
  /** Whether one more connection fits the global cap. */
  hasRoom(): boolean;
  openStorage(torrent: Torrent, info: TorrentInfo): Promise<OpenedStorage>;
  stopped(torrent: Torrent): void;
}

export class Torrent {
  readonly hashes: InfoHashes;
  readonly events = new Emitter<TorrentEvents>();
  readonly #host: TorrentHost;
  readonly #options: TorrentOptions;
  readonly #peers = new Set<Peer>();
  readonly #candidates = new Candidates();
  readonly #choking: Choking;
  readonly #exchange: PeerExchange;
  readonly #metadataServer = new MetadataServer();
  readonly #metadataFetch: MetadataFetch;
  readonly #uploadBucket: TokenBucket;
  readonly #downloadBucket: TokenBucket;
  readonly #downloaded: RateMeter;
  readonly #uploaded: RateMeter;
  readonly #waiters = new Set<() => void>();
  readonly #peerHost: PeerHost;
  readonly #webSeeds: RangeSource[];
  #content: Content | undefined;
  #bytesFromPeers = 0;
  #bytesFromHttp = 0;
  #wastedBytes = 0;
  #swarmBlockAtMs: number;
  #checkedAtMs = 0;
  #isOpening = false;
  #isStopped = false;
  #stopping: Promise<void> | undefined;

  constructor(host: TorrentHost, options: TorrentOptions) {
    this.#host = host;
    this.#options = options;
    this.hashes = { ...(options.v1 && { v1: options.v1 }), ...(options.v2 && { v2: options.v2 }) };
    this.#webSeeds = [...(options.webSeeds ?? [])];
    const { ports, allowAddress } = host.shared;
    const nowMs = ports.clock.monotonicMs();
    this.#uploadBucket = new TokenBucket(options.uploadBytesPerSecond ?? Number.POSITIVE_INFINITY, nowMs);
    this.#downloadBucket = new TokenBucket(options.downloadBytesPerSecond ?? Number.POSITIVE_INFINITY, nowMs);
    this.#downloaded = new RateMeter(nowMs);
    this.#uploaded = new RateMeter(nowMs);
    this.#swarmBlockAtMs = nowMs;
    this.#exchange = new PeerExchange(allowAddress);
    this.#choking = new Choking({
      peers: this.#peers,
      random: ports.random,
      isSeeding: () => this.#content?.isComplete ?? false,
      uploadBytesPerSecond: () => Math.min(this.#uploadBucket.bytesPerSecond, host.shared.uploadBucket.bytesPerSecond),
    });
    this.#metadataFetch = new MetadataFetch({
      nowMs: () => ports.clock.monotonicMs(),
      check: (bytes, peer) => this.#checkMetadata(bytes, peer),
    });
    this.#peerHost = this.#createPeerHost();
    this.addPeers(options.peers ?? []);
  }

  /** Under which it is found on the wire: v1, then v2. */
  get keys(): SwarmKey[] {
    return [this.hashes.v1, this.hashes.v2].filter((hash) => hash !== undefined).map(swarmKeyOf);
  }

  /** The metadata, once known. */
  get info(): TorrentInfo | undefined {
    return this.#content?.info;
  }

  /** Pieces in storage; empty before the metadata is known. Live: read only. */
  get have(): Bitfield {
    return this.#content?.store.have ?? new Bitfield(0);
  }

  get isComplete(): boolean {
    return this.#content?.isComplete ?? false;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  get peerCount(): number {
    return this.#peers.size;
  }

  stats(): TorrentStats {
    const nowMs = this.#nowMs();
    const have = this.#content?.store.have;
    return {
      totalBytes: this.#content?.info.totalBytes,
      pieceCount: this.#content?.info.pieceCount,
      heldPieces: have?.count ?? 0,
      progress: have === undefined ? 0 : have.count / have.length,
      bytesFromPeers: this.#bytesFromPeers,
      bytesFromHttp: this.#bytesFromHttp,
      wastedBytes: this.#wastedBytes,
      uploadedBytes: this.#uploaded.totalBytes,
      downloadBytesPerSecond: this.#downloaded.bytesPerSecond(nowMs),
      uploadBytesPerSecond: this.#uploaded.bytesPerSecond(nowMs),
      peers: this.#peers.size,
      seeds: [...this.#peers].filter((peer) => peer.isSeed).length,
      readers: this.#content?.readerCount ?? 0,
    };
  }

  peers(): PeerStats[] {
    const nowMs = this.#nowMs();
    return [...this.#peers].map((peer) => describePeer(peer, nowMs));
  }

  /** Resolves with the metadata. @throws Cancelled when aborted or stopped first. */
  async ready(signal?: AbortSignal): Promise<TorrentInfo> {
    while (this.#content === undefined) {
      if (this.#isStopped || signal?.aborted) throw new Cancelled('waiting for the metadata was cancelled');
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiters.delete(wake);
          signal?.removeEventListener('abort', wake);
          resolve();
        };
        this.#waiters.add(wake);
        signal?.addEventListener('abort', wake, { once: true });
      });
    }
    return this.#content.info;
  }

  /**
   * Streams verified bytes of [start, endExclusive) as they come, fetching them first of all.
   * @throws Conflict before the metadata is known, InvalidInput for a range outside the torrent, Cancelled when stopped.
   */
  read(options: ReadOptions): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (this.#content === undefined) throw new Conflict('the metadata is not known yet');
    return this.#content.read(options);
  }

  /** Addresses to dial, from a tracker or a user; those the filter refuses are dropped. */
  addPeers(addresses: readonly PeerAddress[]): void {
    if (this.#isStopped) return;
    const { allowAddress, bans } = this.#host.shared;
    const nowMs = this.#nowMs();
    for (const address of addresses)
      if (allowAddress(address) && !bans.isHostBanned(address.host, nowMs)) this.#candidates.add(address, nowMs);
    this.#wake();
    this.#dialMore(nowMs);
  }

  /** Takes over an open socket to a peer of this torrent, such as a WebRTC channel: both sides send their handshake at once. */
  attach(socket: PeerSocket): void {
    if (this.#isStopped) socket.close();
    else this.#host.greet(this, socket);
  }

  addWebSeed(source: RangeSource): void {
    if (this.#isStopped) return;
    if (this.#content === undefined) this.#webSeeds.push(source);
    else this.#content.addWebSeed(source);
  }

  /** Changes the limits in bytes per second; Infinity lifts one. */
  setLimits(limits: { readonly uploadBytesPerSecond?: number; readonly downloadBytesPerSecond?: number }): void {
    const nowMs = this.#nowMs();
    if (limits.uploadBytesPerSecond !== undefined) this.#uploadBucket.limit(limits.uploadBytesPerSecond, nowMs);
    if (limits.downloadBytesPerSecond !== undefined) this.#downloadBucket.limit(limits.downloadBytesPerSecond, nowMs);
  }

  /** Closes everything and resolves when nothing of it runs any more, its storage closed. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  // For the engine.

  /** The metadata is known: opens the content. @throws Conflict when it cannot be served by this version. */
  openContent(info: TorrentInfo, opened: OpenedStorage): void {
    if (this.#content !== undefined) throw new Conflict('the torrent is open already');
    this.#content = new Content({
      info,
      storage: opened.storage,
      have: bitfieldOf(opened.have, info.pieceCount),
      mode: this.#options.mode ?? 'all',
      webSeedUse: this.#options.webSeedUse ?? 'when-needed',
      host: {
        shared: this.#host.shared,
        peers: this.#peers,
        downloadAllowance: () => this.#allowance(this.#downloadBucket, this.#host.shared.downloadBucket),
        chargeDownload: (sizeBytes) => this.#charge(this.#downloadBucket, this.#host.shared.downloadBucket, sizeBytes),
        reclaimMemory: () => this.#host.reclaimMemory(this),
        swarmSilentMs: (nowMs) => nowMs - this.#swarmBlockAtMs,
        held: (piece) => this.#onHeld(piece),
        done: () => this.#onDone(),
        convict: (source) => this.#convict(source),
        httpBytes: (sizeBytes) => {
          this.#bytesFromHttp += sizeBytes;
          this.#downloaded.add(sizeBytes, this.#nowMs());
        },
        wasted: (sizeBytes) => (this.#wastedBytes += sizeBytes),
        failed: (error) => this.#fail(error),
        wake: () => this.#wake(),
      },
    });
    for (const peer of this.#peers) this.#introduce(peer, this.#content);
    for (const source of this.#webSeeds) this.#content.addWebSeed(source);
    this.#webSeeds.length = 0;
    this.#wake();
    for (const wake of this.#waiters) wake();
    this.events.emit('metadata', info);
  }

  /** Takes a connection over after both handshakes; false for duplicates, banned peers and what exceeds the caps. */
  adopt(connection: Connection, handshake: Handshake, isOutgoing: boolean): boolean {
    const refusal = this.#refusalOf(connection, handshake, isOutgoing);
    if (refusal !== undefined) {
      connection.close(new ProtocolError(refusal));
      return false;
    }
    const { shared } = this.#host;
    const peer = new Peer({ sourceId: shared.nextSourceId(), connection, handshake, isOutgoing, host: this.#peerHost });
    this.#peers.add(peer);
    this.#host.connectionsChanged(1);
    peer.sayPieces(this.#content?.store.have);
    sayExtendedHandshake(peer, {
      listenPort: shared.listenPort,
      metadataBytes: this.#content?.info.rawInfo.length,
      isPrivate: this.#content?.info.isPrivate ?? false,
      isUploadOnly: this.isComplete,
    });
    if (this.#content !== undefined) this.#introduce(peer, this.#content);
    connection.own(peer);
    this.#wake();
    if (!connection.isClosed) this.#emitPeer(peer, 'connected');
    return true;
  }

  /** An outgoing attempt ended without a peer, or a peer that had been dialled is gone. */
  dialEnded(address: PeerAddress, wasUseful: boolean): void {
    this.#candidates.ended(address, wasUseful, this.#nowMs());
    this.#wake();
  }

  /** The address is ourselves. */
  forgetAddress(address: PeerAddress): void {
    this.#candidates.forget(address);
  }

  /** Gives up a piece in progress that no reader waits for; true when there was one. */
  giveUpMemory(): boolean {
    return this.#content?.downloader.evictOne(true) ?? false;
  }

  /** One tick; false when there is nothing to do until something happens. */
  tick(nowMs: number): boolean {
    this.#content?.tick(nowMs);
    for (const peer of this.#peers) if (peer.uploadBacklog > 0) peer.pump();
    if (nowMs - this.#checkedAtMs >= CHECK_MS) {
      this.#checkedAtMs = nowMs;
      this.#check(nowMs);
    }
    return this.#peers.size > 0 || this.#candidates.hasWaiting || (this.#content?.isBusy ?? false);
  }

  #nowMs(): number {
    return this.#host.shared.ports.clock.monotonicMs();
  }

  #wake(): void {
    if (!this.#isStopped) this.#host.activate(this);
  }

  #allowance(own: TokenBucket, shared: TokenBucket): number {
    const nowMs = this.#nowMs();
    return Math.min(own.available(nowMs), shared.available(nowMs));
  }

  #charge(own: TokenBucket, shared: TokenBucket, sizeBytes: number): void {
    own.take(sizeBytes);
    shared.take(sizeBytes);
  }

  /** Why the connection is not wanted; undefined when it is. */
  #refusalOf(connection: Connection, handshake: Handshake, isOutgoing: boolean): string | undefined {
    const { shared } = this.#host;
    if (this.#isStopped) return 'the torrent is stopped';
    const peerIdHex = toHex(handshake.peerId);
    if (shared.bans.isBanned({ host: connection.remote?.host, peerIdHex }, this.#nowMs())) return 'banned';
    if (this.#peers.size >= shared.limits.maxConnectionsPerTorrent || !this.#host.hasRoom()) return 'no room';
    for (const peer of this.#peers) {
      if (peer.peerIdHex !== peerIdHex) continue;
      // Both may have dialled each other at once: both keep the connection that the lower peer id opened.
      if (peer.isOutgoing === isOutgoing || isOutgoing !== this.#isLower(handshake)) return 'connected already';
      peer.connection.close();
    }
    return undefined;
  }

  #isLower(other: Handshake): boolean {
    return compareBytes(this.#host.shared.peerId, other.peerId) < 0;
  }

  #introduce(peer: Peer, content: Content): void {
    try {
      content.addPeer(peer);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      peer.connection.close(error);
    }
  }

  #createPeerHost(): PeerHost {
    const { shared } = this.#host;
    return {
      clock: shared.ports.clock,
      servePool: shared.serveBuffers,
      uploadAllowance: () => {
        const allowance = this.#allowance(this.#uploadBucket, shared.uploadBucket);
        return allowance === Number.POSITIVE_INFINITY ? allowance : Math.min(allowance, FAIR_SHARE_BYTES);
      },
      chargeUpload: (sizeBytes) => {
        this.#charge(this.#uploadBucket, shared.uploadBucket, sizeBytes);
        this.#uploaded.add(sizeBytes, this.#nowMs());
      },
      interestChanged: (peer) => this.#choking.interestChanged(peer),
      unchoked: (peer) => this.#content?.downloader.fill(peer),
      released: (peer, blockKeys) =>
        this.#content?.downloader.released(peer, blockKeys, peer.isClosed || peer.isChoking || peer.isSnubbed),
      gained: (peer, piece) => this.#onGained(peer, piece),
      lost: (peer, piece) => this.#content?.downloader.peerLost(peer, piece),
      received: (peer, block, sizeBytes) => {
        const nowMs = this.#nowMs();
        if (block.isNew) this.#bytesFromPeers += sizeBytes;
        this.#swarmBlockAtMs = nowMs;
        this.#downloaded.add(sizeBytes, nowMs);
        this.#content?.received(peer, block);
      },
      extended: (peer, extensionId, payload) =>
        handleExtended(peer, extensionId, payload, {
          handshake: (from, handshake) => this.#onExtendedHandshake(from, handshake),
          metadata: (from, message) => this.#onMetadataMessage(from, message),
          pex: (from, message) => this.#onPex(from, message),
          dontHave: (from, piece) => {
            if (from.pieces.remove(piece)) this.#content?.downloader.peerLost(from, piece);
          },
        }),
      turn: (peer) => this.#content?.downloader.fill(peer),
      storageFailed: (error) => this.#fail(error),
      closed: (peer, cause) => this.#onClosed(peer, cause),
    };
  }

  #onGained(peer: Peer, piece: number | undefined): void {
    if (this.#content === undefined) return;
    this.#content.downloader.peerGained(peer, piece);
    if (this.#content.isComplete && peer.isSeed) peer.connection.close();
  }

  #onExtendedHandshake(peer: Peer, handshake: ExtendedHandshake): void {
    if (this.#content === undefined && handshake.metadataBytes !== undefined)
      this.#metadataFetch.offered(peer, handshake.metadataBytes);
  }

  #onMetadataMessage(peer: Peer, message: MetadataMessage): void {
    if (message.type === 'request') this.#metadataServer.answer(peer, message.piece, this.info?.rawInfo);
    else if (this.#content === undefined)
      this.#metadataFetch.message(peer, message).catch((error: unknown) => this.#fail(error));
  }

  #onPex(peer: Peer, message: PexMessage): void {
    if (this.info?.isPrivate) return;
    this.addPeers(this.#exchange.received(peer, message, this.#nowMs()));
  }

  /** Whether the dictionary a peer sent is ours; the first right one opens the torrent. */
  async #checkMetadata(rawInfo: Uint8Array<ArrayBuffer>, peer: Peer): Promise<boolean> {
    if (this.#content !== undefined || this.#isOpening || this.#isStopped) return true;
    if (!(await this.#isOurs(rawInfo))) {
      this.#convict(peer);
      return false;
    }
    if (this.#content !== undefined || this.#isOpening || this.#isStopped) return true;
    this.#isOpening = true;
    const info = parseTorrentInfo(rawInfo);
    const opened = await this.#host.openStorage(this, info);
    if (this.#isStopped) await opened.storage.close();
    else this.openContent(info, opened);
    return true;
  }

  async #isOurs(rawInfo: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const { hasher } = this.#host.shared.ports;
    if (this.hashes.v2 !== undefined) return toHex(await hasher.sha256(rawInfo)) === this.hashes.v2;
    return toHex(await hasher.sha1(rawInfo)) === this.hashes.v1;
  }

  #onHeld(piece: number): void {
    for (const peer of this.#peers) peer.sayHave(piece);
    this.events.emit('verified', { piece });
  }

  #onDone(): void {
    if (this.#isStopped) return;
    this.events.emit('done', undefined);
    // Two seeds have nothing to tell each other; the place is for somebody who wants something.
    for (const peer of this.#peers) if (peer.isSeed) peer.connection.close();
  }

  #onClosed(peer: Peer, cause: Error | undefined): void {
    this.#peers.delete(peer);
    this.#host.connectionsChanged(-1);
    this.#content?.downloader.peerLeft(peer);
    this.#metadataFetch.left(peer);
    const { log } = this.#host.shared.ports;
    log.debug('peer.closed', { client: peer.client, transport: peer.connection.transport, cause: cause?.message });
    if (peer.isOutgoing && peer.connection.remote !== undefined)
      this.dialEnded(peer.connection.remote, peer.downloaded.totalBytes > 0);
    this.#emitPeer(peer, 'gone');
  }

  /** The source sent wrong bytes. */
  #convict(source: BlockSource): void {
    const { shared } = this.#host;
    if (source instanceof WebSeed) {
      source.ban();
      shared.ports.log.warn('webseed.banned', { source: source.source.label });
    } else if (source instanceof Peer) {
      const host = source.connection.remote?.host;
      shared.bans.ban({ host, peerIdHex: source.peerIdHex }, this.#nowMs());
      shared.ports.log.warn('peer.banned', { host, client: source.client });
      if (source.connection.remote !== undefined) this.#candidates.forget(source.connection.remote);
      source.connection.close(new HashMismatch('sent wrong bytes'));
    }
  }

  #emitPeer(peer: Peer, change: 'connected' | 'gone'): void {
    this.events.emit('peer', { peer: describePeer(peer, this.#nowMs()), change });
  }

  #fail(error: unknown): void {
    if (this.#isStopped) return;
    const reported = error instanceof Error ? error : new StorageFailed('storage failed', {}, { cause: error });
    this.#host.shared.ports.log.error('torrent.failed', {
      infoHash: this.hashes.v1 ?? this.hashes.v2,
      error: reported,
    });
    this.events.emit('error', reported);
  }

  /** Once a second. */
  #check(nowMs: number): void {
    this.#content?.second(nowMs);
    this.#metadataFetch.tick(nowMs);
    this.#choking.tick(nowMs);
    if (this.info?.isPrivate === false) this.#exchange.tick(this.#peers, nowMs);
    for (const peer of this.#peers) {
      if (nowMs - peer.lastReceivedAtMs > SILENT_MS) peer.connection.close(new TimedOut('the peer is silent'));
      else if (nowMs - peer.lastSentAtMs > KEEP_ALIVE_MS) peer.keepAlive();
    }
    this.#dialMore(nowMs);
  }

  #dialMore(nowMs: number): void {
    while (this.#peers.size < this.#host.shared.limits.maxConnectionsPerTorrent && this.#host.hasRoom()) {
      const address = this.#candidates.next(nowMs);
      if (address === undefined) return;
      if (this.#host.dial(this, address)) continue;
      this.#candidates.postpone(address);
      return;
    }
  }

  async #stop(): Promise<void> {
    this.#isStopped = true;
    this.#candidates.clear();
    for (const peer of this.#peers) peer.connection.close();
    for (const wake of this.#waiters) wake();
    await this.#content?.stop();
    await this.#content?.store.storage.close();
    this.events.removeAll();
    this.#host.stopped(this);
  }
}

function bitfieldOf(have: OpenedStorage['have'], pieceCount: number): Bitfield {
  if (have === 'all') return Bitfield.full(pieceCount);
  if (have === 'none') return new Bitfield(pieceCount);
  if (have.length !== pieceCount) throw new Conflict('the bitfield does not fit the torrent', { pieceCount });
  return have;
}
