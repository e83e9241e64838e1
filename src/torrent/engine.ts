/**
 * The engine: many torrents over shared ports, caps and one timer. It takes connections, dials, and hands both to
 * `greetings` until their torrent is known. Invariants: one tick timer, running only while some torrent or greeting has
 * something to do; after `stop` nothing is left.
 */
import type { Cancel } from '../base/clock.ts';
import { withDefaults } from '../base/defaults.ts';
import { endTogether } from '../base/endings.ts';
import { Cancelled, Conflict, InvalidInput } from '../base/errors.ts';
import type { SwarmKey } from '../base/ids.ts';
import { checkKeys, type OptionKeys } from '../base/options.ts';
import { TaskGroup } from '../base/tasks.ts';
import { createPeerId } from '../codec/peer-id.ts';
import type { VerifiedLayers } from '../codec/piece-layers.ts';
import type { TorrentInfo } from '../codec/torrent-info.ts';
import type { EngineInspection } from './content/inspection.ts';
import type { OpenedStorage, TorrentOptions, TransferHost } from './content/torrent-types.ts';
import { Dialling } from './dialling.ts';
import { Greetings } from './greetings.ts';
import { AddressRate } from './limits/address-rate.ts';
import { AddressTraffic, type AddressRateLimits } from './limits/address-traffic.ts';
import { BanList } from './limits/bans.ts';
import { BufferPool } from './limits/buffers.ts';
import { DownloadLimit } from './limits/download-limit.ts';
import { JobLimit } from './limits/job-limit.ts';
import { LeafCache } from './limits/leaf-cache.ts';
import { DEFAULT_LIMITS, type AddressFilter, type DhtLink, type EngineLimits, type Shared } from './limits/shared.ts';
import { changeLimits, type RateLimits } from './limits/traffic.ts';
import { UploadLimit } from './limits/upload-limit.ts';
import { UploadSlots } from './limits/upload-slots.ts';
import { checkEngineOptions, checkEngineRates, checkTorrentOptions, TORRENT_KEYS } from './options-check.ts';
import type { EncryptionPolicy } from './peer/opening.ts';
import type { EnginePorts, PeerAddress, PeerSocket } from './ports.ts';
import { playRound } from './rounds.ts';
import type { Torrent } from './torrent.ts';
import { Transfer } from './transfer.ts';

const TICK_MS = 100;
/** A quiet address may open so many seconds' worth of connections at once. */
const BURST_SECONDS = 5;
/** A thousand a second with the default, each a quarter of a millisecond where it is encrypted. */
const LOOPBACK_WEIGHT = 50;
/** Addresses whose knocks are counted. */
const MAX_KNOCKING = 4_096;

/** What an engine is made from. Everything but `ports` has a default. */
export interface EngineOptions {
  /** Sockets, storage, hashing, time and randomness of the platform. */
  readonly ports: EnginePorts;
  /** 20 bytes; random by default. */
  readonly peerId?: Uint8Array;
  /** Port for incoming connections, told to peers. */
  readonly listenPort?: number;
  /** The DHT node whose port peers are told; private torrents excepted. */
  readonly dht?: DhtLink;
  /** Global caps; those left out as in `DEFAULT_LIMITS`. */
  readonly limits?: Partial<EngineLimits>;
  /** Which addresses may be dialled or passed on; default all. */
  readonly allowAddress?: AddressFilter;
  /** Finds a torrent that somebody at `remote` asks for and that is not running; it should `add` and return it. */
  readonly wake?: (key: SwarmKey, remote: PeerAddress | undefined) => Promise<Torrent | undefined>;
  /** How streams over TCP and uTP open (MSE); default `prefer` where `ports.mse` is there, `off` elsewhere. */
  readonly encryption?: EncryptionPolicy;
  /**
   * The key of a swarm that is not running, by H('req2'‖key) (`obfuscatedKey` of the codec, 20 bytes): all that an
   * encrypted handshake says of it. One indexed lookup; `wake` follows as for a plain handshake.
   */
  readonly resolveObfuscated?: (
    obfuscatedKey: Uint8Array,
    remote: PeerAddress | undefined,
  ) => Promise<SwarmKey | undefined>;
}

/** A torrent whose metadata is known, such as from a .torrent file (`parseMetainfo`, `infoHashesOf` of the codec). */
export interface AddOptions extends TorrentOptions, OpenedStorage {
  readonly info: TorrentInfo;
  /** Of v2 and hybrid torrents; without them peers are asked (BEP 52). */
  readonly pieceLayers?: VerifiedLayers;
}

/** A torrent known by its hashes alone, as magnet links name them. */
export interface AddByHashOptions extends TorrentOptions {
  /** Called once with the verified metadata; `stop` waits for what it began. */
  readonly openStorage: (info: TorrentInfo) => Promise<OpenedStorage>;
}

const ENGINE_KEYS: OptionKeys<EngineOptions> = {
  ports: true,
  peerId: true,
  listenPort: true,
  dht: true,
  limits: true,
  allowAddress: true,
  wake: true,
  encryption: true,
  resolveObfuscated: true,
};
const ADD_KEYS: OptionKeys<AddOptions> = {
  ...TORRENT_KEYS,
  info: true,
  storage: true,
  have: true,
  pieceLayers: true,
};
const ADD_BY_HASH_KEYS: OptionKeys<AddByHashOptions> = { ...TORRENT_KEYS, openStorage: true };

/** Runs torrents over the ports it is given, within its global caps. Nothing is contacted before a torrent is added. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #shared: Shared;
  readonly #host: TransferHost<Transfer>;
  readonly #transfers = new Map<SwarmKey, Transfer>();
  readonly #active = new Set<Transfer>();
  readonly #greetings: Greetings;
  readonly #tasks: TaskGroup;
  readonly #knocks: AddressRate;
  readonly #dialling: Dialling;
  readonly #openers = new WeakMap<Transfer, AddByHashOptions['openStorage']>();
  #connected = 0;
  #sourceId = 0;
  #cancelTick: Cancel | undefined;
  #isStopped = false;
  #stopping: Promise<void> | undefined;

  /** @throws InvalidInput for options of a wrong kind or size, or encryption required without the arithmetic for it. */
  constructor(options: EngineOptions) {
    checkKeys('Engine', options, ENGINE_KEYS);
    const peerId = options.peerId ?? createPeerId();
    if (peerId.length !== 20) throw new InvalidInput('a peer id has 20 bytes');
    this.#options = options;
    this.#tasks = new TaskGroup(options.ports.log);
    const limits = withDefaults(DEFAULT_LIMITS, options.limits ?? {});
    const nowMs = options.ports.clock.monotonicMs();
    checkEngineOptions(options, limits);
    this.#shared = {
      ports: options.ports,
      peerId,
      limits,
      listenPort: options.listenPort,
      dht: options.dht,
      pieceBuffers: new BufferPool(limits.pieceBufferBytes),
      serveBuffers: new BufferPool(limits.serveBufferBytes),
      hashJobs: new JobLimit(limits.maxHashJobs),
      leafCache: new LeafCache(limits.leafCacheBytes),
      uploadSlots: new UploadSlots(limits.maxUploadSlots),
      uploadLimit: new UploadLimit(limits.uploadBytesPerSecond, nowMs),
      downloadLimit: new DownloadLimit(limits.downloadBytesPerSecond, nowMs),
      addressTraffic: new AddressTraffic(limits),
      bans: new BanList(),
      allowAddress: options.allowAddress ?? (() => true),
      nextSourceId: () => ++this.#sourceId,
    };
    const perSecond = limits.handshakesPerSecondPerAddress;
    const burst = BURST_SECONDS * perSecond;
    const knocks = { perSecond, burst, maxAddresses: MAX_KNOCKING, loopbackWeight: LOOPBACK_WEIGHT };
    this.#knocks = new AddressRate(knocks, options.ports.clock);
    this.#dialling = new Dialling({
      shared: this.#shared,
      mayOpen: () => this.#mayOpen(),
      opened: (socket, origin) => this.#greetings.greet(socket, origin),
    });
    this.#host = this.#createHost();
    this.#greetings = this.#createGreetings(options.encryption ?? (options.ports.mse === undefined ? 'off' : 'prefer'));
  }

  /** 20 bytes, the same for all torrents. */
  get peerId(): Uint8Array {
    return this.#shared.peerId;
  }

  /** All that run now, those without metadata included. */
  get torrents(): readonly Torrent[] {
    return this.#running().map(({ torrent }) => torrent);
  }

  /** Open connections, handshakes under way included. */
  get connectionCount(): number {
    return this.#greetings.size + this.#connected;
  }

  /** Bytes now lent from the buffer pools: pieces coming in, blocks going out. */
  get bufferBytes(): number {
    return this.#shared.pieceBuffers.lentBytes + this.#shared.serveBuffers.lentBytes;
  }

  /** A running torrent. */
  get(key: SwarmKey): Torrent | undefined {
    return this.#transfers.get(key)?.torrent;
  }

  /**
   * Adds a torrent whose metadata is known. The storage stays the caller's where it throws.
   * @throws Conflict when it is running already, InvalidInput for no hash or a wrong option, Cancelled when stopped
   */
  add(options: AddOptions): Torrent {
    checkKeys('add', options, ADD_KEYS);
    const transfer = this.#register(options);
    try {
      transfer.openContent(options.info, options, options.pieceLayers);
    } catch (error) {
      this.#forget(transfer);
      throw error;
    }
    transfer.torrent.addPeers(options.peers ?? []);
    return transfer.torrent;
  }

  /**
   * Adds a torrent by its hashes alone; peers deliver the metadata (BEP 9).
   * @throws Conflict when it is running already, InvalidInput for no hash or a wrong option, Cancelled when stopped
   */
  addByHash(options: AddByHashOptions): Torrent {
    checkKeys('addByHash', options, ADD_BY_HASH_KEYS);
    const transfer = this.#register(options);
    this.#openers.set(transfer, options.openStorage);
    transfer.torrent.addPeers(options.peers ?? []);
    return transfer.torrent;
  }

  /** Takes an incoming connection; which torrent it wants is in its handshake. */
  accept(socket: PeerSocket): void {
    if (this.#mayGreet(socket.remote)) this.#greetings.greet(socket, { isOutgoing: false });
    else socket.close();
  }

  /** Changes the limits over all torrents in bytes per second; Infinity lifts one, 0 lets nothing pass. @throws InvalidInput */
  setLimits(limits: RateLimits & AddressRateLimits): void {
    checkEngineRates(limits);
    const nowMs = this.#nowMs();
    this.#shared.addressTraffic.setLimits(limits, nowMs);
    changeLimits({ upload: this.#shared.uploadLimit, download: this.#shared.downloadLimit }, limits, nowMs);
  }

  /** The books of the engine at this moment, for checks and for hunting faults. */
  inspect(): EngineInspection {
    return {
      limits: this.#shared.limits,
      connections: this.connectionCount,
      incomingHandshakes: this.#greetings.incomingCount,
      dialling: this.#dialling.count,
      pieceBufferBytes: this.#shared.pieceBuffers.lentBytes,
      serveBufferBytes: this.#shared.serveBuffers.lentBytes,
      leafCacheBytes: this.#shared.leafCache.keptBytes,
      hashJobs: this.#shared.hashJobs.running,
      torrents: this.#running().map((transfer) => transfer.inspect()),
    };
  }

  /**
   * Stops every torrent and resolves when no timer, socket or promise of the engine is left. Each further call gives the
   * same promise. @throws as `Torrent.stop`, SeveralFailed where more than one could not be closed; all have ended even then
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTick?.();
    const stopping = this.#running().map((transfer) => transfer.stop());
    this.#greetings.close(); // now that no torrent dials again where a handshake ended
    try {
      await endTogether([...stopping, this.#tasks.stop()]);
    } finally {
      this.#shared.pieceBuffers.trim();
      this.#shared.serveBuffers.trim();
    }
  }

  #mayGreet(remote: PeerAddress | undefined): boolean {
    if (this.#isStopped || this.#greetings.incomingCount >= this.#shared.limits.maxGreetings) return false;
    if (remote !== undefined && !this.#knocks.admits(remote.host)) return false;
    return this.#mayOpen() || this.#host.makeRoom();
  }

  #nowMs(): number {
    return this.#shared.ports.clock.monotonicMs();
  }

  #createHost(): TransferHost<Transfer> {
    return {
      shared: this.#shared,
      activate: (transfer) => {
        this.#active.add(transfer);
        this.#scheduleTick();
      },
      dial: (transfer, address) => this.#dialling.dial(transfer, address),
      greet: (transfer, socket, isOutgoing, foundBy) =>
        this.#greetings.greet(socket, { transfer, isOutgoing, ...(foundBy !== undefined && { foundBy }) }),
      reclaimMemory: (forTransfer) => {
        for (const transfer of this.#active) if (transfer !== forTransfer && transfer.giveUpMemory()) return true;
        return false;
      },
      connectionsChanged: (by) => (this.#connected += by),
      hasRoom: () => this.connectionCount < this.#shared.limits.maxConnections,
      makeRoom: () => {
        for (const transfer of this.#active) if (transfer.crowd.giveUpPeer()) return true;
        return false;
      },
      keysLearned: (transfer) => {
        for (const key of transfer.identity.keys) if (!this.#transfers.has(key)) this.#enlist(key, transfer);
      },
      openStorage: async (transfer, info) => {
        const open = this.#openers.get(transfer);
        if (open === undefined) throw new Conflict('the torrent has its storage already');
        return open(info);
      },
      stopped: (transfer) => this.#forget(transfer),
    };
  }

  #createGreetings(encryption: EncryptionPolicy): Greetings {
    const { wake, resolveObfuscated } = this.#options;
    if (encryption === 'require' && this.#shared.ports.mse === undefined)
      throw new InvalidInput('encryption cannot be required where it cannot be computed');
    return new Greetings({
      shared: this.#shared,
      encryption,
      tasks: this.#tasks,
      find: (key) => this.#transfers.get(key),
      wake: wake && (async (key, remote) => this.#transferOf(await wake(key, remote))),
      resolveObfuscated,
      redial: (transfer, address) => this.#dialling.dialAgain(transfer, address),
      dialEnded: (address, transport, isGreeted) => this.#dialling.ended(address, transport, isGreeted),
      began: () => this.#scheduleTick(),
    });
  }

  #running(): Transfer[] {
    return [...new Set(this.#transfers.values())];
  }

  #transferOf(torrent: Torrent | undefined): Transfer | undefined {
    const [key] = torrent?.keys ?? [];
    const transfer = key && this.#transfers.get(key);
    return transfer?.torrent === torrent ? transfer : undefined;
  }

  #register(options: TorrentOptions): Transfer {
    if (this.#isStopped) throw new Cancelled('the engine is stopped');
    checkTorrentOptions(options);
    const transfer = new Transfer(this.#host, options);
    const { keys } = transfer.identity;
    if (keys.length === 0) throw new InvalidInput('a torrent needs an info hash');
    for (const key of keys)
      if (this.#transfers.has(key)) throw new Conflict('the torrent is running already', { infoHash: key });
    for (const key of keys) this.#enlist(key, transfer);
    return transfer;
  }

  /** From now on connections find the torrent under this key. */
  #enlist(key: SwarmKey, transfer: Transfer): void {
    this.#transfers.set(key, transfer);
    this.#greetings.addKey(key);
  }

  #forget(transfer: Transfer): void {
    this.#active.delete(transfer);
    this.#greetings.closeOf(transfer);
    for (const key of transfer.identity.keys) {
      if (this.#transfers.get(key) !== transfer) continue;
      this.#transfers.delete(key);
      this.#greetings.removeKey(key);
    }
  }

  /** Whether one more connection fits the cap when all that are being dialled come about. */
  #mayOpen(): boolean {
    return this.connectionCount + this.#dialling.count < this.#shared.limits.maxConnections;
  }

  // Time.

  #scheduleTick(): void {
    if (this.#cancelTick !== undefined || this.#isStopped) return;
    this.#cancelTick = this.#shared.ports.clock.after(TICK_MS, () => {
      this.#cancelTick = undefined;
      this.#tick();
    });
  }

  #tick(): void {
    const nowMs = this.#nowMs();
    this.#greetings.tick(nowMs);
    for (const transfer of playRound(this.#active, nowMs)) this.#active.delete(transfer);
    if (this.#active.size > 0 || this.#greetings.size > 0) this.#scheduleTick();
  }
}
