/**
 * Serves the calls of all tabs over the BroadcastChannel and tells them what changes. A tab that ends, however, is
 * noticed by its lock, and what it had open is closed.
 */
import type { Clock } from '../../../src/base/clock.ts';
import { AppError, Unavailable } from '../../../src/base/errors.ts';
import type { InfoHashV1 } from '../../../src/base/ids.ts';
import type { Log } from '../../../src/base/log.ts';
import { TaskGroup } from '../../../src/base/tasks.ts';
import {
  type TabCallName,
  type TabCalls,
  type TabId,
  tabLock,
  type TabMessage,
  type WorkerMessage,
} from '../swarm/tab-protocol.ts';
import type { SwarmStatus } from '../swarm/types.ts';
import { hashFile } from './hash-file.ts';
import type { SwarmHost } from './swarm-host.ts';

const STATS_MS = 250;
const PROGRESS_MS = 100;
const MAX_TABS = 100;

type Call = Extract<TabMessage, { kind: 'call' }>;
type Handlers = {
  readonly [Name in TabCallName]: (
    asks: TabCalls[Name]['asks'],
    call: Call,
    signal: AbortSignal,
  ) => Promise<TabCalls[Name]['gets']> | TabCalls[Name]['gets'];
};

export interface TabServerParts {
  readonly host: SwarmHost;
  readonly channel: BroadcastChannel;
  /** Different for every worker. */
  readonly epoch: string;
  readonly clock: Clock;
  readonly log: Log;
}

export class TabServer {
  readonly #parts: TabServerParts;
  readonly #tasks: TaskGroup;
  readonly #tabs = new Set<TabId>();
  readonly #watchers = new Map<InfoHashV1, Set<TabId>>();
  readonly #running = new Map<string, AbortController>();
  readonly #handlers: Handlers;
  #status: Omit<SwarmStatus, 'isLeader' | 'state'> = { tracker: 'off', connections: 0 };

  constructor(parts: TabServerParts) {
    this.#parts = parts;
    this.#tasks = new TaskGroup(parts.log);
    this.#handlers = this.#createHandlers(parts.host);
  }

  start(): void {
    const { channel, host, clock } = this.#parts;
    channel.addEventListener('message', ({ data }: MessageEvent<TabMessage | WorkerMessage>) => this.#hear(data));
    host.events.on('settings', (settings) => this.#tell({ kind: 'settings', settings }));
    // Metadata, completion, failure: rare, and nobody should wait for the next beat to see them.
    host.events.on('changed', ({ facts }) => {
      if (this.#watchers.has(facts.infoHash)) this.#tellStatsOf(facts.infoHash);
    });
    this.#tasks.every('tabs.stats', STATS_MS, clock, async () => this.#tellStats());
    this.#lead();
  }

  async stop(): Promise<void> {
    for (const abort of this.#running.values()) abort.abort();
    await this.#tasks.stop();
  }

  status(status: Omit<SwarmStatus, 'isLeader' | 'state'>): void {
    this.#status = status;
    this.#tell({ kind: 'status', status });
  }

  #tell(message: WorkerMessage): void {
    this.#parts.channel.postMessage(message);
  }

  #lead(): void {
    this.#tell({ kind: 'leading', epoch: this.#parts.epoch });
    this.#tell({ kind: 'status', status: this.#status });
  }

  /** What another worker said to its tabs, in the moment of a hand-over, is not meant for this one. */
  #hear(message: TabMessage | WorkerMessage): void {
    if (message.kind === 'hello') {
      this.#watchLife(message.tab);
      this.#lead();
    }
    if (message.kind === 'call') this.#serve(message);
    if (message.kind === 'abort') this.#running.get(callId(message))?.abort();
  }

  #serve(call: Call): void {
    const id = callId(call);
    if (this.#running.has(id)) return;
    const abort = new AbortController();
    this.#running.set(id, abort);
    this.#tasks.run(`tabs.${call.name}`, async () => {
      const { tab, call: number } = call;
      try {
        const gets: unknown = await this.#handle(call, abort.signal);
        this.#tell({ kind: 'done', tab, call: number, gets });
      } catch (error) {
        const { code, message, facts } = asAppError(error);
        this.#parts.log.info('tabs.refused', { name: call.name, code, error });
        this.#tell({ kind: 'refused', tab, call: number, error: { code, message, facts } });
      } finally {
        this.#running.delete(id);
      }
    });
  }

  #handle(call: Call, signal: AbortSignal): unknown {
    // The types of the call and its handler agree by construction of TabCalls; the compiler cannot pair unions.
    const handler = this.#handlers[call.name] as (asks: Call['asks'], of: Call, until: AbortSignal) => unknown;
    return handler(call.asks, call, signal);
  }

  #createHandlers(host: SwarmHost): Handlers {
    return {
      seed: async ({ file, hashed }, call, signal) => {
        const identity = hashed ?? (await hashFile(file, this.#progress(call, file.size), signal));
        await host.seed(file, identity);
        return identity;
      },
      open: (medium, { tab }) => void host.open(tab, medium),
      close: (infoHash, { tab }) => host.close(tab, infoHash).then(() => undefined),
      watch: (infoHash, { tab }) => {
        const tabs = this.#watchers.get(infoHash) ?? new Set();
        this.#watchers.set(infoHash, tabs.add(tab));
        this.#tellStatsOf(infoHash);
        return undefined;
      },
      unwatch: (infoHash, { tab }) => this.#unwatch(infoHash, tab),
      list: () => host.list(),
      remove: (infoHash) => host.remove(infoHash).then(() => undefined),
      usage: () => host.usage(),
      settings: (change) => (Object.keys(change).length === 0 ? host.settings : host.change(change)),
    };
  }

  #progress({ tab, call }: Call, sizeBytes: number): (hashedBytes: number) => void {
    let toldAtMs = Number.NEGATIVE_INFINITY;
    return (hashedBytes) => {
      const nowMs = this.#parts.clock.monotonicMs();
      if (hashedBytes < sizeBytes && nowMs - toldAtMs < PROGRESS_MS) return;
      toldAtMs = nowMs;
      this.#tell({ kind: 'progress', tab, call, progress: { hashedBytes, sizeBytes } });
    };
  }

  #unwatch(infoHash: InfoHashV1, tab: TabId): undefined {
    const tabs = this.#watchers.get(infoHash);
    tabs?.delete(tab);
    if (tabs?.size === 0) this.#watchers.delete(infoHash);
    return undefined;
  }

  #tellStats(): void {
    for (const infoHash of this.#watchers.keys()) this.#tellStatsOf(infoHash);
  }

  #tellStatsOf(infoHash: InfoHashV1): void {
    const { host, clock } = this.#parts;
    const torrent = host.find(infoHash);
    if (torrent === undefined) return;
    this.#tell({ kind: 'stats', stats: torrent.stats(clock.monotonicMs(), host.settings.httpOnly) });
  }

  /** The tab's lock becomes free when the tab is gone. */
  #watchLife(tab: TabId): void {
    if (this.#tabs.has(tab) || this.#tabs.size >= MAX_TABS) return;
    this.#tabs.add(tab);
    this.#tasks.run('tabs.life', async (signal) => {
      await navigator.locks.request(tabLock(tab), { signal }, () => undefined);
      this.#tabs.delete(tab);
      for (const infoHash of this.#watchers.keys()) this.#unwatch(infoHash, tab);
      await this.#parts.host.tabGone(tab);
    });
  }
}

const callId = ({ tab, call }: { readonly tab: TabId; readonly call: number }): string => `${tab}/${call}`;

function asAppError(error: unknown): AppError {
  return error instanceof AppError ? error : new Unavailable('the swarm worker failed', {}, { cause: error });
}
