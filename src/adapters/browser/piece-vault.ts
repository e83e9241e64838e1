/**
 * The pieces of many torrents in one folder of the browser, for programs that keep no list of their own: what is there is
 * read from the folder, what may be there is decided by a `StorageBudget`. A torrent is open once, and not given up while
 * it is.
 */
import type { Clock } from '../../base/clock.ts';
import { Conflict, NoSpace } from '../../base/errors.ts';
import { Bitfield } from '../../codec/bitfield.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';
import type { OpenedStorage } from '../../torrent/index.ts';
import type { PieceStorage } from '../../torrent/ports.ts';
import { MemoryBudget, MemoryStorage } from './memory-storage.ts';
import { OpfsFolder } from './opfs-folder.ts';
import { OverflowStorage } from './overflow-storage.ts';
import { RecordedStorage } from './recorded-storage.ts';
import { type KeptTorrent, LeastRecentBudget, type StorageBudget } from './storage-budget.ts';

export interface PieceVaultOptions {
  /** In the origin private file system. */
  readonly folder: string;
  readonly memoryLimitBytes: number;
  /** Default: as much as the browser grants, the least recently used going first. */
  readonly budget: StorageBudget | undefined;
  readonly clock: Clock;
}

interface OpenTorrent {
  readonly place: KeptTorrent<string>['place'];
  readonly sizeBytes: number;
}

/** The file beside the pieces that says which are there. */
const RECORD = '.have';

export class PieceVault {
  readonly #folder: OpfsFolder | undefined;
  readonly #memory: MemoryBudget;
  readonly #budget: StorageBudget;
  readonly #open = new Map<string, OpenTorrent>();
  /** One torrent is opened after the other: each plan counts what the one before it took. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(folder: OpfsFolder | undefined, { memoryLimitBytes, budget }: PieceVaultOptions) {
    this.#folder = folder;
    this.#memory = new MemoryBudget(memoryLimitBytes);
    this.#budget = budget ?? new LeastRecentBudget({ hasDisk: folder !== undefined, memoryLimitBytes });
  }

  static async open(options: PieceVaultOptions): Promise<PieceVault> {
    return new PieceVault(await OpfsFolder.open(options.folder, options.clock), options);
  }

  /**
   * `name` is the torrent's and a file name. In memory where there is no disk, or another tab has the torrent open: each
   * tab is a peer of its own. @throws NoSpace when there is no room for it, StorageFailed
   */
  open(name: string, info: TorrentInfo): Promise<OpenedStorage> {
    const opening = this.#turn.then(() => this.#openNow(name, info));
    this.#turn = opening.catch(() => undefined); // the caller hears of it
    return opening;
  }

  /** Frees the space of a torrent that is not open. @throws Conflict while it is, StorageFailed */
  async remove(name: string): Promise<void> {
    await this.#folder?.remove(name);
    await this.#folder?.remove(`${name}${RECORD}`);
  }

  async #openNow(name: string, info: TorrentInfo): Promise<OpenedStorage> {
    const { totalBytes: sizeBytes, pieceLengthBytes } = info;
    const plan = await this.#budget.plan(sizeBytes, await this.#kept(name));
    if (plan.kind === 'refuse')
      throw new NoSpace('there is no room for the torrent', { sizeBytes, limitBytes: plan.limitBytes });
    for (const evicted of plan.evict) await unlessElsewhere(() => this.remove(evicted));
    const memory = new MemoryStorage(pieceLengthBytes, this.#memory);
    const disk = plan.kind === 'memory' ? undefined : await this.#openOnDisk(name, info);
    this.#open.set(name, { place: disk === undefined ? 'memory' : 'disk', sizeBytes });
    if (disk === undefined) return { storage: this.#closing(name, memory), have: new Bitfield(info.pieceCount) };
    const storage = new OverflowStorage(disk, memory, pieceLengthBytes, () => this.#giveWay(name));
    return { storage: this.#closing(name, storage), have: disk.have };
  }

  /** Undefined without a disk, and where another tab has the torrent open: a file of the browser's has one user. */
  async #openOnDisk(name: string, info: TorrentInfo): Promise<RecordedStorage | undefined> {
    const folder = this.#folder;
    return folder === undefined ? undefined : unlessElsewhere(() => RecordedStorage.open(folder, name, info));
  }

  async #giveWay(forName: string): Promise<boolean> {
    let kept = await this.#kept(forName);
    for (;;) {
      const evicted = this.#budget.evictWhenFull(kept);
      if (evicted === undefined) return false;
      if (await unlessElsewhere(() => this.remove(evicted).then(() => true))) return true;
      kept = kept.filter(({ key }) => key !== evicted);
    }
  }

  /** What is stored, but for one. A closed torrent is charged for what its file has. */
  async #kept(except: string): Promise<KeptTorrent<string>[]> {
    const kept = Array.from(this.#open, ([key, open]) => ({
      key,
      ...open,
      lastUsedMs: Number.POSITIVE_INFINITY,
      inUse: true,
    }));
    for (const key of (await this.#folder?.list()) ?? []) {
      if (key.endsWith(RECORD) || this.#open.has(key)) continue;
      const found = await this.#folder?.describe(key);
      if (found !== undefined)
        kept.push({ key, place: 'disk', inUse: false, sizeBytes: found.sizeBytes, lastUsedMs: found.changedAtMs });
    }
    return kept.filter(({ key }) => key !== except);
  }

  #closing(name: string, storage: PieceStorage): PieceStorage {
    return {
      read: (views, position) => storage.read(views, position),
      write: (bytes, position) => storage.write(bytes, position),
      sync: () => storage.sync(),
      forget: (pieces) => storage.forget?.(pieces),
      close: async () => {
        await storage.close();
        this.#open.delete(name);
      },
    };
  }
}

/** Undefined where another tab has the file open. */
async function unlessElsewhere<Result>(use: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await use();
  } catch (error) {
    if (error instanceof Conflict) return undefined;
    throw error;
  }
}
