/**
 * The engine: many torrents over shared ports, caps and one timer. It greets connections, finds or wakes the torrent
 * they ask for, and dials. Invariants: one tick timer, running only while some torrent has something to do; no
 * connection waits for its handshake longer than ten seconds; after `stop` nothing is left.
 */
import { equalBytes } from '../base/bytes.ts';
import type { Cancel } from '../base/clock.ts';
import { Cancelled, Conflict, InvalidInput, NotFound, ProtocolError, TimedOut } from '../base/errors.ts';
import type { SwarmKey } from '../base/ids.ts';
import { TaskGroup } from '../base/tasks.ts';
import { SECOND_MS } from '../base/units.ts';
import { encodeHandshake, type Handshake } from '../codec/handshake.ts';
import { createPeerId } from '../codec/peer-id.ts';
import type { VerifiedLayers } from '../codec/piece-layers.ts';
import type { TorrentInfo } from '../codec/torrent-info.ts';
import { BanList } from './bans.ts';
import { BufferPool } from './buffers.ts';
import { Connection } from './connection.ts';
import type { EngineInspection } from './inspection.ts';
import { JobLimit } from './job-limit.ts';
import type { EnginePorts, PeerAddress, PeerSocket } from './ports.ts';
import { TokenBucket } from './rate.ts';
import { DEFAULT_LIMITS, type AddressFilter, type EngineLimits, type Shared } from './shared.ts';
import type { RateLimits } from './traffic.ts';
import { Torrent } from './torrent.ts';
import type { OpenedStorage, TorrentHost, TorrentOptions } from './torrent-types.ts';

const TICK_MS = 100;
const HANDSHAKE_TIMEOUT_MS = 10 * SECOND_MS;
const DIAL_TIMEOUT_MS = 10 * SECOND_MS;

export interface EngineOptions {
  readonly ports: EnginePorts;
  /** 20 bytes; random by default. */
  readonly peerId?: Uint8Array;
  /** Port for incoming connections, told to peers. */
  readonly listenPort?: number;
  readonly limits?: Partial<EngineLimits>;
  /** Which addresses may be dialled or passed on; default all. */
  readonly allowAddress?: AddressFilter;
  /** Finds a torrent that somebody asks for and that is not running; it should `add` and return it. */
  readonly wake?: (key: SwarmKey) => Promise<Torrent | undefined>;
}

export interface AddOptions extends TorrentOptions, OpenedStorage {
  readonly info: TorrentInfo;
  /** Of v2 and hybrid torrents; without them peers are asked (BEP 52). */
  readonly pieceLayers?: VerifiedLayers;
}

export interface AddByHashOptions extends TorrentOptions {
  /** Called once with the verified metadata. */
  readonly openStorage: (info: TorrentInfo) => Promise<OpenedStorage>;
}

/** Where a connection comes from. */
interface Origin {
  /** Known for connections we opened or were handed for one torrent. */
  readonly torrent?: Torrent;
  /** The address to report on when it comes to nothing. */
  readonly dialled?: PeerAddress;
  readonly isOutgoing: boolean;
}

/** A connection that has not finished its handshakes. */
interface Greeting extends Origin {
  readonly connection: Connection;
}

export class Engine {
  readonly #options: EngineOptions;
  readonly #shared: Shared;
  readonly #host: TorrentHost<Torrent>;
  readonly #torrents = new Map<SwarmKey, Torrent>();
  readonly #active = new Set<Torrent>();
  readonly #greetings = new Set<Greeting>();
  readonly #tasks: TaskGroup;
  readonly #openers = new WeakMap<Torrent, AddByHashOptions['openStorage']>();
  #dialling = 0;
  #connected = 0;
  #sourceId = 0;
  #cancelTick: Cancel | undefined;
  #isStopped = false;

  /** @throws InvalidInput for a peer id of the wrong size. */
  constructor(options: EngineOptions) {
    const peerId = options.peerId ?? createPeerId();
    if (peerId.length !== 20) throw new InvalidInput('a peer id has 20 bytes');
    this.#options = options;
    this.#tasks = new TaskGroup(options.ports.log);
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const nowMs = options.ports.clock.monotonicMs();
    this.#shared = {
      ports: options.ports,
      peerId,
      limits,
      listenPort: options.listenPort,
      pieceBuffers: new BufferPool(limits.pieceBufferBytes),
      serveBuffers: new BufferPool(limits.serveBufferBytes),
      hashJobs: new JobLimit(limits.maxHashJobs),
      uploadBucket: new TokenBucket(limits.uploadBytesPerSecond, nowMs),
      downloadBucket: new TokenBucket(limits.downloadBytesPerSecond, nowMs),
      bans: new BanList(),
      allowAddress: options.allowAddress ?? (() => true),
      nextSourceId: () => ++this.#sourceId,
    };
    this.#host = this.#createHost();
  }

  get peerId(): Uint8Array {
    return this.#shared.peerId;
  }

  get torrents(): readonly Torrent[] {
    return [...new Set(this.#torrents.values())];
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
    return this.#torrents.get(key);
  }

  /** Adds a torrent whose metadata is known. @throws Conflict when it is running already or cannot be served. */
  add(options: AddOptions): Torrent {
    const torrent = this.#register(options);
    try {
      torrent.openContent(options.info, options, options.pieceLayers);
    } catch (error) {
      this.#forget(torrent);
      throw error;
    }
    return torrent;
  }

  /** Adds a torrent by its hashes alone; peers deliver the metadata (BEP 9). @throws Conflict when it is running already. */
  addByHash(options: AddByHashOptions): Torrent {
    const torrent = this.#register(options);
    this.#openers.set(torrent, options.openStorage);
    return torrent;
  }

  /** Takes an incoming connection; which torrent it wants is in its handshake. */
  accept(socket: PeerSocket): void {
    if (this.#isStopped || this.#incomingGreetings() >= this.#shared.limits.maxHalfOpen || !this.#host.hasRoom())
      socket.close();
    else this.#greet(socket, { isOutgoing: false });
  }

  /** Changes the global limits in bytes per second; Infinity lifts one. */
  setLimits(limits: RateLimits): void {
    const nowMs = this.#nowMs();
    if (limits.uploadBytesPerSecond !== undefined) this.#shared.uploadBucket.limit(limits.uploadBytesPerSecond, nowMs);
    if (limits.downloadBytesPerSecond !== undefined)
      this.#shared.downloadBucket.limit(limits.downloadBytesPerSecond, nowMs);
  }

  /** The books of the engine at this moment, for checks and for hunting faults. */
  inspect(): EngineInspection {
    return {
      limits: this.#shared.limits,
      connections: this.connectionCount,
      incomingHandshakes: this.#incomingGreetings(),
      dialling: this.#dialling,
      pieceBufferBytes: this.#shared.pieceBuffers.lentBytes,
      serveBufferBytes: this.#shared.serveBuffers.lentBytes,
      hashJobs: this.#shared.hashJobs.running,
      torrents: this.torrents.map((torrent) => torrent.inspect()),
    };
  }

  /** Stops every torrent and resolves when no timer, socket or promise of the engine is left. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTick?.();
    for (const greeting of this.#greetings) greeting.connection.close();
    await Promise.all(this.torrents.map((torrent) => torrent.stop()));
    await this.#tasks.stop();
    this.#shared.pieceBuffers.trim();
    this.#shared.serveBuffers.trim();
  }

  #nowMs(): number {
    return this.#shared.ports.clock.monotonicMs();
  }

  #createHost(): TorrentHost<Torrent> {
    return {
      shared: this.#shared,
      activate: (torrent) => {
        this.#active.add(torrent);
        this.#scheduleTick();
      },
      dial: (torrent, address) => this.#dial(torrent, address),
      greet: (torrent, socket, isOutgoing) => this.#greet(socket, { torrent, isOutgoing }),
      reclaimMemory: (forTorrent) => {
        for (const torrent of this.#active) if (torrent !== forTorrent && torrent.giveUpMemory()) return true;
        return false;
      },
      connectionsChanged: (by) => (this.#connected += by),
      hasRoom: () => this.connectionCount < this.#shared.limits.maxConnections,
      keysLearned: (torrent) => {
        for (const key of torrent.keys) if (!this.#torrents.has(key)) this.#torrents.set(key, torrent);
      },
      openStorage: async (torrent, info) => {
        const open = this.#openers.get(torrent);
        if (open === undefined) throw new Conflict('the torrent has its storage already');
        return open(info);
      },
      stopped: (torrent) => this.#forget(torrent),
    };
  }

  #register(options: TorrentOptions): Torrent {
    if (this.#isStopped) throw new Cancelled('the engine is stopped');
    const torrent = new Torrent(this.#host, options);
    const { keys } = torrent;
    if (keys.length === 0) throw new InvalidInput('a torrent needs an info hash');
    for (const key of keys)
      if (this.#torrents.has(key)) throw new Conflict('the torrent is running already', { infoHash: key });
    for (const key of keys) this.#torrents.set(key, torrent);
    return torrent;
  }

  #forget(torrent: Torrent): void {
    this.#active.delete(torrent);
    for (const key of torrent.keys) if (this.#torrents.get(key) === torrent) this.#torrents.delete(key);
  }

  #incomingGreetings(): number {
    let count = 0;
    for (const greeting of this.#greetings) if (greeting.torrent === undefined) count++;
    return count;
  }

  // Handshakes.

  #greet(socket: PeerSocket, origin: Origin): void {
    const connection: Connection = new Connection(
      socket,
      {
        handshake: (handshake) => this.#onHandshake(greeting, handshake),
        closed: () => this.#onGreetingClosed(greeting),
      },
      this.#nowMs(),
    );
    const greeting: Greeting = { connection, ...origin };
    this.#greetings.add(greeting);
    const [swarmKey] = origin.torrent?.keys ?? [];
    if (swarmKey !== undefined) this.#sayHandshake(connection, swarmKey, origin.torrent?.isHybrid);
    this.#scheduleTick();
  }

  /** `v2` says to peers of a hybrid that we speak its v2 half, too (BEP 52). */
  #sayHandshake(connection: Connection, swarmKey: SwarmKey, v2 = false): void {
    connection.send(
      encodeHandshake({
        swarmKey,
        peerId: this.#shared.peerId,
        extensions: true,
        fast: true,
        dht: false,
        v2,
      }),
    );
  }

  #onHandshake(greeting: Greeting, handshake: Handshake): void {
    if (equalBytes(handshake.peerId, this.#shared.peerId)) {
      // The accepting end answers, so that the dialling end sees whom it reached.
      if (greeting.torrent === undefined) this.#sayHandshake(greeting.connection, handshake.swarmKey);
      else if (greeting.dialled !== undefined) greeting.torrent.forgetAddress(greeting.dialled);
      greeting.connection.close(new ProtocolError('connected to ourselves'));
    } else if (greeting.torrent !== undefined) {
      if (greeting.torrent.keys.includes(handshake.swarmKey)) this.#handOver(greeting, greeting.torrent, handshake);
      else greeting.connection.close(new ProtocolError('the peer answered for another torrent'));
    } else this.#receive(greeting, handshake);
  }

  /** An incoming connection said which torrent it wants. */
  #receive(greeting: Greeting, handshake: Handshake): void {
    const torrent = this.#torrents.get(handshake.swarmKey);
    if (torrent !== undefined) {
      this.#answer(greeting, torrent, handshake);
      return;
    }
    const { wake } = this.#options;
    if (wake === undefined) {
      greeting.connection.close(new NotFound('no such torrent'));
      return;
    }
    this.#tasks.run('engine.wake', async () => {
      try {
        const woken = await wake(handshake.swarmKey);
        if (greeting.connection.isClosed) return;
        if (woken !== undefined) this.#answer(greeting, woken, handshake);
      } finally {
        // Nobody took it over: unknown, or waking failed (and is logged as the task's failure).
        if (this.#greetings.has(greeting)) greeting.connection.close(new NotFound('no such torrent'));
      }
    });
  }

  #answer(greeting: Greeting, torrent: Torrent, handshake: Handshake): void {
    this.#sayHandshake(greeting.connection, torrent.answerKey(handshake), torrent.isHybrid);
    this.#handOver(greeting, torrent, handshake);
  }

  #handOver(greeting: Greeting, torrent: Torrent, handshake: Handshake): void {
    this.#greetings.delete(greeting);
    const isAdopted = torrent.adopt(greeting.connection, handshake, greeting.isOutgoing);
    if (!isAdopted && greeting.dialled !== undefined) torrent.dialEnded(greeting.dialled);
  }

  #onGreetingClosed(greeting: Greeting): void {
    if (!this.#greetings.delete(greeting)) return;
    if (greeting.dialled !== undefined) greeting.torrent?.dialEnded(greeting.dialled);
  }

  // Dialling.

  #dial(torrent: Torrent, address: PeerAddress): boolean {
    const { dialers } = this.#shared.ports;
    if (this.#isStopped || dialers.length === 0 || this.#dialling >= this.#shared.limits.maxHalfOpen) return false;
    this.#dialling++;
    this.#tasks.run('engine.dial', async (signal) => {
      const socket = await this.#openSocket(address, signal).finally(() => this.#dialling--);
      if (socket === undefined) torrent.dialEnded(address);
      else if (signal.aborted || torrent.isStopped) socket.close();
      else this.#greet(socket, { torrent, dialled: address, isOutgoing: true });
    });
    return true;
  }

  /** Tries each dialer in turn. */
  async #openSocket(address: PeerAddress, signal: AbortSignal): Promise<PeerSocket | undefined> {
    for (const dialer of this.#shared.ports.dialers) {
      const attempt = new AbortController();
      const abort = (): void => attempt.abort(new TimedOut('dialling took too long'));
      const cancelTimer = this.#shared.ports.clock.after(DIAL_TIMEOUT_MS, abort);
      signal.addEventListener('abort', abort, { once: true });
      try {
        return await dialer.dial(address, attempt.signal);
      } catch (error) {
        this.#shared.ports.log.debug('peer.dial_failed', { transport: dialer.transport, error });
      } finally {
        cancelTimer();
        signal.removeEventListener('abort', abort);
      }
    }
    return undefined;
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
    for (const greeting of this.#greetings)
      if (nowMs - greeting.connection.openedAtMs > HANDSHAKE_TIMEOUT_MS)
        greeting.connection.close(new TimedOut('no handshake'));
    for (const torrent of this.#active) if (!torrent.tick(nowMs)) this.#active.delete(torrent);
    if (this.#active.size > 0 || this.#greetings.size > 0) this.#scheduleTick();
  }
}
