/**
 * The WebSocket trackers of a node: one connection for each, shared by all torrents that it is named for. Invariants: a
 * tracker is connected to, and dialled again, only while a torrent is announced there; strangers' words open no more than
 * a bounded number of them.
 */
import { WebTracker, type WebSwarm, type WebTrackerOptions } from '../../adapters/tracker-client/web-tracker.ts';
import type { AddressSource } from '../../base/address-policy.ts';

/** Each holds a socket all the time, unlike one that is asked over HTTP or UDP now and then. */
const MAX_TOLD_PER_TORRENT = 20;
const MAX_TOLD = 200;

/** One torrent, under one key, at one tracker. */
export interface WebMembership {
  /** The torrent is complete: the tracker hears of it once. */
  completed(): void;
  /** Says goodbye; resolves when the connection is closed, where nobody else needs it. */
  leave(): Promise<void>;
}

/** The distinct WebSocket URLs of a torrent's tiers: all that are judged, and no more than 20 of a stranger's. */
export function webUrlsOf(tiers: readonly (readonly string[])[], source: AddressSource): readonly string[] {
  const urls = new Set(tiers.flat().filter((url) => /^wss?:/i.test(url) && URL.canParse(url)));
  return source === 'judged' ? Array.from(urls) : Array.from(urls).slice(0, MAX_TOLD_PER_TORRENT);
}

interface Entry {
  readonly tracker: WebTracker;
  readonly isTold: boolean;
  members: number;
}

export class WebTrackers {
  readonly #options: Omit<WebTrackerOptions, 'url' | 'source'>;
  /** By who named them and URL. */
  readonly #entries = new Map<string, Entry>();
  #toldCount = 0;

  constructor(options: Omit<WebTrackerOptions, 'url' | 'source'>) {
    this.#options = options;
  }

  /** Trackers that are connected to, or dialled. */
  get size(): number {
    return this.#entries.size;
  }

  /** Announces there from now on; undefined where strangers have named 200 others already. */
  join(url: string, source: AddressSource, swarm: WebSwarm): WebMembership | undefined {
    const id = `${source} ${url}`;
    const entry = this.#entries.get(id) ?? this.#open(id, url, source);
    if (entry === undefined) return undefined;
    entry.members++;
    entry.tracker.join(swarm);
    let leaving: Promise<void> | undefined;
    return {
      completed: () => entry.tracker.completed(swarm.key),
      leave: () => (leaving ??= this.#leave(id, entry, swarm)),
    };
  }

  /** Says goodbye everywhere and closes. */
  async stop(): Promise<void> {
    await Promise.all(Array.from(this.#entries.values(), ({ tracker }) => tracker.stop()));
    this.#entries.clear();
    this.#toldCount = 0;
  }

  #open(id: string, url: string, source: AddressSource): Entry | undefined {
    const isTold = source !== 'judged';
    if (isTold && this.#toldCount >= MAX_TOLD) {
      this.#options.log.warn('tracker.refused', { tracker: url, code: 'too_many' });
      return undefined;
    }
    const entry = { tracker: new WebTracker({ ...this.#options, url, source }), isTold, members: 0 };
    this.#entries.set(id, entry);
    if (isTold) this.#toldCount++;
    return entry;
  }

  async #leave(id: string, entry: Entry, { key }: WebSwarm): Promise<void> {
    entry.tracker.leave(key);
    if (--entry.members > 0 || this.#entries.get(id) !== entry) return;
    this.#entries.delete(id); // a later join opens a new one
    if (entry.isTold) this.#toldCount--;
    await entry.tracker.stop();
  }
}
