/**
 * One torrent at work: what joins its metadata, its peers (`crowd`) and its bytes (`content`). The engine works with
 * this, users with its `torrent`. Invariants: without peers, readers and wishes it gets no ticks; after `stop` no timer,
 * socket, promise or buffer of it is left.
 */
import { Emitter } from '../base/emitter.ts';
import { endInTurn, endTogether } from '../base/endings.ts';
import { Conflict, StorageFailed } from '../base/errors.ts';
import type { SwarmKey } from '../base/ids.ts';
import { TaskGroup } from '../base/tasks.ts';
import { SECOND_MS } from '../base/units.ts';
import type { InfoHashes } from '../codec/metainfo.ts';
import type { VerifiedLayers } from '../codec/piece-layers.ts';
import type { TorrentInfo } from '../codec/torrent-info.ts';
import { Content } from './content/content.ts';
import { inspectPeer, type TorrentInspection } from './content/inspection.ts';
import { describePeer } from './content/stats.ts';
import type { OpenedStorage, TorrentEvents, TorrentOptions, TransferHost } from './content/torrent-types.ts';
import { Crowd } from './crowd/crowd.ts';
import { Dialogue } from './dialogue.ts';
import { Instructions } from './instructions.ts';
import { Traffic } from './limits/traffic.ts';
import { Identity } from './peer/identity.ts';
import { Metadata } from './peer/metadata.ts';
import type { Peer } from './peer/peer.ts';
import type { PeerSocket } from './ports.ts';
import { Torrent } from './torrent.ts';

const CHECK_MS = SECOND_MS;

export class Transfer {
  /** What its users see of it. */
  readonly torrent: Torrent;
  readonly events = new Emitter<TorrentEvents>();
  readonly identity: Identity;
  readonly instructions: Instructions;
  readonly traffic: Traffic;
  readonly metadata: Metadata;
  readonly crowd: Crowd;
  readonly #host: TransferHost<Transfer>;
  readonly #dialogue: Dialogue;
  readonly #tasks: TaskGroup;
  #content: Content | undefined;
  #isPaused = false;
  #checkedAtMs = 0;
  #isStopped = false;
  #failure: Error | undefined;
  #stopping: Promise<void> | undefined;

  /** @throws InvalidInput for a selection that is none. */
  constructor(host: TransferHost<Transfer>, options: TorrentOptions) {
    this.#host = host;
    this.#tasks = new TaskGroup(host.shared.ports.log);
    this.identity = new Identity(options);
    this.instructions = new Instructions(options, () => this.#content);
    this.traffic = new Traffic(host.shared, options);
    this.metadata = new Metadata({
      hashes: () => this.identity.hashes,
      learned: (hashes) => this.#learn(hashes),
      ports: host.shared.ports,
      tasks: this.#tasks,
      info: () => this.#content?.info,
      isStopped: () => this.#isStopped,
      open: (info) => this.#openFromPeers(info),
      convict: (peer) => this.crowd.convict(peer),
      failed: (error) => this.#fail(error),
    });
    this.#dialogue = new Dialogue({
      listenPort: host.shared.listenPort,
      dht: host.shared.dht,
      metadata: this.metadata,
      crowd: () => this.crowd,
      content: () => this.#content,
    });
    this.crowd = this.#createCrowd();
    this.torrent = new Torrent(this);
  }

  /** Undefined while the metadata is not known. */
  get content(): Content | undefined {
    return this.#content;
  }

  /** Somebody waits for its bytes. */
  get isRead(): boolean {
    return (this.#content?.readerCount ?? 0) > 0;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Why nothing more is fetched. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Runs work that ends with the torrent, its signal aborted by then; false when that is stopped. */
  run(name: string, task: (signal: AbortSignal) => Promise<void>): boolean {
    if (this.#isStopped) return false;
    this.#tasks.run(name, task);
    return true;
  }

  /** Takes over a socket that is open already; our handshake leaves at once, under the key its peer was found by. */
  greet(socket: PeerSocket, isOutgoing: boolean, foundBy?: SwarmKey): void {
    if (this.#isStopped) socket.close();
    else this.#host.greet(this, socket, isOutgoing, foundBy);
  }

  /** The metadata is known: opens the content. `pieceLayers` are absent where peers have to deliver them. */
  openContent(info: TorrentInfo, opened: OpenedStorage, pieceLayers?: VerifiedLayers): void {
    if (this.#content !== undefined) throw new Conflict('the torrent is open already');
    const content = this.#createContent(info, opened, pieceLayers);
    this.#content = content;
    this.crowd.contentOpened(content);
    this.instructions.passTo(content);
    if (content.isBusy) this.#wake();
    this.metadata.settled();
    this.events.emit('metadata', info);
  }

  /** Under which to dial with an encrypted handshake; `mayRetryPlainly` says that a plain one follows where it fails. */
  encryptedKey(mayRetryPlainly: boolean): SwarmKey | undefined {
    const content = this.#content;
    const lacksHashes = content === undefined || (content.hashes?.lacksLayers ?? false);
    return this.identity.encryptedKey({ lacksHashes, isRead: (content?.readerCount ?? 0) > 0, mayRetryPlainly });
  }

  /** Paused, it parts from all peers and fetches nothing; readers of what is missing wait. */
  setPaused(isPaused: boolean): void {
    if (this.#isPaused === isPaused || this.#isStopped) return;
    this.#isPaused = isPaused;
    this.crowd.setPaused(isPaused);
    this.#content?.setPaused(isPaused);
  }

  /** Gives up a piece in progress that no reader waits for; true when there was one. */
  giveUpMemory(): boolean {
    return this.#content?.downloader.evictOne(true) ?? false;
  }

  /** One tick; false when there is nothing to do until something happens. */
  tick(nowMs: number): boolean {
    this.traffic.tick(nowMs);
    this.traffic.inRound(() => this.#content?.tick(nowMs));
    if (nowMs - this.#checkedAtMs >= CHECK_MS) {
      this.#checkedAtMs = nowMs;
      this.#content?.check(nowMs);
      this.metadata.tick(nowMs);
      this.crowd.check(nowMs, this.#content?.info.isPrivate);
    }
    const isBusy = this.crowd.isBusy || (this.#content?.isBusy ?? false);
    if (!isBusy) this.#content?.downloader.giveUpUnwanted(nowMs);
    return isBusy;
  }

  inspect(): TorrentInspection {
    const nowMs = this.nowMs();
    return {
      keys: this.identity.keys,
      isComplete: this.#content?.isComplete ?? false,
      uploadSlots: this.crowd.uploadSlots,
      peers: [...this.crowd.peers].map((peer) => inspectPeer(peer, nowMs)),
      content: this.#content?.inspect(),
    };
  }

  /** @throws as `Torrent.stop` */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Monotonic. */
  nowMs(): number {
    return this.#host.shared.ports.clock.monotonicMs();
  }

  #wake(): void {
    if (!this.#isStopped) this.#host.activate(this);
  }

  #createCrowd(): Crowd {
    const host = this.#host;
    return new Crowd({
      shared: host.shared,
      traffic: this.traffic,
      tasks: this.#tasks,
      content: () => this.#content,
      dial: (address) => host.dial(this, address),
      hasRoom: () => host.hasRoom(),
      makeRoom: () => host.makeRoom(),
      connectionsChanged: (by) => host.connectionsChanged(by),
      extended: (peer, extensionId, payload) => this.#dialogue.extended(peer, extensionId, payload),
      introduce: (peer) => this.#dialogue.introduce(peer),
      joined: (peer) => this.#emitPeer(peer, 'connected'),
      left: (peer) => {
        this.metadata.left(peer);
        this.#emitPeer(peer, 'gone');
      },
      dhtPortHeard: (peer, port) => this.#dialogue.dhtPortHeard(peer, port),
      storageFailed: (error) => this.#fail(error),
      wake: () => this.#wake(),
    });
  }

  #createContent(info: TorrentInfo, opened: OpenedStorage, pieceLayers: VerifiedLayers | undefined): Content {
    return new Content({
      ...this.instructions.toStart(info, opened.selectedFiles),
      info,
      usesV2: this.identity.hashes.v2 !== undefined,
      pieceLayers,
      opened,
      isPaused: this.#isPaused,
      host: {
        shared: this.#host.shared,
        traffic: this.traffic,
        peers: this.crowd.peers,
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
        convict: (peer) => this.crowd.convict(peer),
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
    this.crowd.partFromRedundant();
  }

  #onUploadOnlyChanged(): void {
    if (this.#content?.isUploadOnly === true) this.crowd.partFromRedundant();
    else this.crowd.seekPeers();
    this.#dialogue.sayUploadOnly();
  }

  #emitPeer(peer: Peer, change: 'connected' | 'gone'): void {
    this.events.emit('peer', { peer: describePeer(peer, this.nowMs()), change });
  }

  #fail(error: unknown): void {
    if (this.#isStopped) return;
    const reported = error instanceof Error ? error : new StorageFailed('storage failed', {}, { cause: error });
    this.#host.shared.ports.log.error('torrent.failed', {
      infoHash: this.identity.hashes.v1 ?? this.identity.hashes.v2,
      error: reported,
    });
    this.#failure = reported;
    this.metadata.settled(reported);
    this.events.emit('error', reported);
  }

  async #stop(): Promise<void> {
    this.#isStopped = true;
    this.events.emit('stopped', undefined);
    this.crowd.close();
    this.metadata.settled();
    const working = [this.#tasks.stop(), this.#content?.stop()];
    await endInTurn([
      () => endTogether(working),
      () => this.#content?.store.storage.close(),
      () => this.events.removeAll(),
      () => this.#host.stopped(this),
    ]);
  }
}
