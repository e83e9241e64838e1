/**
 * Who may be stored in this browser, where, and who must go for it: a port that the program fills, and the policy most
 * programs want. Invariants: what is in use is never given up, and no place holds more than its limit.
 */

/** Where the pieces of a torrent are: across visits, or for as long as the worker lives. */
export type StoragePlace = 'disk' | 'memory';

/** A torrent whose pieces are stored now. */
export interface KeptTorrent<Key extends string> {
  readonly key: Key;
  readonly place: StoragePlace;
  /** What it is charged for: its whole size, since a seek to the end fills its file with holes. */
  readonly sizeBytes: number;
  readonly lastUsedMs: number;
  /** Open, playing or being fetched. */
  readonly inUse: boolean;
}

/** Where a torrent is stored, and what goes for it. */
export type StoragePlan<Key extends string> =
  /** `evict` goes first; all of it is in the same place. */
  | { readonly kind: StoragePlace; readonly evict: readonly Key[] }
  /** There is no room for it anywhere. */
  | { readonly kind: 'refuse'; readonly limitBytes: number };

/** Decides about storage; asked before a torrent gets any. */
export interface StorageBudget {
  /** `kept` has everything that is stored, except the torrent that is asked for. */
  plan<Key extends string>(sizeBytes: number, kept: readonly KeptTorrent<Key>[]): Promise<StoragePlan<Key>>;
  /** The disk is full, whatever was believed: which torrent goes, one at a time; undefined where none may. */
  evictWhenFull<Key extends string>(kept: readonly KeptTorrent<Key>[]): Key | undefined;
  /** What may be stored across visits, in bytes; 0 where the browser has no lasting storage. */
  diskLimitBytes(): Promise<number>;
}

/** What the usual policy may use. */
export interface LeastRecentOptions {
  /** False where the browser has no lasting storage (private windows). */
  readonly hasDisk: boolean;
  /** What the user allows, in bytes; asked each time. Default: all the browser grants. */
  readonly wishedBytes?: () => number;
  /** Bytes in memory, all torrents together. */
  readonly memoryLimitBytes: number;
}

/** Shared with the page itself. Browsers tell less than they know, or more than there is: the disk may be full before. */
const GRANT_SHARE = 0.8;

/** On disk while it fits, the least recently used going first; else in memory; else nowhere. */
export class LeastRecentBudget implements StorageBudget {
  readonly #options: LeastRecentOptions;

  constructor(options: LeastRecentOptions) {
    this.#options = options;
  }

  async diskLimitBytes(): Promise<number> {
    const { hasDisk, wishedBytes = () => Number.POSITIVE_INFINITY } = this.#options;
    if (!hasDisk) return 0;
    const { quota = wishedBytes() } = await navigator.storage.estimate();
    return Math.min(wishedBytes(), Math.floor(quota * GRANT_SHARE));
  }

  evictWhenFull<Key extends string>(kept: readonly KeptTorrent<Key>[]): Key | undefined {
    return leastRecent(kept);
  }

  async plan<Key extends string>(sizeBytes: number, kept: readonly KeptTorrent<Key>[]): Promise<StoragePlan<Key>> {
    const limits = { disk: await this.diskLimitBytes(), memory: this.#options.memoryLimitBytes };
    for (const place of ['disk', 'memory'] as const) {
      const there = kept.filter((torrent) => torrent.place === place);
      const evict = chooseEvictions(there, sizeBytes, limits[place]);
      if (evict !== undefined && (place === 'memory' || this.#options.hasDisk)) return { kind: place, evict };
    }
    return { kind: 'refuse', limitBytes: Math.max(limits.disk, limits.memory) };
  }
}

/** The least recently used on disk. */
function leastRecent<Key extends string>(kept: readonly KeptTorrent<Key>[]): Key | undefined {
  const idle = kept.filter(({ place, inUse }) => place === 'disk' && !inUse);
  return idle.sort((a, b) => a.lastUsedMs - b.lastUsedMs)[0]?.key;
}

/** Torrents to give up so that `neededBytes` more fit into `limitBytes`; undefined when that cannot be. */
export function chooseEvictions<Key extends string>(
  kept: readonly Pick<KeptTorrent<Key>, 'key' | 'sizeBytes' | 'lastUsedMs' | 'inUse'>[],
  neededBytes: number,
  limitBytes: number,
): readonly Key[] | undefined {
  let excessBytes = kept.reduce((sum, { sizeBytes }) => sum + sizeBytes, neededBytes) - limitBytes;
  const evicted: Key[] = [];
  const oldestFirst = kept.filter(({ inUse }) => !inUse).sort((a, b) => a.lastUsedMs - b.lastUsedMs);
  for (const { key, sizeBytes } of oldestFirst) {
    if (excessBytes <= 0) break;
    excessBytes -= sizeBytes;
    evicted.push(key);
  }
  return excessBytes <= 0 ? evicted : undefined;
}
