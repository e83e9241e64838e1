/**
 * The worker's half: the engine, hashing and the pieces, in a dedicated worker of a page that runs a `PageSwarm`. Pieces
 * are kept in the origin private file system, or in memory, bounded, where the browser has none to give or another tab
 * has them open: each tab is a peer of its own, and goes on when the other closes.
 */
import type { SwarmWish } from '../../adapters/browser/link-messages.ts';
import { PieceVault } from '../../adapters/browser/piece-vault.ts';
import type { StorageBudget } from '../../adapters/browser/storage-budget.ts';
import { subtleHasher } from '../../adapters/browser/subtle-hasher.ts';
import { WorkerLinks } from '../../adapters/browser/worker-links.ts';
import { systemClock } from '../../base/clock.ts';
import { withDefaults } from '../../base/defaults.ts';
import { endInTurn } from '../../base/endings.ts';
import { InvalidInput } from '../../base/errors.ts';
import type { SwarmKey } from '../../base/ids.ts';
import { type Log, silentLog } from '../../base/log.ts';
import { checkKeys, checkSignal, checkTexts, type OptionKeys } from '../../base/options.ts';
import { TaskGroup } from '../../base/tasks.ts';
import { MIB, SECOND_MS } from '../../base/units.ts';
import { infoHashesOf } from '../../codec/metainfo.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';
import { type TorrentLinks, torrentLinksOf } from '../../codec/torrent-links.ts';
import { readTorrentSource } from '../../codec/torrent-source.ts';
import { latinIdOf } from '../../codec/tracker-ws.ts';
import {
  type AddOptions,
  Engine,
  type EngineLimits,
  type OpenedStorage,
  type PeerSocket,
  type RateLimits,
  type Torrent,
  type TorrentOptions,
} from '../../torrent/index.ts';
import { checkTorrentOptions } from '../../torrent/options-check.ts';
import { fromPage, type FromWorker, sealed } from './messages.ts';
import { hashPicked, type HashPickedOptions } from './picked-files.ts';

const FOLDER = 'seedbed-torrents';
const WISH_MS = 5 * SECOND_MS;
/** A browser tab, not a server: memory for pieces on their way in and out. */
const LIMITS: Partial<EngineLimits> = {
  pieceBufferBytes: 64 * MIB,
  serveBufferBytes: 16 * MIB,
  maxConnections: 40,
  maxConnectionsPerTorrent: 10,
};

/** How the worker's half keeps pieces. Everything has a default. */
export interface WorkerSwarmOptions {
  /** Global caps of the engine; default: those of a tab, 40 connections and 80 MiB of buffers. */
  readonly limits?: Partial<EngineLimits>;
  /** Pieces in memory, where the disk has no room or the browser no disk; all torrents together. Default 256 MiB. */
  readonly memoryLimitBytes?: number;
  /** Who may be stored, and who must go for it. Default: as much as the browser grants, the least recently used going first. */
  readonly budget?: StorageBudget;
  /** Default: nothing is logged. */
  readonly log?: Log;
}

/** How a torrent is downloaded; limits are in bytes per second. */
export type WorkerTorrentOptions = Pick<TorrentOptions, 'mode' | 'selectedFiles' | 'webSeedUse'> & RateLimits;

const SWARM_KEYS: OptionKeys<WorkerSwarmOptions> = { limits: true, memoryLimitBytes: true, budget: true, log: true };
const ADD_KEYS: OptionKeys<WorkerTorrentOptions> = {
  mode: true,
  selectedFiles: true,
  webSeedUse: true,
  uploadBytesPerSecond: true,
  downloadBytesPerSecond: true,
};

/** What torrent is made of picked files, and where it is announced. */
export interface SeedPickedOptions extends HashPickedOptions {
  /** URLs that go into the magnet link and the .torrent file. */
  readonly trackers?: readonly string[];
}

const SEED_KEYS: OptionKeys<SeedPickedOptions> = {
  name: true,
  format: true,
  pieceLengthBytes: true,
  hashed: true,
  signal: true,
  trackers: true,
};

/** Picked files that are being served. */
export interface SeededTorrent extends TorrentLinks {
  /** Stop it to end the serving. */
  readonly torrent: Torrent;
}

/** @throws InvalidInput */
function nameOf(files: readonly File[], { name }: SeedPickedOptions): string {
  const [only, second] = files;
  if (name !== undefined) return name;
  if (only === undefined || second !== undefined) throw new InvalidInput('several files need a name for their torrent');
  return only.name;
}

/** An engine with everything it needs in a page's dedicated worker. `await using`, or `stop`, ends all of it. */
export class WorkerSwarm implements AsyncDisposable {
  /** Finds torrents and holds the limits. */
  readonly engine: Engine;
  readonly #vault: Promise<PieceVault>;
  readonly #joined = new Map<SwarmKey, Torrent>();
  readonly #tasks: TaskGroup;
  readonly #listening = new AbortController();

  /** In the worker's first turn; the page's `PageSwarm` hears of it and brings peers. */
  constructor(options: WorkerSwarmOptions = {}) {
    checkKeys('WorkerSwarm', options, SWARM_KEYS);
    const { limits = {}, memoryLimitBytes = 256 * MIB, budget, log = silentLog } = options;
    this.#vault = PieceVault.open({ folder: FOLDER, memoryLimitBytes, budget, clock: systemClock });
    this.#tasks = new TaskGroup(log);
    const ports = { clock: systemClock, hasher: subtleHasher, log, random: Math.random, dialers: [] };
    this.engine = new Engine({ ports, limits: withDefaults<Partial<EngineLimits>>(LIMITS, limits) });
    const links = new WorkerLinks({
      attach: (key, socket) => this.#attach(key, socket),
      done: (link) => tell({ kind: 'link-done', link }),
    });
    const hear = ({ data }: MessageEvent<unknown>): void => {
      const message = fromPage(data);
      if (message !== undefined) links.hear(message);
    };
    globalThis.addEventListener('message', hear, { signal: this.#listening.signal });
    this.#tasks.every('swarm.wishes', WISH_MS, systemClock, async () => this.#wishAll());
    tell({ kind: 'hello', peerId: latinIdOf(this.engine.peerId) });
  }

  /**
   * Downloads what a magnet link, or the bytes of a .torrent file, names, and gives it to others, until the torrent or the
   * swarm is stopped. Peers come through the page's tracker; the trackers, peers and HTTP sources that it names itself are
   * not asked (for one you trust: `torrent.addWebSeed(FetchSource.of(url, info))`). Resolves at once; `torrent.ready()` waits
   * for the metadata, and the event `error` says that a magnet link's pieces could not be kept.
   * @throws InvalidInput for what is neither or a wrong option, Conflict when it is running already; NoSpace,
   *   StorageFailed for a .torrent file whose pieces cannot be kept
   */
  async add(source: string | Uint8Array, options: WorkerTorrentOptions = {}): Promise<Torrent> {
    checkKeys('add', options, ADD_KEYS);
    checkTorrentOptions(options);
    const { hashes, info, pieceLayers, selectedFiles } = await readTorrentSource(source);
    const common = {
      ...withDefaults<WorkerTorrentOptions>({ ...(selectedFiles && { selectedFiles }) }, options),
      ...hashes,
    };
    const torrent =
      info === undefined
        ? this.engine.addByHash({ ...common, openStorage: (known) => this.openPieces(known) })
        : await this.#addKnown({ ...common, info, ...(pieceLayers && { pieceLayers }) });
    this.join(torrent);
    return torrent;
  }

  /**
   * Hashes files a person picked and serves them from where they lie, until the torrent or the swarm is stopped; a picked
   * folder keeps its paths. Peers come through the page's tracker: name it, too, for those who get the links.
   * @throws InvalidInput for no bytes, several files without a name, or files that make no torrent; StorageFailed when one
   *   cannot be read any more, Conflict when one changed or the torrent is running already, Cancelled
   */
  async seed(picked: File | readonly File[], options: SeedPickedOptions = {}): Promise<SeededTorrent> {
    checkKeys('seed', options, SEED_KEYS);
    checkSignal(options.signal);
    const { trackers = [], ...hashing } = options;
    checkTexts('trackers', trackers);
    const files = picked instanceof File ? [picked] : picked;
    const { info, pieceLayers, name, storage } = await hashPicked(files, { ...hashing, name: nameOf(files, options) });
    const known = { hashes: await infoHashesOf(info), info, ...(pieceLayers && { pieceLayers }) };
    const torrent = this.engine.add({
      ...known.hashes,
      info,
      ...(pieceLayers && { pieceLayers }),
      storage,
      have: 'all',
      mode: 'seed-only',
    });
    this.join(torrent);
    const createdAtSec = Math.floor(systemClock.nowMs() / SECOND_MS);
    return { ...torrentLinksOf({ ...known, name, trackers, createdAtSec }), torrent };
  }

  /**
   * Where the pieces of a torrent go, with what earlier visits left: for `engine.add` and `openStorage`.
   * In memory where another tab has them open. @throws NoSpace when there is no room for it, StorageFailed
   */
  async openPieces(info: TorrentInfo): Promise<OpenedStorage> {
    const { v1, v2 } = await infoHashesOf(info);
    return (await this.#vault).open(v2 ?? v1 ?? info.name, info);
  }

  /** Meets the torrent's peers from now on, until it is stopped. */
  join(torrent: Torrent): void {
    if (torrent.isStopped) return;
    for (const event of ['metadata', 'done'] as const) torrent.events.on(event, () => this.#wish(torrent));
    torrent.events.on('stopped', () => this.#leave(torrent));
    this.#wish(torrent);
  }

  /** Stops every torrent and closes its pieces. */
  async stop(): Promise<void> {
    this.#listening.abort();
    await endInTurn([() => this.#tasks.stop(), () => this.engine.stop()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #addKnown(options: Omit<AddOptions, keyof OpenedStorage>): Promise<Torrent> {
    const opened = await this.openPieces(options.info);
    try {
      return this.engine.add({ ...options, ...opened });
    } catch (error) {
      await opened.storage.close();
      throw error;
    }
  }

  #attach(key: SwarmKey, socket: PeerSocket): void {
    const torrent = this.#joined.get(key);
    if (torrent === undefined) socket.close();
    else torrent.attach(socket, { foundBy: key });
  }

  #wishAll(): void {
    for (const torrent of new Set(this.#joined.values())) this.#wish(torrent);
  }

  #leave(torrent: Torrent): void {
    for (const key of torrent.keys) if (this.#joined.delete(key)) tell({ kind: 'leave', key });
  }

  #wish(torrent: Torrent): void {
    for (const key of torrent.keys) {
      this.#joined.set(key, torrent); // a hybrid's other key comes with its metadata
      tell({ kind: 'wish', key, wish: wishOf(torrent) });
    }
  }
}

function wishOf(torrent: Torrent): SwarmWish {
  const { totalBytes, progress, bytesFromPeers, bytesFromHttp, uploadedBytes } = torrent.stats();
  return {
    wantsPeers: !torrent.isComplete,
    leftBytes: totalBytes === undefined ? undefined : Math.round(totalBytes * (1 - progress)),
    downloadedBytes: bytesFromPeers + bytesFromHttp,
    uploadedBytes,
  };
}

function tell(message: FromWorker): void {
  globalThis.postMessage(sealed(message));
}
