/**
 * The swarm as one tab sees it. Every tab has a client; one of them leads (Web Lock) and runs the worker for all. What
 * this tab wants is kept here and said again whenever another worker takes over, so that a hand-over costs the pages
 * nothing but a moment.
 */
import { randomBytes, toHex } from '../../../src/base/bytes.ts';
import type { Cancel, Clock } from '../../../src/base/clock.ts';
import { Emitter } from '../../../src/base/emitter.ts';
import { Unavailable } from '../../../src/base/errors.ts';
import type { InfoHashV1, Sha256 } from '../../../src/base/ids.ts';
import type { Log } from '../../../src/base/log.ts';
import { sleep, TaskGroup } from '../../../src/base/tasks.ts';
import { canonicalPieceCount, canonicalPieceLength } from '../../../src/codec/canonical.ts';
import { Leader } from './leader.ts';
import { isControlled, takeServiceWorker } from './service-worker-link.ts';
import { type StreamOffer, streamPath } from './stream-protocol.ts';
import { TabCaller } from './tab-calls.ts';
import {
  CHANNEL_NAME,
  type HashedFile,
  LEADER_LOCK,
  tabLock,
  type TabMessage,
  type WorkerMessage,
} from './tab-protocol.ts';
import type {
  OpenMedium,
  SeededFile,
  SeedOptions,
  SwarmClient,
  SwarmLibrary,
  SwarmMedium,
  SwarmServer,
  SwarmSettings,
  SwarmSettingsStore,
  SwarmStats,
  SwarmStatus,
} from './types.ts';

/** How long playback waits for a worker to lead and to know the medium. */
const OPEN_WAIT_MS = 1_500;

export interface ClientParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly loadServer: () => Promise<SwarmServer>;
  readonly createWorker: () => Worker;
}

interface Opened {
  readonly medium: SwarmMedium;
  holders: number;
}

interface ClientEvents {
  status: SwarmStatus;
  settings: SwarmSettings;
}

export class TabSwarm implements SwarmClient {
  readonly library: SwarmLibrary;
  readonly settings: SwarmSettingsStore;
  readonly #parts: ClientParts;
  readonly #tab = toHex(randomBytes(8));
  readonly #tasks: TaskGroup;
  readonly #events = new Emitter<ClientEvents>();
  readonly #caller: TabCaller;
  readonly #opened = new Map<InfoHashV1, Opened>();
  readonly #seeded = new Map<Sha256, { readonly file: File; readonly hashed: HashedFile }>();
  readonly #watchers = new Map<InfoHashV1, Set<(stats: SwarmStats) => void>>();
  readonly #led = Promise.withResolvers<void>();
  readonly #channel: BroadcastChannel | undefined;
  #leader: Leader | undefined;
  #epoch: string | undefined;
  #serviceWorker: Promise<boolean> = Promise.resolve(false);
  #isStarted = false;
  #status: SwarmStatus;

  constructor(parts: ClientParts) {
    this.#parts = parts;
    this.#tasks = new TaskGroup(parts.log);
    this.#channel = isSupported() ? new BroadcastChannel(CHANNEL_NAME) : undefined;
    const state = this.#channel === undefined ? 'off' : 'waiting';
    this.#status = { state, isLeader: false, tracker: 'off', connections: 0 };
    this.#caller = new TabCaller(this.#tab, (message) => this.#say(message));
    this.library = {
      list: () => this.#call('list', undefined),
      remove: (infoHash) => {
        // Or the next worker would be asked to seed it again.
        for (const [sha256, { hashed }] of this.#seeded) if (hashed.infoHash === infoHash) this.#seeded.delete(sha256);
        return this.#call('remove', infoHash);
      },
      usage: () => this.#call('usage', undefined),
    };
    this.settings = {
      get: () => this.#call('settings', {}),
      set: (change) => this.#call('settings', change),
      watch: (listener) => this.#events.on('settings', listener),
    };
  }

  async start(): Promise<void> {
    if (this.#channel === undefined) return;
    if (!this.#isStarted) this.#begin(this.#channel);
    await this.#led.promise;
  }

  async seedFile(file: File, options: SeedOptions = {}): Promise<SeededFile> {
    const hashed = await this.#call('seed', { file }, options);
    const { sha256, infoHash } = hashed;
    if (infoHash === undefined) return { sha256, sizeBytes: file.size };
    this.#seeded.set(sha256, { file, hashed });
    const pieceLengthBytes = canonicalPieceLength(file.size);
    const pieceCount = canonicalPieceCount(file.size);
    return { sha256, sizeBytes: file.size, torrent: { infoHash, pieceLengthBytes, pieceCount } };
  }

  async open(medium: SwarmMedium): Promise<OpenMedium> {
    const infoHash = medium.torrent?.infoHash;
    if (infoHash === undefined || this.#status.state === 'off') return overHttp(medium);
    const opened = this.#opened.get(infoHash);
    this.#opened.set(infoHash, { medium, holders: (opened?.holders ?? 0) + 1 });
    const known = Promise.all([this.#serviceWorker, this.#call('open', medium)]).catch(() => undefined);
    await Promise.race([known, sleep(this.#parts.clock, OPEN_WAIT_MS)]);
    const src = this.streamUrl(medium);
    let isOpen = true;
    return {
      src,
      through: src === medium.url ? 'http' : 'swarm',
      close: () => {
        if (isOpen) this.#release(infoHash);
        isOpen = false;
      },
    };
  }

  streamUrl(medium: SwarmMedium): string {
    const { torrent, sha256, url } = medium;
    const isStreamed = torrent !== undefined && this.#status.state === 'running' && isControlled();
    return isStreamed ? streamPath(torrent.infoHash, sha256, url) : url;
  }

  watchStats(infoHash: InfoHashV1, listener: (stats: SwarmStats) => void): Cancel {
    const listeners = this.#watchers.get(infoHash) ?? new Set();
    this.#watchers.set(infoHash, listeners.add(listener));
    this.#wish('watch', infoHash);
    return () => {
      listeners.delete(listener);
      if (listeners.size > 0 || !this.#watchers.delete(infoHash)) return;
      this.#wish('unwatch', infoHash);
    };
  }

  watchStatus(listener: (status: SwarmStatus) => void): Cancel {
    listener(this.#status);
    return this.#events.on('status', listener);
  }

  async close(): Promise<void> {
    this.#caller.close();
    const leader = this.#leader;
    this.#leader = undefined;
    await leader?.stop();
    // Ends the lock of the tab and of the lead: the worker hears of the one, the next tab of the other.
    await this.#tasks.stop();
    this.#channel?.close();
    this.#enter({ state: 'off', isLeader: false, tracker: 'off', connections: 0 });
  }

  #begin(channel: BroadcastChannel): void {
    this.#isStarted = true;
    channel.addEventListener('message', ({ data }: MessageEvent<TabMessage | WorkerMessage>) => this.#hear(data));
    this.#hold(tabLock(this.#tab), () => undefined);
    this.#say({ kind: 'hello', tab: this.#tab });
    this.#hold(LEADER_LOCK, (signal) => this.#lead(signal));
    this.#serviceWorker = takeServiceWorker(this.#parts.clock);
    this.#listenToServiceWorker();
    globalThis.addEventListener('pagehide', () => this.#leader?.leave());
  }

  /** Holds a Web Lock until this client closes, however long it takes to get it. */
  #hold(name: string, held: (signal: AbortSignal) => Promise<void> | void): void {
    this.#tasks.run(name, async (signal) => {
      await navigator.locks.request(name, { signal }, async () => {
        await held(signal);
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      });
    });
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { clock, log, loadServer, createWorker } = this.#parts;
    const failed = (): void => this.#fail();
    const leader = new Leader({ worker: createWorker(), clock, log, loadServer, failed });
    this.#leader = leader;
    await leader.start();
    if (signal.aborted) return;
    this.#enter({ ...this.#status, isLeader: true });
  }

  /** The worker cannot run here: the pages go on over HTTP. */
  #fail(): void {
    this.#leader = undefined;
    this.#enter({ state: 'off', isLeader: false, tracker: 'off', connections: 0 });
    this.#led.resolve();
    this.#caller.close();
  }

  #listenToServiceWorker(): void {
    if (!('serviceWorker' in navigator)) return;
    navigator.serviceWorker.addEventListener('message', ({ data }: MessageEvent<StreamOffer | undefined>) => {
      if (data?.kind !== 'stream-offer') return;
      if (this.#leader !== undefined) return this.#leader.stream(data);
      data.port.postMessage({ kind: 'unknown' });
      data.port.close();
    });
    navigator.serviceWorker.startMessages();
  }

  #hear(message: TabMessage | WorkerMessage): void {
    switch (message.kind) {
      case 'leading':
        return this.#ledBy(message.epoch);
      case 'done':
      case 'refused':
      case 'progress':
        return this.#caller.hear(message);
      case 'stats':
        for (const listener of this.#watchers.get(message.stats.infoHash) ?? []) listener(message.stats);
        return;
      case 'settings':
        return this.#events.emit('settings', message.settings);
      case 'status':
        return this.#enter({ ...this.#status, ...message.status });
      case 'hello':
      case 'call':
      case 'abort':
      // What other tabs say to the worker.
    }
  }

  /** Says again what this tab wants when a worker is new. */
  #ledBy(epoch: string): void {
    if (this.#epoch === epoch) return;
    const isFirst = this.#epoch === undefined;
    this.#epoch = epoch;
    this.#enter({ ...this.#status, state: 'running' });
    this.#led.resolve();
    this.#say({ kind: 'hello', tab: this.#tab });
    if (!isFirst) {
      for (const { file, hashed } of this.#seeded.values()) this.#wish('seed', { file, hashed });
      for (const { medium } of this.#opened.values()) this.#wish('open', medium);
      for (const infoHash of this.#watchers.keys()) this.#wish('watch', infoHash);
    }
    this.#caller.ledAnew();
  }

  #release(infoHash: InfoHashV1): void {
    const opened = this.#opened.get(infoHash);
    if (opened === undefined || --opened.holders > 0) return;
    this.#opened.delete(infoHash);
    this.#wish('close', infoHash);
  }

  readonly #call: TabCaller['call'] = (name, asks, options) => {
    if (this.#status.state === 'off')
      return Promise.reject(new Unavailable('this browser cannot take part in the swarm'));
    return this.#caller.call(name, asks, options);
  };

  /** A call whose outcome shows elsewhere. */
  readonly #wish = (...[name, asks]: Parameters<TabCaller['call']>): void => {
    this.#call(name, asks).catch((error: unknown) => this.#parts.log.debug('swarm.call-failed', { name, error }));
  };

  #say(message: TabMessage): void {
    this.#channel?.postMessage(message);
  }

  #enter(status: SwarmStatus): void {
    this.#status = status;
    this.#events.emit('status', status);
  }
}

function overHttp(medium: SwarmMedium): OpenMedium {
  return { src: medium.url, through: 'http', close: () => undefined };
}

/** WebCrypto, Web Locks and module workers exist in secure contexts only: https, or a loopback address. */
function isSupported(): boolean {
  return (
    globalThis.isSecureContext && 'locks' in navigator && 'BroadcastChannel' in globalThis && 'Worker' in globalThis
  );
}
