/**
 * The swarm worker of the leading tab: engine, hashing and store. Connections come in from the page, calls from all tabs,
 * streams from the service worker; wishes for peers go out to the page.
 */
import { LeastRecentBudget } from '../../../src/adapters/browser/storage-budget.ts';
import { subtleHasher } from '../../../src/adapters/browser/subtle-hasher.ts';
import { WorkerLinks } from '../../../src/adapters/browser/worker-links.ts';
import { fromLatin1, randomBytes, toHex } from '../../../src/base/bytes.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLog } from '../../../src/base/log.ts';
import { TaskGroup } from '../../../src/base/tasks.ts';
import { MIB, SECOND_MS } from '../../../src/base/units.ts';
import type { LatinId } from '../../../src/codec/tracker-ws.ts';
import { Engine } from '../../../src/torrent/index.ts';
import type { PageMessage, WorkerReport } from '../swarm/page-protocol.ts';
import type { StreamOffer } from '../swarm/stream-protocol.ts';
import { CHANNEL_NAME } from '../swarm/tab-protocol.ts';
import { HeldStore, MEMORY_LIMIT_BYTES } from './held-store.ts';
import type { HostedTorrent } from './hosted-torrent.ts';
import { storedSettings } from './settings-store.ts';
import { type Readable, StreamServer } from './stream-server.ts';
import { SwarmHost } from './swarm-host.ts';
import { TabServer } from './tab-server.ts';

const SAVE_MS = 2 * SECOND_MS;
/** So that announces carry figures of today. */
const WISH_MS = 30 * SECOND_MS;
/** Streams that want a torrent without metadata wait so long for peers to bring them. */
const METADATA_WAIT_MS = 10 * SECOND_MS;
/** A browser tab, not a server: memory for pieces on their way in and out. */
const LIMITS = {
  pieceBufferBytes: 64 * MIB,
  serveBufferBytes: 16 * MIB,
  maxConnections: 40,
  maxConnectionsPerTorrent: 10,
};

const log = silentLog;
const clock = systemClock;

const report = (message: WorkerReport): void => globalThis.postMessage(message);

class SwarmWorker {
  readonly #host: SwarmHost;
  readonly #tabs: TabServer;
  readonly #streams = new StreamServer((offer, signal) => this.#find(offer, signal), clock);
  readonly #tasks = new TaskGroup(log);
  readonly #links: WorkerLinks;

  private constructor(host: SwarmHost) {
    this.#host = host;
    this.#links = new WorkerLinks({
      attach: (key, socket) => host.attach(key, socket),
      done: (link) => report({ kind: 'link-done', link }),
    });
    const channel = new BroadcastChannel(CHANNEL_NAME);
    this.#tabs = new TabServer({ host, channel, epoch: toHex(randomBytes(8)), clock, log });
  }

  static async start(peerId: LatinId): Promise<SwarmWorker> {
    const settingsStore = storedSettings();
    const [store, settings] = await Promise.all([HeldStore.open(clock), settingsStore.load()]);
    const ports = { clock, hasher: subtleHasher, log, random: Math.random, dialers: [] };
    const engine = new Engine({ ports, peerId: fromLatin1(peerId), limits: LIMITS });
    const createBudget = (wishedBytes: () => number): LeastRecentBudget =>
      new LeastRecentBudget({ hasDisk: store.isLasting, wishedBytes, memoryLimitBytes: MEMORY_LIMIT_BYTES });
    const host = new SwarmHost({
      engine,
      store,
      createBudget,
      settingsStore,
      settings,
      clock,
      log,
      origin: location.origin,
    });
    const worker = new SwarmWorker(host);
    worker.#run();
    return worker;
  }

  hear(message: Exclude<PageMessage, { kind: 'start' }>): void {
    switch (message.kind) {
      case 'channel':
      case 'relay':
      case 'link-open':
      case 'link-ended':
        return this.#links.hear(message);
      case 'stream-offer':
        return this.#streams.accept(message);
      case 'tracker':
        return this.#tabs.status({ tracker: message.tracker, connections: message.connections });
      case 'stop':
        void this.#stop().finally(() => report({ kind: 'stopped' }));
    }
  }

  #run(): void {
    this.#host.events.on('changed', (torrent) => this.#wish(torrent));
    this.#host.events.on('left', (key) => report({ kind: 'leave', key }));
    this.#tasks.every('store.save', SAVE_MS, clock, () => this.#host.save());
    this.#tasks.every('swarm.wishes', WISH_MS, clock, async () => {
      for (const torrent of this.#host.torrents) this.#wish(torrent);
    });
    this.#tabs.start();
    this.#host.resume();
  }

  #wish(torrent: HostedTorrent): void {
    // A browser that only watches still gives what it has; one with nothing to give or want stays away.
    const isMember = torrent.openers.size > 0 || torrent.isHolding;
    if (this.#host.settings.httpOnly || !isMember) report({ kind: 'leave', key: torrent.key });
    else report({ kind: 'wish', key: torrent.key, wish: torrent.wish() });
  }

  async #find({ infoHash, sha256 }: StreamOffer, signal: AbortSignal): Promise<Readable | undefined> {
    const hosted = this.#host.find(infoHash);
    if (hosted?.facts.sha256 !== sha256) return undefined;
    return hosted.ready(AbortSignal.any([signal, AbortSignal.timeout(METADATA_WAIT_MS)]));
  }

  async #stop(): Promise<void> {
    this.#streams.closeAll();
    await Promise.all([this.#tasks.stop(), this.#tabs.stop()]);
    await this.#host.stop();
  }
}

let starting: Promise<SwarmWorker> | undefined;

globalThis.addEventListener('message', ({ data: message }: MessageEvent<PageMessage>) => {
  if (message.kind === 'start') {
    starting ??= SwarmWorker.start(message.peerId);
    starting.then(
      () => report({ kind: 'started' }),
      (error: unknown) => report({ kind: 'failed', reason: String(error) }),
    );
    return;
  }
  // Without a start there is nobody to hear, and the page knows.
  starting?.then((worker) => worker.hear(message)).catch(() => undefined);
});
