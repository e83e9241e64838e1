/**
 * One medium in the swarm worker, from "somebody opened it" to "it is seeded". Invariants: connections that come before
 * the metadata wait (bounded); held pieces are recorded only after they were flushed; nothing of it is left after `stop`.
 */
import { FetchSource } from '../../../src/adapters/browser/fetch-source.ts';
import type { StoragePlan } from '../../../src/adapters/browser/storage-budget.ts';
import type { SwarmWish } from '../../../src/adapters/browser/link-messages.ts';
import { AppError, HashMismatch, throwIfAborted, Unavailable } from '../../../src/base/errors.ts';
import { type InfoHashV1, type Sha256, type SwarmKey, swarmKeyOf } from '../../../src/base/ids.ts';
import type { Log } from '../../../src/base/log.ts';
import type { ByteRange } from '../../../src/base/range.ts';
import { TaskGroup } from '../../../src/base/tasks.ts';
import { parseTorrentInfo, type TorrentInfo } from '../../../src/codec/torrent-info.ts';
import type { Engine, OpenedStorage, Torrent } from '../../../src/torrent/index.ts';
import type { PeerSocket, PieceStorage } from '../../../src/torrent/ports.ts';
import type { HeldMedium, SwarmStats } from '../swarm/types.ts';
import { createFlatHash } from './flat-hash.ts';
import type { HeldStore } from './held-store.ts';
import { checkCanonical, fetchInfo } from './metadata.ts';
import { RateWindow } from './rate-window.ts';
import type { Readable } from './stream-server.ts';

/** The page's own cap per torrent. */
const MAX_WAITING_SOCKETS = 10;

export interface MediumFacts {
  readonly infoHash: InfoHashV1;
  readonly sha256: Sha256;
  readonly name: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly pieceLengthBytes: number;
}

/** Where the bytes and the metadata come from. */
export type Origin =
  /** Held since an earlier time. */
  | { readonly kind: 'held' }
  | { readonly kind: 'file'; readonly storage: PieceStorage; readonly rawInfo: Uint8Array }
  /** Nothing is here yet; without `torrentUrl` the metadata come from peers. */
  | { readonly kind: 'new'; readonly torrentUrl: string | undefined };

export interface HostedPorts {
  readonly engine: Engine;
  readonly store: HeldStore;
  readonly log: Log;
  /** Where so many bytes more may go; idle media that must go for them have been let go of. */
  makeRoom(neededBytes: number): Promise<StoragePlan<InfoHashV1>>;
  /** The disk is full: gives up another medium; false when none may go. */
  giveWay(infoHash: InfoHashV1): Promise<boolean>;
  /** 0 serves nobody. */
  uploadBytesPerSec(kept: HeldMedium['kept']): number;
  /** The wish or the figures changed. */
  changed(torrent: HostedTorrent): void;
  /** The whole is not the medium, although every piece is the torrent's: it must go. */
  disproved(torrent: HostedTorrent): void;
}

export class HostedTorrent {
  readonly facts: MediumFacts;
  readonly key: SwarmKey;
  /** Tabs that have it open. */
  readonly openers = new Set<string>();
  readonly #origin: Origin;
  readonly #ports: HostedPorts;
  readonly #tasks: TaskGroup;
  readonly #webSeeds = new Set<string>();
  readonly #peersRate = new RateWindow();
  readonly #httpRate = new RateWindow();
  readonly #uploadRate = new RateWindow();
  readonly #waiters = new Set<() => void>();
  readonly #giveWay = (): Promise<boolean> => this.#ports.giveWay(this.facts.infoHash);
  #torrent: Torrent | undefined;
  #error: AppError | undefined;
  #waitingSockets: PeerSocket[] = [];
  #uploadedBefore = 0;
  /** Pieces and bytes as last recorded. */
  #saved = '0 0';

  constructor(facts: MediumFacts, origin: Origin, ports: HostedPorts) {
    this.facts = facts;
    this.key = swarmKeyOf(facts.infoHash);
    this.#origin = origin;
    this.#ports = ports;
    this.#tasks = new TaskGroup(ports.log);
  }

  get kept(): HeldMedium['kept'] {
    if (this.#origin.kind === 'file') return 'file';
    return this.#ports.store.placeOf(this.facts.infoHash) === 'disk' ? 'store' : 'memory';
  }

  get isComplete(): boolean {
    return this.#torrent?.isComplete ?? false;
  }

  /** Whether it has anything to give. */
  get isHolding(): boolean {
    return (this.#torrent?.have.count ?? 0) > 0;
  }

  get error(): AppError | undefined {
    return this.#error;
  }

  start(): void {
    this.#tasks.run('torrent.start', async (signal) => {
      try {
        this.#begin(await this.#open(signal));
      } catch (error) {
        if (!signal.aborted) this.#fail(error);
      }
    });
  }

  /** Resolves when bytes can be read. @throws Cancelled, or the error that ended it */
  async ready(signal: AbortSignal): Promise<Readable> {
    while (this.#torrent?.info === undefined) {
      if (this.#error !== undefined) throw this.#error;
      throwIfAborted(signal);
      await new Promise<void>((resolve) => {
        this.#waiters.add(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    const torrent = this.#torrent;
    return {
      sizeBytes: this.facts.sizeBytes,
      type: this.facts.type,
      read: ({ start, endExclusive }: ByteRange) => torrent.read({ start, endExclusive }),
    };
  }

  /** A connection to a peer of this torrent. */
  attach(socket: PeerSocket): void {
    if (this.#torrent !== undefined) return this.#torrent.attach(socket);
    if (this.#waitingSockets.length >= MAX_WAITING_SOCKETS || this.#error !== undefined) socket.close();
    else this.#waitingSockets.push(socket);
  }

  /** The server has the bytes at this URL. */
  addWebSeed(url: string): void {
    if (this.#webSeeds.has(url)) return;
    this.#webSeeds.add(url);
    this.#torrent?.addWebSeed(new FetchSource(url));
  }

  /** Applies a changed upload limit. */
  limit(): void {
    this.#torrent?.setLimits({ uploadBytesPerSecond: this.#ports.uploadBytesPerSec(this.kept) });
  }

  wish(): SwarmWish {
    const stats = this.#torrent?.stats();
    const isKnown = this.#torrent?.info !== undefined;
    return {
      wantsPeers: this.openers.size > 0 && !this.isComplete && this.#error === undefined,
      leftBytes: isKnown ? this.facts.sizeBytes - this.#haveBytes() : undefined,
      downloadedBytes: (stats?.bytesFromPeers ?? 0) + (stats?.bytesFromHttp ?? 0),
      uploadedBytes: stats?.uploadedBytes ?? 0,
    };
  }

  stats(nowMs: number, isHttpOnly: boolean): SwarmStats {
    const stats = this.#torrent?.stats();
    const { bytesFromPeers = 0, bytesFromHttp = 0, uploadedBytes = 0 } = stats ?? {};
    const { infoHash, sizeBytes, pieceLengthBytes } = this.facts;
    return {
      infoHash,
      state: this.#state(isHttpOnly),
      peers: stats?.peers ?? 0,
      sizeBytes,
      haveBytes: this.#haveBytes(),
      fromPeersBytes: bytesFromPeers,
      fromHttpBytes: bytesFromHttp,
      uploadedBytes,
      fromPeersBytesPerSec: this.#peersRate.sample(bytesFromPeers, nowMs),
      fromHttpBytesPerSec: this.#httpRate.sample(bytesFromHttp, nowMs),
      uploadBytesPerSec: this.#uploadRate.sample(uploadedBytes, nowMs),
      pieceCount: Math.ceil(sizeBytes / pieceLengthBytes),
      pieces: this.#torrent?.have.toBytes() ?? new Uint8Array(0),
    };
  }

  held(): HeldMedium {
    const { infoHash, sha256, name, type, sizeBytes } = this.facts;
    const stats = this.#torrent?.stats();
    return {
      infoHash,
      sha256,
      name,
      type,
      sizeBytes,
      haveBytes: this.#haveBytes(),
      kept: this.kept,
      peers: stats?.peers ?? 0,
      uploadedBytes: this.#uploadedBefore + (stats?.uploadedBytes ?? 0),
      lastUsedMs: this.#ports.store.find(infoHash)?.lastUsedMs ?? 0,
    };
  }

  /** Records what is held and given, if that changed. */
  async save(): Promise<void> {
    const torrent = this.#torrent;
    if (torrent === undefined || this.kept === 'file') return;
    const uploadedBytes = this.#uploadedBefore + torrent.stats().uploadedBytes;
    const state = `${torrent.have.count} ${uploadedBytes}`;
    if (state === this.#saved) return;
    this.#saved = state;
    await this.#ports.store.save(this.facts.infoHash, torrent.have.toBytes(), uploadedBytes);
  }

  /** Saves, then lets go of everything. */
  async stop(): Promise<void> {
    this.#error ??= new Unavailable('the torrent was stopped');
    this.#wake();
    this.#closeWaiting();
    await this.#tasks.stop();
    await this.save();
    await this.#torrent?.stop();
    if (this.kept !== 'file') await this.#ports.store.close(this.facts.infoHash);
  }

  #state(isHttpOnly: boolean): SwarmStats['state'] {
    if (this.isComplete) return 'complete';
    if (isHttpOnly) return 'http-only';
    return this.#torrent?.info === undefined ? 'starting' : 'downloading';
  }

  #haveBytes(): number {
    const have = this.#torrent?.have;
    if (have === undefined) return 0;
    const { sizeBytes, pieceLengthBytes } = this.facts;
    const lastPiece = Math.ceil(sizeBytes / pieceLengthBytes) - 1;
    const missingInLast = have.has(lastPiece) ? (lastPiece + 1) * pieceLengthBytes - sizeBytes : 0;
    return have.count * pieceLengthBytes - missingInLast;
  }

  async #open(signal: AbortSignal): Promise<Torrent> {
    const origin = this.#origin;
    if (origin.kind === 'file')
      return this.#add(parseTorrentInfo(origin.rawInfo), { storage: origin.storage, have: 'all' });
    if (origin.kind === 'held') return this.#openHeld();
    const info = origin.torrentUrl === undefined ? undefined : await this.#infoFromServer(origin.torrentUrl, signal);
    if (info !== undefined) return this.#add(info, await this.#create(info));
    return this.#ports.engine.addByHash({
      v1: this.facts.infoHash,
      mode: 'on-demand',
      openStorage: (found) => this.#create(found),
    });
  }

  /** Undefined when the server does not deliver it: then peers will. */
  async #infoFromServer(url: string, signal: AbortSignal): Promise<TorrentInfo | undefined> {
    try {
      return await fetchInfo(url, this.facts.infoHash, signal);
    } catch (error) {
      this.#ports.log.info('torrent.metadata-from-peers', { infoHash: this.facts.infoHash, error });
      return undefined;
    }
  }

  async #openHeld(): Promise<Torrent> {
    const record = this.#ports.store.find(this.facts.infoHash);
    if (record === undefined) throw new Unavailable('the medium is not held any more');
    this.#uploadedBefore = record.uploadedBytes;
    const opened = await this.#ports.store.openStorage(record.infoHash, this.#giveWay);
    this.#saved = `${opened.have.count} ${record.uploadedBytes}`;
    return this.#add(parseTorrentInfo(record.rawInfo), opened);
  }

  async #create(info: TorrentInfo): Promise<OpenedStorage> {
    checkCanonical(info, this.facts.sha256);
    const record = {
      ...this.facts,
      rawInfo: info.rawInfo,
      have: new Uint8Array(Math.ceil(info.pieceCount / 8)),
      isProven: false,
      uploadedBytes: 0,
      lastUsedMs: 0,
    };
    return this.#ports.store.create(record, await this.#ports.makeRoom(record.sizeBytes), this.#giveWay);
  }

  #add(info: TorrentInfo, opened: OpenedStorage): Torrent {
    const mode = this.#origin.kind === 'file' ? 'seed-only' : 'on-demand';
    return this.#ports.engine.add({ v1: this.facts.infoHash, info, ...opened, mode });
  }

  #begin(torrent: Torrent): void {
    this.#torrent = torrent;
    torrent.events.on('metadata', () => this.#wake());
    torrent.events.on('done', () => this.#completed(torrent));
    torrent.events.on('error', (error) => this.#fail(error));
    this.limit();
    for (const url of this.#webSeeds) torrent.addWebSeed(new FetchSource(url));
    const waiting = this.#waitingSockets;
    this.#waitingSockets = [];
    for (const socket of waiting) torrent.attach(socket);
    this.#wake();
    if (torrent.isComplete && this.#ports.store.find(this.facts.infoHash)?.isProven === false) this.#completed(torrent);
  }

  #completed(torrent: Torrent): void {
    this.#ports.changed(this);
    if (this.kept !== 'file') this.#tasks.run('torrent.prove', (signal) => this.#prove(torrent, signal));
  }

  /** Pieces prove the torrent, not the medium: the info dictionary's name is only a claim. */
  async #prove(torrent: Torrent, signal: AbortSignal): Promise<void> {
    const { infoHash, sha256, sizeBytes } = this.facts;
    using flat = createFlatHash(sizeBytes);
    for await (const bytes of torrent.read({ start: 0, endExclusive: sizeBytes, signal }))
      await flat.update(bytes.buffer);
    if ((await flat.digest()) === sha256) return this.#ports.store.prove(infoHash);
    this.#fail(new HashMismatch('the torrent does not hold the medium that it names', { sha256 }));
    this.#ports.disproved(this);
  }

  #fail(error: unknown): void {
    this.#error ??= error instanceof AppError ? error : new Unavailable('the torrent failed', {}, { cause: error });
    this.#ports.log.warn('torrent.failed', { infoHash: this.facts.infoHash, error });
    this.#closeWaiting();
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
    this.#ports.changed(this);
  }

  #closeWaiting(): void {
    for (const socket of this.#waitingSockets) socket.close();
    this.#waitingSockets = [];
  }
}
