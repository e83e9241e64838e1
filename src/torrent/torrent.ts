/**
 * One torrent: its identity, its metadata and what joins its peers (`crowd`) to its bytes (`content`). Invariants: a
 * torrent without peers, readers and wishes gets no ticks; after `stop` no timer, socket, promise or buffer of it is left.
 */
import { Emitter } from '../base/emitter.ts';
import { Conflict, StorageFailed } from '../base/errors.ts';
import type { SwarmKey } from '../base/ids.ts';
import { SECOND_MS } from '../base/units.ts';
import type { AddressSource } from '../base/address-policy.ts';
import { Bitfield } from '../codec/bitfield.ts';
import type { Handshake } from '../codec/handshake.ts';
import type { FileRange } from '../codec/magnet.ts';
import type { InfoHashes } from '../codec/metainfo.ts';
import type { VerifiedLayers } from '../codec/piece-layers.ts';
import type { TorrentInfo } from '../codec/torrent-info.ts';
import type { Connection } from './connection.ts';
import { Content } from './content.ts';
import { Crowd } from './crowd.ts';
import { Dialogue } from './dialogue.ts';
import { Identity } from './identity.ts';
import { inspectPeer, type TorrentInspection } from './inspection.ts';
import { Instructions } from './instructions.ts';
import { Metadata } from './metadata.ts';
import type { Peer } from './peer.ts';
import type { PeerAddress, PeerSocket, RangeSource } from './ports.ts';
import type { ReadOptions } from './reader.ts';
import {
  describeFiles,
  describePeer,
  describeTorrent,
  type FileStats,
  type PeerStats,
  type TorrentStats,
} from './stats.ts';
import { Traffic, type RateLimits } from './traffic.ts';
import type { OpenedStorage, TorrentEvents, TorrentHost, TorrentOptions } from './torrent-types.ts';
import type { RecheckOptions } from './upkeep.ts';
import { openFile, type TorrentFile } from './torrent-file.ts';
import type { FileChoice, TorrentMode } from './wishes.ts';

const CHECK_MS = SECOND_MS;

export class Torrent {
  readonly events = new Emitter<TorrentEvents>();
  readonly identity: Identity;
  readonly #host: TorrentHost<Torrent>;
  readonly #instructions: Instructions;
  readonly #traffic: Traffic;
  readonly #crowd: Crowd;
  readonly #metadata: Metadata;
  readonly #dialogue: Dialogue;
  #content: Content | undefined;
  #isPaused = false;
  #checkedAtMs = 0;
  #isStopped = false;
  #stopping: Promise<void> | undefined;

  constructor(host: TorrentHost<Torrent>, options: TorrentOptions) {
    this.#host = host;
    this.identity = new Identity(options);
    this.#instructions = new Instructions(options, () => this.#content);
    this.#traffic = new Traffic(host.shared, options);
    this.#metadata = new Metadata({
      hashes: () => this.hashes,
      learned: (hashes) => this.#learn(hashes),
      ports: host.shared.ports,
      info: () => this.info,
      isStopped: () => this.#isStopped,
      open: (info) => this.#openFromPeers(info),
      convict: (peer) => this.#crowd.convict(peer),
      failed: (error) => this.#fail(error),
    });
    this.#dialogue = new Dialogue({
      listenPort: host.shared.listenPort,
      dht: host.shared.dht,
      metadata: this.#metadata,
      crowd: () => this.#crowd,
      content: () => this.#content,
    });
    this.#crowd = this.#createCrowd();
    this.addPeers(options.peers ?? []);
  }

  /** Both for a hybrid, once that is known. */
  get hashes(): InfoHashes {
    return this.identity.hashes;
  }

  /** Under which it is found on the wire: v1, then v2. */
  get keys(): SwarmKey[] {
    return this.identity.keys;
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

  /** Everything selected is in storage, be it all or some files. */
  get isDone(): boolean {
    return this.#content?.isDone ?? false;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get mode(): TorrentMode {
    return this.#instructions.mode;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  get peerCount(): number {
    return this.#crowd.peers.size;
  }

  stats(): TorrentStats {
    return describeTorrent(this.#content, this.#traffic, this.#crowd.peers, this.#nowMs());
  }

  /** Its files with priority and progress; empty before the metadata is known. */
  files(): FileStats[] {
    return this.#content === undefined ? [] : describeFiles(this.#content);
  }

  peers(): PeerStats[] {
    const nowMs = this.#nowMs();
    return [...this.#crowd.peers].map((peer) => describePeer(peer, nowMs));
  }

  /** Resolves with the metadata. @throws Cancelled when aborted or stopped first, or why the metadata cannot be used. */
  ready(signal?: AbortSignal): Promise<TorrentInfo> {
    return this.#metadata.ready(signal);
  }

  /**
   * Streams verified bytes of [start, endExclusive) as they come, fetching them first of all.
   * @throws Conflict before the metadata is known, InvalidInput for a range outside the torrent, Cancelled when stopped.
   */
  read(options: ReadOptions): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#opened().read(options);
  }

  /**
   * One of its files, by index or by path (parts joined by `/`), to read from.
   * @throws Conflict before the metadata is known, NotFound when there is no such file.
   */
  file(which: number | string): TorrentFile {
    return openFile(this.#opened().info, which, (options) => this.read(options));
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
    if (!this.#isStopped) this.#instructions.addWebSeed(source);
  }

  setLimits(limits: RateLimits): void {
    this.#traffic.setLimits(limits);
  }

  /** Fetches these files and no others; indices beyond the last file mean nothing. @throws InvalidInput */
  select(ranges: readonly FileRange[]): void {
    this.#instructions.select(ranges);
  }

  /** Changes how much some files are wanted; readers get what they read either way. @throws InvalidInput */
  prioritize(choices: readonly FileChoice[]): void {
    this.#instructions.prioritize(choices);
  }

  /**
   * Reads everything back from storage and hashes it. What is wrong is fetched anew where it is wanted, and peers are
   * told; uploads and readers go on. Aborted, what was not looked at counts as before.
   * @throws Conflict before the metadata is known or while another recheck runs, Cancelled, HashMismatch
   */
  async recheck(options: RecheckOptions = {}): Promise<void> {
    await this.#opened().upkeep.recheck(options);
  }

  /**
   * Lets go of pieces [first, last], but for those that a reader or the selection wants; peers are told. Resolves with
   * the pieces let go when nothing reads them any more, so that their bytes may be freed.
   */
  async dropPieces(first: number, last: number): Promise<readonly number[]> {
    return (await this.#content?.dropPieces(first, last)) ?? [];
  }

  /** What is fetched unread from now on. */
  setMode(mode: TorrentMode): void {
    this.#instructions.setMode(mode);
  }

  /** Parts from all peers and fetches nothing until `resume`; readers of what is missing wait. */
  pause(): void {
    this.#setPaused(true);
  }

  resume(): void {
    this.#setPaused(false);
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
    this.#instructions.passTo(content);
    if (content.isBusy) this.#wake();
    this.#metadata.settled();
    this.events.emit('metadata', info);
  }

  /** Under which to dial with an encrypted handshake; `mayRetryPlainly` says that a plain one follows where it fails. */
  encryptedKey(mayRetryPlainly: boolean): SwarmKey | undefined {
    const content = this.#content;
    const lacksHashes = content === undefined || (content.hashes?.lacksLayers ?? false);
    return this.identity.encryptedKey({ lacksHashes, isRead: (content?.readerCount ?? 0) > 0, mayRetryPlainly });
  }

  /** Takes a connection over after both handshakes; false when it is not wanted. */
  adopt(connection: Connection, handshake: Handshake, isOutgoing: boolean): boolean {
    return this.#crowd.adopt(connection, handshake, isOutgoing);
  }

  /** An outgoing attempt ended without a peer. */
  dialEnded(address: PeerAddress): void {
    this.#crowd.dialEnded(address);
  }

  /** The address is ourselves. */
  forgetAddress(address: PeerAddress): void {
    this.#crowd.forgetAddress(address);
  }

  /** Parts from a peer that brings and takes nothing; true when there was one. */
  giveUpPeer(): boolean {
    return this.#crowd.giveUpPeer();
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
      this.#metadata.tick(nowMs);
      this.#crowd.check(nowMs, this.info?.isPrivate);
    }
    return this.#crowd.isBusy || (this.#content?.isBusy ?? false);
  }

  #opened(): Content {
    if (this.#content === undefined) throw new Conflict('the metadata is not known yet');
    return this.#content;
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
      makeRoom: () => host.makeRoom(),
      connectionsChanged: (by) => host.connectionsChanged(by),
      extended: (peer, extensionId, payload) => this.#dialogue.extended(peer, extensionId, payload),
      introduce: (peer) => this.#dialogue.introduce(peer),
      joined: (peer) => this.#emitPeer(peer, 'connected'),
      left: (peer) => {
        this.#metadata.left(peer);
        this.#emitPeer(peer, 'gone');
      },
      dhtPortHeard: (peer, port) => this.#dialogue.dhtPortHeard(peer, port),
      storageFailed: (error) => this.#fail(error),
      wake: () => this.#wake(),
    });
  }

  #createContent(info: TorrentInfo, opened: OpenedStorage, pieceLayers: VerifiedLayers | undefined): Content {
    return new Content({
      ...this.#instructions.toStart(opened.selectedFiles),
      info,
      usesV2: this.hashes.v2 !== undefined,
      pieceLayers,
      opened,
      isPaused: this.#isPaused,
      host: {
        shared: this.#host.shared,
        traffic: this.#traffic,
        peers: this.#crowd.peers,
        reclaimMemory: () => this.#host.reclaimMemory(this),
        held: (piece) => {
          this.#dialogue.sayHave(piece);
          this.events.emit('verified', { piece });
        },
        lost: (pieces) => {
          this.#dialogue.sayLost(pieces);
          this.events.emit('lost', { pieces });
        },
        checked: () => this.events.emit('checked', undefined),
        done: () => this.#onDone(),
        uploadOnlyChanged: () => this.#onUploadOnlyChanged(),
        convict: (peer) => this.#crowd.convict(peer),
        speaksV2: (peer) => this.identity.speaksV2(peer),
        failed: (error) => this.#fail(error),
        wake: () => this.#wake(),
      },
    });
  }

  /** The metadata told the other hash of a hybrid that was added by one of them. */
  #learn(hashes: InfoHashes): void {
    this.identity.learn(hashes);
    this.#host.keysLearned(this);
  }

  async #openFromPeers(info: TorrentInfo): Promise<void> {
    const opened = await this.#host.openStorage(this, info);
    try {
      if (!this.#isStopped) this.openContent(info, opened);
    } finally {
      if (this.#content === undefined) await opened.storage.close();
    }
  }

  #onDone(): void {
    if (this.#isStopped) return;
    this.events.emit('done', undefined);
    this.#crowd.partFromRedundant();
  }

  #onUploadOnlyChanged(): void {
    if (this.#content?.isUploadOnly === true) this.#crowd.partFromRedundant();
    else this.#crowd.seekPeers();
    this.#dialogue.sayUploadOnly();
  }

  #setPaused(isPaused: boolean): void {
    if (this.#isPaused === isPaused || this.#isStopped) return;
    this.#isPaused = isPaused;
    this.#crowd.setPaused(isPaused);
    this.#content?.setPaused(isPaused);
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
    this.#metadata.settled(reported);
    this.events.emit('error', reported);
  }

  async #stop(): Promise<void> {
    this.#isStopped = true;
    this.#crowd.close();
    this.#metadata.settled();
    await this.#content?.stop();
    await this.#content?.store.storage.close();
    this.events.removeAll();
    this.#host.stopped(this);
  }
}
