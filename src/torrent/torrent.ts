/**
 * One torrent: its identity, its metadata and what joins its peers (`crowd`) to its bytes (`content`). Invariants: a
 * torrent without peers, readers and wishes gets no ticks; after `stop` no timer, socket, promise or buffer of it is left.
 */
import { toHex } from '../base/bytes.ts';
import { Emitter } from '../base/emitter.ts';
import { Cancelled, Conflict, StorageFailed } from '../base/errors.ts';
import { parseInfoHashV1, parseInfoHashV2, swarmKeyOf, type SwarmKey } from '../base/ids.ts';
import { SECOND_MS } from '../base/units.ts';
import type { AddressSource } from '../base/address-policy.ts';
import { Bitfield } from '../codec/bitfield.ts';
import type { Handshake } from '../codec/handshake.ts';
import type { InfoHashes } from '../codec/metainfo.ts';
import type { VerifiedLayers } from '../codec/piece-layers.ts';
import { parseTorrentInfo, type TorrentInfo } from '../codec/torrent-info.ts';
import type { BlockSource } from './active-piece.ts';
import type { Connection } from './connection.ts';
import { Content } from './content.ts';
import { Crowd } from './crowd.ts';
import { handleExtended, sayExtendedHandshake, type ExtensionHandlers } from './extensions.ts';
import { inspectPeer, type TorrentInspection } from './inspection.ts';
import { MetadataFetch, MetadataServer } from './metadata-exchange.ts';
import { Peer } from './peer.ts';
import type { PeerAddress, PeerSocket, RangeSource } from './ports.ts';
import type { ReadOptions } from './reader.ts';
import { describePeer, type PeerStats, type TorrentStats } from './stats.ts';
import { Traffic, type RateLimits } from './traffic.ts';
import { WebSeed } from './web-seed.ts';
import type { OpenedStorage, TorrentEvents, TorrentHost, TorrentOptions } from './torrent-types.ts';

const CHECK_MS = SECOND_MS;

export class Torrent {
  readonly events = new Emitter<TorrentEvents>();
  readonly #host: TorrentHost<Torrent>;
  readonly #options: TorrentOptions;
  readonly #traffic: Traffic;
  readonly #crowd: Crowd;
  readonly #metadataServer = new MetadataServer();
  readonly #metadataFetch: MetadataFetch;
  readonly #waiters = new Set<() => void>();
  readonly #webSeeds: RangeSource[];
  readonly #extensions: ExtensionHandlers;
  #hashes: InfoHashes;
  #content: Content | undefined;
  #error: Error | undefined;
  #checkedAtMs = 0;
  #isOpening = false;
  #isStopped = false;
  #stopping: Promise<void> | undefined;

  constructor(host: TorrentHost<Torrent>, options: TorrentOptions) {
    this.#host = host;
    this.#options = options;
    this.#hashes = { ...(options.v1 && { v1: options.v1 }), ...(options.v2 && { v2: options.v2 }) };
    this.#webSeeds = [...(options.webSeeds ?? [])];
    this.#traffic = new Traffic(host.shared, options);
    this.#metadataFetch = new MetadataFetch({
      nowMs: () => this.#nowMs(),
      check: (bytes, peer) => this.#checkMetadata(bytes, peer),
    });
    this.#extensions = this.#createExtensionHandlers();
    this.#crowd = this.#createCrowd();
    this.addPeers(options.peers ?? []);
  }

  /** Both for a hybrid, once that is known. */
  get hashes(): InfoHashes {
    return this.#hashes;
  }

  /** It has a v1 and a v2 half. */
  get isHybrid(): boolean {
    return this.#hashes.v1 !== undefined && this.#hashes.v2 !== undefined;
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
    return this.#crowd.peers.size;
  }

  stats(): TorrentStats {
    const nowMs = this.#nowMs();
    const have = this.#content?.store.have;
    const traffic = this.#traffic;
    return {
      totalBytes: this.#content?.info.totalBytes,
      pieceCount: this.#content?.info.pieceCount,
      heldPieces: have?.count ?? 0,
      progress: have === undefined ? 0 : have.count / have.length,
      bytesFromPeers: traffic.bytesFromPeers,
      bytesFromHttp: traffic.bytesFromHttp,
      wastedBytes: traffic.wastedBytes,
      uploadedBytes: traffic.uploaded.totalBytes,
      downloadBytesPerSecond: traffic.downloaded.bytesPerSecond(nowMs),
      uploadBytesPerSecond: traffic.uploaded.bytesPerSecond(nowMs),
      peers: this.#crowd.peers.size,
      seeds: [...this.#crowd.peers].filter((peer) => peer.isSeed).length,
      readers: this.#content?.readerCount ?? 0,
    };
  }

  peers(): PeerStats[] {
    const nowMs = this.#nowMs();
    return [...this.#crowd.peers].map((peer) => describePeer(peer, nowMs));
  }

  /** Resolves with the metadata. @throws Cancelled when aborted or stopped first, or why the metadata cannot be used. */
  async ready(signal?: AbortSignal): Promise<TorrentInfo> {
    while (this.#content === undefined) {
      if (this.#error !== undefined) throw this.#error;
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

  /** Addresses to dial, and who named them; those the filter refuses are dropped. */
  addPeers(addresses: readonly PeerAddress[], source: AddressSource = 'told'): void {
    if (addresses.length > 0) this.#crowd.addAddresses(addresses, source);
  }

  /** Dials a peer that said just now where it listens, whatever came of earlier dials. */
  callBack(address: PeerAddress): void {
    this.#crowd.callBack(address);
  }

  /**
   * Takes over an open socket to a peer of this torrent, such as a WebRTC channel; our handshake leaves at once.
   * `initiated` says whether we opened it (made the offer), so that both ends keep the same one of two connections.
   */
  attach(socket: PeerSocket, { initiated = true }: { readonly initiated?: boolean } = {}): void {
    if (this.#isStopped) socket.close();
    else this.#host.greet(this, socket, initiated);
  }

  addWebSeed(source: RangeSource): void {
    if (this.#isStopped) return;
    if (this.#content === undefined) this.#webSeeds.push(source);
    else this.#content.addWebSeed(source);
  }

  setLimits(limits: RateLimits): void {
    this.#traffic.setLimits(limits);
  }

  /** Closes everything and resolves when nothing of it runs any more, its storage closed. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  // For the engine.

  inspect(): TorrentInspection {
    const nowMs = this.#nowMs();
    return {
      keys: this.keys,
      isComplete: this.isComplete,
      uploadSlots: this.#crowd.uploadSlots,
      peers: [...this.#crowd.peers].map((peer) => inspectPeer(peer, nowMs)),
      content: this.#content?.inspect(),
    };
  }

  /** The metadata is known: opens the content. `pieceLayers` are absent where peers have to deliver them. */
  openContent(info: TorrentInfo, opened: OpenedStorage, pieceLayers?: VerifiedLayers): void {
    if (this.#content !== undefined) throw new Conflict('the torrent is open already');
    const content = this.#createContent(info, opened, pieceLayers);
    this.#content = content;
    this.#crowd.contentOpened(content);
    for (const source of this.#webSeeds) content.addWebSeed(source);
    this.#webSeeds.length = 0;
    if (content.isBusy) this.#wake();
    for (const wake of this.#waiters) wake();
    this.events.emit('metadata', info);
  }

  /** What to answer a peer with: one that speaks v2 of a hybrid is taken over to its v2 half (BEP 52). */
  answerKey(asked: Handshake): SwarmKey {
    const { v2 } = this.#hashes;
    return asked.v2 && v2 !== undefined ? swarmKeyOf(v2) : asked.swarmKey;
  }

  /** Takes a connection over after both handshakes; false when it is not wanted. */
  adopt(connection: Connection, handshake: Handshake, isOutgoing: boolean): boolean {
    return this.#crowd.adopt(connection, handshake, isOutgoing);
  }

  /** An outgoing attempt ended without a peer. */
  dialEnded(address: PeerAddress): void {
    this.#crowd.dialEnded(address, false);
  }

  /** The address is ourselves. */
  forgetAddress(address: PeerAddress): void {
    this.#crowd.forgetAddress(address);
  }

  /** Gives up a piece in progress that no reader waits for; true when there was one. */
  giveUpMemory(): boolean {
    return this.#content?.downloader.evictOne(true) ?? false;
  }

  /** One tick; false when there is nothing to do until something happens. */
  tick(nowMs: number): boolean {
    this.#content?.tick(nowMs);
    this.#crowd.pump();
    if (nowMs - this.#checkedAtMs >= CHECK_MS) {
      this.#checkedAtMs = nowMs;
      this.#content?.check(nowMs);
      this.#metadataFetch.tick(nowMs);
      this.#crowd.check(nowMs, this.info?.isPrivate);
    }
    return this.#crowd.isBusy || (this.#content?.isBusy ?? false);
  }

  #nowMs(): number {
    return this.#host.shared.ports.clock.monotonicMs();
  }

  #wake(): void {
    if (!this.#isStopped) this.#host.activate(this);
  }

  #createCrowd(): Crowd {
    const host = this.#host;
    return new Crowd({
      shared: host.shared,
      traffic: this.#traffic,
      content: () => this.#content,
      dial: (address) => host.dial(this, address),
      hasRoom: () => host.hasRoom(),
      connectionsChanged: (by) => host.connectionsChanged(by),
      extended: (peer, extensionId, payload) => handleExtended(peer, extensionId, payload, this.#extensions),
      introduce: (peer) => this.#introduce(peer),
      joined: (peer) => this.#emitPeer(peer, 'connected'),
      left: (peer) => {
        this.#metadataFetch.left(peer);
        this.#emitPeer(peer, 'gone');
      },
      storageFailed: (error) => this.#fail(error),
      wake: () => this.#wake(),
    });
  }

  #createContent(info: TorrentInfo, opened: OpenedStorage, pieceLayers: VerifiedLayers | undefined): Content {
    const traffic = this.#traffic;
    return new Content({
      info,
      pieceLayers,
      storage: opened.storage,
      have: bitfieldOf(opened.have, info.pieceCount),
      mode: this.#options.mode ?? 'all',
      webSeedUse: this.#options.webSeedUse ?? 'when-needed',
      host: {
        shared: this.#host.shared,
        traffic,
        peers: this.#crowd.peers,
        reclaimMemory: () => this.#host.reclaimMemory(this),
        held: (piece) => this.events.emit('verified', { piece }),
        done: () => this.#onDone(),
        convict: (source) => this.#convict(source),
        failed: (error) => this.#fail(error),
        wake: () => this.#wake(),
      },
    });
  }

  #createExtensionHandlers(): ExtensionHandlers {
    return {
      handshake: (peer, handshake) => {
        if (this.#content === undefined && handshake.metadataBytes !== undefined)
          this.#metadataFetch.offered(peer, handshake.metadataBytes);
      },
      metadata: (peer, message) => {
        if (message.type === 'request') this.#metadataServer.answer(peer, message.piece, this.info?.rawInfo);
        else if (this.#content === undefined)
          this.#metadataFetch.message(peer, message).catch((error: unknown) => this.#fail(error));
      },
      pex: (peer, message) => {
        // Before the metadata we cannot know that it is not private, so a magnet does take peers (BEP 27 binds its users).
        if (!this.info?.isPrivate) this.#crowd.pexReceived(peer, message);
      },
      dontHave: (peer, piece) => {
        if (peer.pieces.remove(piece)) this.#content?.downloader.peerLost(peer, piece);
      },
    };
  }

  /** The first messages after our handshake: what we have, then our extensions (BEP 6 wants this order). */
  #introduce(peer: Peer): void {
    peer.sayPieces(this.#content?.store.have);
    sayExtendedHandshake(peer, {
      listenPort: this.#host.shared.listenPort,
      metadataBytes: this.#content?.info.rawInfo.length,
      isPrivate: this.#content?.info.isPrivate ?? false,
      isUploadOnly: this.isComplete,
    });
  }

  /** Whether the dictionary a peer sent is ours; the first right one opens the torrent. */
  async #checkMetadata(rawInfo: Uint8Array<ArrayBuffer>, peer: Peer): Promise<boolean> {
    if (this.#isSettled) return true;
    if (!(await this.#isOurs(rawInfo))) {
      this.#crowd.convict(peer);
      return false;
    }
    if (this.#isSettled) return true;
    this.#isOpening = true;
    const info = parseTorrentInfo(rawInfo);
    await this.#learnHashes(info);
    const opened = await this.#host.openStorage(this, info);
    try {
      if (!this.#isStopped) this.openContent(info, opened);
    } finally {
      if (this.#content === undefined) await opened.storage.close();
    }
    return true;
  }

  /** Metadata is here, on its way into storage, or no longer wanted. */
  get #isSettled(): boolean {
    return this.#content !== undefined || this.#isOpening || this.#isStopped;
  }

  /** By the stronger hash where both are known. @throws Conflict when the two belong to different torrents. */
  async #isOurs(rawInfo: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const { hasher } = this.#host.shared.ports;
    const { v1, v2 } = this.#hashes;
    const matchesV1 = v1 !== undefined && toHex(await hasher.sha1(rawInfo)) === v1;
    const matchesV2 = v2 !== undefined && toHex(await hasher.sha256(rawInfo)) === v2;
    if (this.isHybrid && matchesV1 !== matchesV2)
      throw new Conflict('the v1 and v2 info hashes belong to different torrents');
    return matchesV1 || matchesV2;
  }

  /** The other hash of a hybrid that was added by one of them. */
  async #learnHashes(info: TorrentInfo): Promise<void> {
    if (info.version !== 'hybrid' || this.isHybrid || this.#isStopped) return;
    const { hasher } = this.#host.shared.ports;
    const [sha1, sha256] = await Promise.all([hasher.sha1(info.rawInfo), hasher.sha256(info.rawInfo)]);
    if (this.#isStopped) return;
    this.#hashes = { v1: parseInfoHashV1(toHex(sha1)), v2: parseInfoHashV2(toHex(sha256)) };
    this.#host.keysLearned(this);
  }

  #onDone(): void {
    if (this.#isStopped) return;
    this.events.emit('done', undefined);
    this.#crowd.dismissSeeds();
  }

  /** The source sent wrong bytes. */
  #convict(source: BlockSource): void {
    if (source instanceof Peer) this.#crowd.convict(source);
    else if (source instanceof WebSeed) {
      source.ban();
      this.#host.shared.ports.log.warn('webseed.banned', { source: source.source.label });
    }
  }

  #emitPeer(peer: Peer, change: 'connected' | 'gone'): void {
    this.events.emit('peer', { peer: describePeer(peer, this.#nowMs()), change });
  }

  #fail(error: unknown): void {
    if (this.#isStopped) return;
    const reported = error instanceof Error ? error : new StorageFailed('storage failed', {}, { cause: error });
    this.#error = reported;
    this.#host.shared.ports.log.error('torrent.failed', {
      infoHash: this.hashes.v1 ?? this.hashes.v2,
      error: reported,
    });
    for (const wake of this.#waiters) wake();
    this.events.emit('error', reported);
  }

  async #stop(): Promise<void> {
    this.#isStopped = true;
    this.#crowd.close();
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
