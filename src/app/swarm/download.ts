/**
 * One download from source to finished files. It is written to `<target>.part` and gets its name when every piece is
 * verified, synced and, for a canonical torrent, the whole has the sha256 it is named by. Invariant: what stands under the
 * final name is complete and right; what was interrupted goes on where it stopped.
 */
import { createHash } from 'node:crypto';
import { rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { nodeDisk } from '../../adapters/fs/disk.ts';
import { FilePieceStorage } from '../../adapters/fs/piece-storage.ts';
import { placeFiles, safeSegment } from '../../adapters/fs/placement.ts';
import { ResumeFile } from '../../adapters/fs/resume-file.ts';
import { Volume } from '../../adapters/fs/volume.ts';
import { systemClock } from '../../base/clock.ts';
import { endInTurn } from '../../base/endings.ts';
import { Conflict, HashMismatch, StorageFailed, throwIfAborted } from '../../base/errors.ts';
import type { SwarmKey } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import { TaskGroup } from '../../base/tasks.ts';
import { MIB, SECOND_MS } from '../../base/units.ts';
import { Bitfield } from '../../codec/bitfield.ts';
import { canonicalSha256Of } from '../../codec/canonical.ts';
import type { FileRange } from '../../codec/magnet.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';
import type { TorrentSource } from '../../codec/torrent-source.ts';
import { checkPieces } from '../../kit/node/check-pieces.ts';
import type { SwarmNode } from '../../kit/node/swarm-node.ts';
import { addWebSeeds } from '../../kit/node/web-seeds.ts';
import type { PeerAddress, Torrent } from '../../torrent/index.ts';
import { chooseFiles, type FileFilter } from './file-filter.ts';

const SAVE_MS = 5 * SECOND_MS;

export interface DownloadOptions {
  readonly source: TorrentSource;
  /** File or folder to make; undefined: the torrent's name in the working folder. */
  readonly target?: string;
  /** Files to fetch; absent: those the source selects, else all. */
  readonly files?: FileFilter;
  /** Peers that the person named, to dial wherever they are. */
  readonly peers: readonly PeerAddress[];
  /** Whether web seeds are used. */
  readonly useWebSeeds: boolean;
  readonly log: Log;
}

export type DownloadPhase = 'metadata' | 'checking' | 'downloading' | 'finishing' | 'done';

export interface DownloadProgress {
  readonly phase: DownloadPhase;
  readonly name: string | undefined;
  /** Of the files to fetch; undefined before the metadata is known. */
  readonly totalBytes: number | undefined;
  readonly doneBytes: number;
  readonly bytesPerSecond: number;
  readonly peers: number;
  readonly bytesFromPeers: number;
  readonly bytesFromHttp: number;
}

export interface DownloadResult {
  readonly path: string;
  readonly sizeBytes: number;
  readonly bytesFromPeers: number;
  readonly bytesFromHttp: number;
}

interface OpenedFiles {
  readonly storage: FilePieceStorage;
  readonly have: Bitfield;
  /** None: all. */
  readonly selectedFiles?: readonly FileRange[];
}

/** Files of a download on their way. */
interface Workplace {
  readonly target: string;
  readonly part: string;
  /** What is kept of files that are not fetched, until the end. */
  readonly rest: string;
  readonly storage: FilePieceStorage;
  /** Undefined where everything stood under its final name from the start. */
  readonly resume: ResumeFile | undefined;
}

export class Download {
  readonly #options: DownloadOptions;
  readonly #node: SwarmNode;
  readonly #volume: Volume;
  readonly #tasks: TaskGroup;
  #phase: DownloadPhase = 'metadata';
  #torrent: Torrent | undefined;
  #workplace: Workplace | undefined;
  #checkedBytes = 0;
  #checkingBytes: number | undefined;

  constructor(node: SwarmNode, options: DownloadOptions) {
    this.#node = node;
    this.#options = options;
    this.#volume = new Volume(nodeDisk, options.log);
    this.#tasks = new TaskGroup(options.log);
  }

  progress(): DownloadProgress {
    const stats = this.#torrent?.stats();
    const isChecking = this.#phase === 'checking';
    return {
      phase: this.#phase,
      name: this.#options.source.name ?? this.#torrent?.info?.name,
      totalBytes: isChecking ? this.#checkingBytes : stats?.selectedBytes,
      doneBytes: isChecking ? this.#checkedBytes : (stats?.heldSelectedBytes ?? 0),
      bytesPerSecond: stats?.downloadBytesPerSecond ?? 0,
      peers: stats?.peers ?? 0,
      bytesFromPeers: stats?.bytesFromPeers ?? 0,
      bytesFromHttp: stats?.bytesFromHttp ?? 0,
    };
  }

  /**
   * Resolves when the files stand under their name. Aborted, it keeps what it has for the next time.
   * @throws Cancelled, Conflict when something else has the name, HashMismatch, NoSpace, StorageFailed
   */
  async run(signal: AbortSignal): Promise<DownloadResult> {
    const torrent = await this.#start(signal);
    try {
      const info = await torrent.ready(signal);
      await torrent.done(signal);
      return await this.#finish(torrent, info, signal);
    } finally {
      await endInTurn([
        () => this.#tasks.stop(),
        () => torrent.stop(),
        () => this.#save(torrent.have),
        () => this.#workplace?.storage.close(),
      ]);
    }
  }

  async #start(signal: AbortSignal): Promise<Torrent> {
    const { source, peers, useWebSeeds, log } = this.#options;
    const { engine } = this.#node;
    const opened = source.info && (await this.#open(source.info, signal));
    const common = {
      ...source.hashes,
      peers: source.peers,
      mode: 'all' as const,
      webSeedUse: 'always' as const,
    };
    const torrent =
      source.info === undefined || opened === undefined
        ? engine.addByHash({ ...common, openStorage: (info) => this.#open(info, signal) })
        : engine.add({
            ...common,
            ...opened,
            info: source.info,
            ...(source.pieceLayers && { pieceLayers: source.pieceLayers }),
          });
    this.#torrent = torrent;
    torrent.addPeers(peers, 'judged');
    if (useWebSeeds) addWebSeeds(this.#node, torrent, source.webSeeds, { log });
    this.#node.announce(torrent, source.trackers, 'told');
    this.#tasks.every('download.save', SAVE_MS, systemClock, () => this.#save(torrent.have));
    return torrent;
  }

  async #open(info: TorrentInfo, signal: AbortSignal): Promise<OpenedFiles> {
    const selectedFiles = this.#chooseFiles(info);
    const target = path.resolve(this.#options.target ?? safeSegment(this.#options.source.name ?? info.name));
    if (await exists(target)) return this.#openExisting(info, target, signal);
    const part = `${target}.part`;
    const rest = `${part}.rest`;
    const files = placeFiles(info, part, { ranges: selectedFiles, rest });
    const key = (this.#options.source.hashes.v1 ?? this.#options.source.hashes.v2)?.slice(0, 40) as SwarmKey;
    const resume = new ResumeFile(this.#volume, `${part}.resume`, key, files);
    const known = await resume.load(info.pieceCount);
    const wasThere = await exists(part);
    const storage = new FilePieceStorage(this.#volume, files, 'write');
    this.#workplace = { target, part, rest, storage, resume };
    await storage.prepare();
    const have = known ?? (wasThere ? await this.#check(info, storage, signal) : new Bitfield(info.pieceCount));
    this.#phase = 'downloading';
    return { storage, have, selectedFiles };
  }

  /** @throws InvalidInput when none of the torrent's files is meant */
  #chooseFiles(info: TorrentInfo): FileRange[] {
    const { files, source } = this.#options;
    const named = source.selectedFiles?.length ? { ranges: source.selectedFiles, patterns: [] } : undefined;
    return chooseFiles(info, files ?? named);
  }

  /** Something has the name already: either it is what was asked for, whole, or it stays untouched. */
  async #openExisting(info: TorrentInfo, target: string, signal: AbortSignal): Promise<OpenedFiles> {
    const storage = new FilePieceStorage(this.#volume, placeFiles(info, target), 'read');
    const have = await this.#check(info, storage, signal).catch((error: unknown) => {
      if (error instanceof StorageFailed) return new Bitfield(info.pieceCount); // shorter, or no file
      throw error;
    });
    if (!have.isComplete) {
      await storage.close();
      throw new Conflict(`${target} is there already; choose another name with -o`, { target });
    }
    this.#workplace = { target, part: target, rest: `${target}.part.rest`, storage, resume: undefined };
    return { storage, have };
  }

  /** Bytes from an earlier run whose record does not hold: every piece is looked at. */
  #check(info: TorrentInfo, storage: FilePieceStorage, signal: AbortSignal): Promise<Bitfield> {
    this.#phase = 'checking';
    this.#checkingBytes = info.totalBytes;
    const { pieceLayers } = this.#options.source;
    const checked = (checkedBytes: number): void => void (this.#checkedBytes = checkedBytes);
    return checkPieces(info, storage, signal, checked, pieceLayers);
  }

  async #finish(torrent: Torrent, info: TorrentInfo, signal: AbortSignal): Promise<DownloadResult> {
    const workplace = this.#workplace;
    if (workplace === undefined) throw new Conflict('the download has no place');
    this.#phase = 'finishing';
    await this.#checkWhole(info, workplace, signal);
    await workplace.storage.close();
    if (workplace.part !== workplace.target) await giveName(workplace);
    await rm(workplace.rest, { force: true });
    await workplace.resume?.remove();
    this.#workplace = undefined;
    this.#phase = 'done';
    const { bytesFromPeers, bytesFromHttp, selectedBytes: sizeBytes = info.totalBytes } = torrent.stats();
    return { path: workplace.target, sizeBytes, bytesFromPeers, bytesFromHttp };
  }

  /** A canonical torrent is named by the sha256 of its bytes; SHA-1 pieces alone are no proof of that. */
  async #checkWhole(info: TorrentInfo, { storage }: Workplace, signal: AbortSignal): Promise<void> {
    const wanted = canonicalSha256Of(info);
    if (wanted === undefined) return;
    const hash = createHash('sha256');
    const buffer = new Uint8Array(MIB);
    for (let at = 0; at < info.totalBytes; at += buffer.length) {
      throwIfAborted(signal);
      const view = buffer.subarray(0, Math.min(buffer.length, info.totalBytes - at));
      await storage.read([view], at);
      hash.update(view);
    }
    const found = hash.digest('hex');
    if (found !== wanted) throw new HashMismatch('the bytes are not those the torrent is named by', { wanted, found });
  }

  async #save(have: Bitfield): Promise<void> {
    const workplace = this.#workplace;
    if (workplace?.resume === undefined || have.length === 0) return;
    const certain = have.clone(); // pieces that come while we sync are not in it
    await workplace.storage.sync();
    await workplace.resume.save(certain);
  }
}

async function giveName({ part, target }: Workplace): Promise<void> {
  if (await exists(target)) throw new Conflict(`${target} appeared meanwhile`);
  await rename(part, target);
  await nodeDisk.syncDirectory(path.dirname(target));
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
