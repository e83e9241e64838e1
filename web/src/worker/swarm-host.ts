/**
 * Everything the browser seeds and fetches, in one place: opens and closes media for tabs, seeds files, keeps what was
 * fetched, obeys the settings. It knows neither tabs' channels nor peer connections; those come in through its methods.
 */
import { FileStorage } from '../../../src/adapters/browser/file-storage.ts';
import type { KeptTorrent, StorageBudget, StoragePlan } from '../../../src/adapters/browser/storage-budget.ts';
import type { Clock } from '../../../src/base/clock.ts';
import { Emitter } from '../../../src/base/emitter.ts';
import { InvalidInput, NoSpace, NotFound } from '../../../src/base/errors.ts';
import type { InfoHashV1, SwarmKey } from '../../../src/base/ids.ts';
import type { Log } from '../../../src/base/log.ts';
import { TaskGroup } from '../../../src/base/tasks.ts';
import { canonicalInfo, canonicalPieceLength } from '../../../src/codec/canonical.ts';
import type { Engine } from '../../../src/torrent/index.ts';
import type { PeerSocket } from '../../../src/torrent/ports.ts';
import type { HashedFile, TabId } from '../swarm/tab-protocol.ts';
import type { HeldMedium, SwarmMedium, SwarmSettings, SwarmUsage } from '../swarm/types.ts';
import { FullDisk } from './full-disk.ts';
import { type HeldStore, MEMORY_LIMIT_BYTES } from './held-store.ts';
import { type HostedPorts, HostedTorrent, type MediumFacts, type Origin } from './hosted-torrent.ts';
import { changedSettings, type SettingsStore } from './settings-store.ts';

/** Running at once; of the media nobody has open, the least recently used sleep. */
const MAX_RUNNING = 50;

export interface SwarmHostParts {
  readonly engine: Engine;
  readonly store: HeldStore;
  /** Who may be kept; `wishedBytes` is the user's own limit as it is now. */
  readonly createBudget: (wishedBytes: () => number) => StorageBudget;
  readonly settingsStore: SettingsStore;
  readonly settings: SwarmSettings;
  readonly clock: Clock;
  readonly log: Log;
  /** Base of relative URLs. */
  readonly origin: string;
}

export interface SwarmHostEvents {
  /** A torrent's wish for peers or its state changed. */
  changed: HostedTorrent;
  left: SwarmKey;
  settings: SwarmSettings;
}

export class SwarmHost {
  readonly events = new Emitter<SwarmHostEvents>();
  readonly #parts: SwarmHostParts;
  readonly #ports: HostedPorts;
  readonly #torrents = new Map<InfoHashV1, HostedTorrent>();
  readonly #tasks: TaskGroup;
  readonly #budget: StorageBudget;
  readonly #fullDisk: FullDisk;
  #settings: SwarmSettings;

  constructor(parts: SwarmHostParts) {
    this.#parts = parts;
    this.#tasks = new TaskGroup(parts.log);
    this.#settings = parts.settings;
    this.#budget = parts.createBudget(() => this.#settings.quotaBytes);
    this.#fullDisk = new FullDisk({
      budget: this.#budget,
      kept: () => this.#kept(),
      giveUp: async (infoHash) => {
        await this.#letGo(infoHash);
        await parts.store.remove(infoHash);
      },
    });
    this.#ports = {
      engine: parts.engine,
      store: parts.store,
      log: parts.log,
      makeRoom: (neededBytes) => this.#makeRoom(neededBytes),
      giveWay: (infoHash) => this.#fullDisk.giveWayTo(infoHash),
      uploadBytesPerSec: (kept) => (kept === 'file' || this.#settings.seedWhileWatching ? Number.POSITIVE_INFINITY : 0),
      changed: (torrent) => {
        if (this.#torrents.get(torrent.facts.infoHash) === torrent) this.events.emit('changed', torrent);
      },
      disproved: (torrent) => this.#tasks.run('torrent.disproved', () => this.#drop(torrent, true)),
    };
    this.#applyUploadLimit();
  }

  get settings(): SwarmSettings {
    return this.#settings;
  }

  get torrents(): readonly HostedTorrent[] {
    return [...this.#torrents.values()];
  }

  find(infoHash: InfoHashV1): HostedTorrent | undefined {
    return this.#torrents.get(infoHash);
  }

  /** Seeds what earlier visits left, most recently used first. */
  resume(): void {
    const records = [...this.#parts.store.list()].sort((a, b) => b.lastUsedMs - a.lastUsedMs);
    for (const record of records.slice(0, MAX_RUNNING)) this.#run(record, { kind: 'held' });
  }

  /** A tab opens a medium; returns at once, the rest follows. @throws InvalidInput when it has no torrent */
  open(tab: TabId, medium: SwarmMedium): HostedTorrent {
    const facts = factsOf(medium);
    const hosted = this.#current(facts.infoHash) ?? this.#run(facts, this.#originOf(medium, facts.infoHash));
    if (medium.state === 'stored') hosted.addWebSeed(new URL(medium.url, this.#parts.origin).href);
    hosted.openers.add(tab);
    this.events.emit('changed', hosted);
    return hosted;
  }

  /** A tab is done with a medium. What holds nothing, or failed, goes. */
  async close(tab: TabId, infoHash: InfoHashV1): Promise<void> {
    const hosted = this.#torrents.get(infoHash);
    if (hosted?.openers.delete(tab) !== true) return;
    await this.#parts.store.touch(infoHash);
    this.events.emit('changed', hosted);
    if (hosted.openers.size === 0 && (hosted.error !== undefined || !hosted.isHolding)) await this.#drop(hosted, true);
    await this.#sleepSurplus();
  }

  async tabGone(tab: TabId): Promise<void> {
    for (const { facts } of this.torrents) await this.close(tab, facts.infoHash);
  }

  /** Seeds a hashed file from where it lies; it takes the place of a copy that is not complete. */
  async seed(file: File, { sha256, infoHash, pieces }: HashedFile): Promise<void> {
    if (infoHash === undefined) return;
    const rawInfo = canonicalInfo({ sha256, sizeBytes: file.size, pieces });
    const existing = this.#torrents.get(infoHash);
    if (existing?.isComplete === true) return;
    const openers = [...(existing?.openers ?? [])];
    if (existing !== undefined) await this.#drop(existing, true);
    const { name, type, size: sizeBytes } = file;
    const facts = { infoHash, sha256, name, type, sizeBytes, pieceLengthBytes: canonicalPieceLength(sizeBytes) };
    const hosted = this.#run(facts, { kind: 'file', storage: new FileStorage(file), rawInfo });
    for (const tab of openers) hosted.openers.add(tab);
    this.events.emit('changed', hosted);
  }

  attach(key: SwarmKey, socket: PeerSocket): void {
    const hosted = this.torrents.find((torrent) => torrent.key === key);
    if (hosted === undefined || this.#settings.httpOnly) socket.close();
    else hosted.attach(socket);
  }

  /** Running media and those that sleep. */
  list(): readonly HeldMedium[] {
    const running = this.torrents.map((torrent) => torrent.held()).filter(({ haveBytes }) => haveBytes > 0);
    const sleeping = this.#parts.store.list().filter(({ infoHash }) => !this.#torrents.has(infoHash));
    const asleep = sleeping.map(
      ({ infoHash, sha256, name, type, sizeBytes, uploadedBytes, lastUsedMs, have, pieceLengthBytes }): HeldMedium => ({
        infoHash,
        sha256,
        name,
        type,
        sizeBytes,
        haveBytes: Math.min(sizeBytes, countBits(have) * pieceLengthBytes),
        kept: 'store',
        peers: 0,
        uploadedBytes,
        lastUsedMs,
      }),
    );
    return [...running, ...asleep].sort((a, b) => b.lastUsedMs - a.lastUsedMs);
  }

  /** @throws NotFound */
  async remove(infoHash: InfoHashV1): Promise<void> {
    const hosted = this.#torrents.get(infoHash);
    if (hosted === undefined && this.#parts.store.find(infoHash) === undefined)
      throw new NotFound('this browser does not hold the medium', { infoHash });
    if (hosted !== undefined) await this.#drop(hosted, true);
    else await this.#parts.store.remove(infoHash);
  }

  async usage(): Promise<SwarmUsage> {
    const { store } = this.#parts;
    const quotaBytes = store.isLasting
      ? await this.#budget.diskLimitBytes()
      : Math.min(this.#settings.quotaBytes, MEMORY_LIMIT_BYTES);
    return { usedBytes: store.usedBytes, quotaBytes, lasting: store.isLasting };
  }

  /** @throws InvalidInput, and NoSpace when what is open alone exceeds the new quota */
  async change(change: Partial<SwarmSettings>): Promise<SwarmSettings> {
    const settings = changedSettings(this.#settings, change);
    this.#settings = settings;
    await this.#parts.settingsStore.save(settings);
    this.#applyUploadLimit();
    this.events.emit('settings', settings);
    for (const torrent of this.torrents) {
      torrent.limit();
      this.events.emit('changed', torrent);
    }
    if (change.quotaBytes !== undefined) await this.#shrink();
    return settings;
  }

  /** Records what is held. */
  async save(): Promise<void> {
    for (const torrent of this.torrents) await torrent.save();
  }

  async stop(): Promise<void> {
    await this.#tasks.stop();
    await Promise.all(this.torrents.map((torrent) => torrent.stop()));
    this.#torrents.clear();
    await this.#parts.engine.stop();
  }

  /** What runs and can go on running; a failed one is replaced. */
  #current(infoHash: InfoHashV1): HostedTorrent | undefined {
    const hosted = this.#torrents.get(infoHash);
    return hosted?.error === undefined ? hosted : undefined;
  }

  #originOf(medium: SwarmMedium, infoHash: InfoHashV1): Origin {
    if (this.#parts.store.find(infoHash) !== undefined) return { kind: 'held' };
    const isAtServer = medium.state === 'stored' && medium.torrent !== undefined;
    const torrentUrl = isAtServer ? new URL(medium.torrent.torrentUrl, this.#parts.origin).href : undefined;
    return { kind: 'new', torrentUrl };
  }

  #run(facts: MediumFacts, origin: Origin): HostedTorrent {
    const hosted = new HostedTorrent(facts, origin, this.#ports);
    this.#torrents.set(facts.infoHash, hosted);
    hosted.start();
    this.events.emit('changed', hosted);
    return hosted;
  }

  async #drop(hosted: HostedTorrent, isForGood: boolean): Promise<void> {
    const { infoHash } = hosted.facts;
    if (this.#torrents.get(infoHash) === hosted) this.#torrents.delete(infoHash);
    this.events.emit('left', hosted.key);
    const { kept } = hosted; // what only memory holds ends with `stop`
    await hosted.stop();
    if (isForGood && kept === 'store') await this.#parts.store.remove(infoHash);
  }

  async #sleepSurplus(): Promise<void> {
    const idle = this.torrents.filter(({ openers, kept }) => openers.size === 0 && kept === 'store');
    const surplus = this.#torrents.size - MAX_RUNNING;
    const byUse = idle.sort((a, b) => a.held().lastUsedMs - b.held().lastUsedMs);
    for (const hosted of byUse.slice(0, Math.max(0, surplus))) await this.#drop(hosted, false);
  }

  /** What would be evicted stops running first: only then may the store take its file away. */
  async #makeRoom(neededBytes: number): Promise<StoragePlan<InfoHashV1>> {
    const plan = await this.#budget.plan(neededBytes, this.#kept());
    for (const infoHash of plan.kind === 'refuse' ? [] : plan.evict) await this.#letGo(infoHash);
    return plan;
  }

  #kept(): KeptTorrent<InfoHashV1>[] {
    const { store } = this.#parts;
    return store.list().map(({ infoHash, sizeBytes, lastUsedMs }) => ({
      key: infoHash,
      place: store.placeOf(infoHash),
      sizeBytes,
      lastUsedMs,
      inUse: this.#fullDisk.isWaiting(infoHash) || (this.#torrents.get(infoHash)?.openers.size ?? 0) > 0,
    }));
  }

  async #letGo(infoHash: InfoHashV1): Promise<void> {
    const hosted = this.#torrents.get(infoHash);
    if (hosted !== undefined) await this.#drop(hosted, false);
  }

  /** The limit was changed. @throws NoSpace when what is open alone exceeds it */
  async #shrink(): Promise<void> {
    const { store } = this.#parts;
    const plan = await this.#makeRoom(0);
    if (plan.kind !== 'refuse') await store.evict(plan.evict);
    const limitBytes = await this.#budget.diskLimitBytes();
    if (store.isLasting && store.usedBytes > limitBytes)
      throw new NoSpace('what is open now is larger than the limit', { usedBytes: store.usedBytes, limitBytes });
  }

  #applyUploadLimit(): void {
    const { uploadLimitBytesPerSec: limit } = this.#settings;
    this.#parts.engine.setLimits({ uploadBytesPerSecond: limit === 0 ? Number.POSITIVE_INFINITY : limit });
  }
}

function factsOf({ sha256, sizeBytes, type, name, torrent }: SwarmMedium): MediumFacts {
  if (torrent === undefined) throw new InvalidInput('the medium has no torrent', { sha256 });
  const { infoHash, pieceLengthBytes } = torrent;
  return { infoHash, sha256, name, type, sizeBytes, pieceLengthBytes };
}

function countBits(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) for (let rest = byte; rest > 0; rest &= rest - 1) count++;
  return count;
}
