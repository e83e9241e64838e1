/**
 * The pieces of many torrents in one folder of the browser, for programs that keep no list of their own: what is there is
 * read from the folder, what may be there is decided by a `StorageBudget`. A torrent is open once, and not given up while
 * it is.
 */
import type { Clock } from '../../base/clock.ts';
import { NoSpace } from '../../base/errors.ts';
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

  /** `name` is the torrent's and a file name. @throws NoSpace when there is no room for it, Conflict, StorageFailed */
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
    for (const evicted of plan.evict) await this.remove(evicted);
    const memory = new MemoryStorage(pieceLengthBytes, this.#memory);
    if (plan.kind === 'memory' || this.#folder === undefined) {
      this.#open.set(name, { place: 'memory', sizeBytes });
      return { storage: this.#closing(name, memory), have: new Bitfield(info.pieceCount) };
    }
    const disk = await RecordedStorage.open(this.#folder, name, info);
    this.#open.set(name, { place: 'disk', sizeBytes });
    const storage = new OverflowStorage(disk, memory, pieceLengthBytes, () => this.#giveWay(name));
    return { storage: this.#closing(name, storage), have: disk.have };
  }

  async #giveWay(forName: string): Promise<boolean> {
    const evicted = this.#budget.evictWhenFull(await this.#kept(forName));
    if (evicted !== undefined) await this.remove(evicted);
    return evicted !== undefined;
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
      close: async () => {
        await storage.close();
        this.#open.delete(name);
      },
    };
  }
}
