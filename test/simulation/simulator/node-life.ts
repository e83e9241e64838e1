/**
 * One run of an engine on a simulated machine, from joining to leaving or crashing. Everything it touches is tapped and
 * audited. Invariant: when it has left in good order, nothing of it remains.
 */
import { ProtocolError } from '../../../src/base/errors.ts';
import { swarmKeyOf, type SwarmKey } from '../../../src/base/ids.ts';
import type { Log, LogFields } from '../../../src/base/log.ts';
import { sleep } from '../../../src/base/tasks.ts';
import { HOUR_MS, KIB, SECOND_MS } from '../../../src/base/units.ts';
import type { InfoHashes } from '../../../src/codec/metainfo.ts';
import {
  Engine,
  type Dialer,
  type EngineOptions,
  type OpenedStorage,
  type PeerSocket,
  type RateLimits,
  type Torrent,
  type TorrentInspection,
} from '../../../src/torrent/index.ts';
import type { MemoryHost } from '../../support/memory-network.ts';
import { PEER_PORT } from '../../support/swarm.ts';
import { auditBooks, auditBudgets, auditPause, auditWire } from './books-audit.ts';
import type { Dice } from './dice.ts';
import { DiskSession } from './disk.ts';
import { simulatedCrypto } from './encryption.ts';
import { delayedHasher } from './hashing.ts';
import type { Holding } from './holding.ts';
import { HttpSource, type HttpPlan } from './http-source.ts';
import { LeafAudit } from './leaf-audit.ts';
import { NodeClock } from './node-clock.ts';
import { RateBooks, type Way } from './rate-books.ts';
import { ratesAt } from './rates.ts';
import type { NodePlan } from './scenario.ts';
import { Rest } from './rest.ts';
import { SlotAudit } from './slot-audit.ts';
import { TappedSocket } from './tapped-socket.ts';
import { WireAudit } from './wire-audit.ts';
import { Wiretap } from './wiretap.ts';
import type { World } from './world.ts';

const ANNOUNCE_MS = 30 * SECOND_MS;
const BLOCK_BYTES = 16 * KIB;

export interface LifeParts {
  readonly world: World;
  readonly name: string;
  readonly machine: MemoryHost;
  readonly plan: NodePlan;
  readonly holdings: readonly Holding[];
  /** Something happened on this machine: its books are due for an audit. */
  touched(): void;
}

export class NodeLife {
  readonly engine: Engine;
  readonly clock: NodeClock;
  readonly audits: WireAudit[] = [];
  /** No longer alive, or about to leave. */
  isOver = false;
  readonly #parts: LifeParts;
  readonly #dice: Dice;
  readonly #sessions: DiskSession[] = [];
  readonly #sessionOf = new Map<Holding, DiskSession>();
  readonly #rates: RateBooks;
  readonly #torrents = new Map<Holding, Torrent>();
  readonly #leaves: LeafAudit;
  readonly #slots = new Map<Holding, SlotAudit>();
  readonly #holdings = new Map<SwarmKey, Holding>();
  #connections = 0;

  constructor(parts: LifeParts) {
    const { world, plan, machine } = parts;
    this.#parts = parts;
    this.#dice = world.dice.fork();
    this.clock = new NodeClock(world.clock, () => parts.touched());
    this.#leaves = new LeafAudit(parts.name, world.referee);
    for (const holding of parts.holdings) for (const key of keysOf(holding)) this.#holdings.set(key, holding);
    this.#rates = this.#createRates();
    const rates = { ...plan.limits, ...ratesAt(plan.rates, world.clock.monotonicMs()) };
    this.#rates.limitEngine(rates);
    this.engine = new Engine({
      ports: {
        clock: this.clock,
        hasher: delayedHasher(this.clock, this.#dice, plan.slowestHashMs),
        log: this.#createLog(),
        random: () => this.#dice.next(),
        dialers: [this.#createDialer()],
        mse: simulatedCrypto(this.#dice),
      },
      encryption: plan.encryption,
      peerId: this.#dice.bytes(20),
      listenPort: PEER_PORT,
      limits: rates,
      ...this.#rest(),
    });
    machine.listen(PEER_PORT, (socket) => this.engine.accept(this.#tap(socket, false)));
    for (const holding of parts.holdings) {
      // It is no news to the tracker, which knows who seeds.
      if (holding.isAsleep) world.announce(holding.plan.torrent, { host: machine.host, port: PEER_PORT });
      else this.#add(holding);
    }
    this.#changeRates();
  }

  /** Checks the engine's books. */
  audit(): void {
    const { world, name, holdings } = this.#parts;
    const books = this.engine.inspect();
    const pieceBytes = Math.max(...holdings.map(({ torrent }) => torrent.info.pieceLengthBytes));
    auditBudgets(name, books, pieceBytes, world.referee);
    auditWire(name, books, this.#owed(), world.referee);
    for (const torrent of books.torrents) {
      const holding = this.#holdingOf(torrent);
      if (holding === undefined) continue;
      auditPause(name, torrent, holding.orders.isSilent, world.referee);
      this.#leaves.audit(torrent, holding.torrent);
      this.#slots.get(holding)?.audit(torrent, world.clock.monotonicMs());
    }
    auditBooks(
      name,
      books,
      (torrent, piece) => {
        const info = this.#holdingOf(torrent)?.torrent.info;
        if (info === undefined) return 0;
        return Math.min(info.pieceLengthBytes, info.totalBytes - piece * info.pieceLengthBytes);
      },
      world.referee,
    );
  }

  /** Leaves in good order; resolves when nothing of it should be left, and checks that. */
  async leave(): Promise<void> {
    const { world, name, machine } = this.#parts;
    this.isOver = true;
    await this.engine.stop();
    const books = this.engine.inspect();
    // What the sockets still send, like a kernel, goes back to the pool once it is sent.
    for (let waits = 0; waits < 200 && this.engine.bufferBytes > 0; waits++) await sleep(world.clock, SECOND_MS);
    const left = {
      pieceBufferBytes: books.pieceBufferBytes,
      timers: this.clock.pending,
      sockets: machine.sockets.size,
      lentBytes: this.engine.bufferBytes,
      openStorages: this.#sessions.filter((session) => !session.isClosed).length,
      diskAccesses: this.#sessions.reduce((sum, { running }) => sum + running, 0),
      connections: this.engine.connectionCount,
    };
    const isNothing = Object.values(left).every((count) => count === 0);
    world.referee.check(isNothing, 'after stop nothing is left', () => `${name}: ${JSON.stringify(left)}`);
    this.clock.stop();
  }

  /** Dies without a word. */
  die(how: 'crash' | 'power cut'): void {
    this.isOver = true;
    this.clock.stop();
    if (how === 'crash') this.#parts.machine.crash();
    else this.#parts.machine.vanish();
  }

  /** What the engine asks when somebody wants a torrent that does not run; nothing where none ever sleeps. */
  #rest(): Pick<EngineOptions, 'wake' | 'resolveObfuscated'> {
    const { world, name, holdings } = this.#parts;
    const sleepers = holdings.filter(({ plan }) => plan.sleeps);
    if (sleepers.length === 0) return {};
    const rest = new Rest({
      name,
      clock: this.clock,
      worldClock: world.clock,
      dice: this.#dice.fork(),
      referee: world.referee,
      holdings: new Map(sleepers.flatMap((holding) => keysOf(holding).map((key) => [key, holding]))),
      engine: () => this.engine,
      add: (holding) => this.#add(holding),
      storageOf: (holding) => this.#sessionOf.get(holding),
      isOver: () => this.isOver,
    });
    return { wake: (key) => rest.wake(key), resolveObfuscated: (obfuscated) => rest.resolve(obfuscated) };
  }

  #add(holding: Holding): Torrent {
    const { world, name, machine } = this.#parts;
    const { plan, disk } = holding;
    const session = new DiskSession(disk, { clock: this.clock, dice: this.#dice.fork(), referee: world.referee });
    this.#sessions.push(session);
    this.#sessionOf.set(holding, session);
    this.#slots.set(holding, new SlotAudit(name, world.referee));
    holding.orders.restart();
    this.#rates.begin(plan.torrent, this.#ratesOf(holding));
    const torrent = this.#open(holding, session);
    this.#torrents.set(holding, torrent);
    holding.running(torrent, {
      world,
      name,
      storage: session,
      reopen: () => void this.#add(holding),
      isOver: () => this.isOver,
    });
    this.#announce(plan.torrent, torrent, { host: machine.host, port: PEER_PORT });
    return torrent;
  }

  /** Hands the torrent to the engine, with what is known of it and what lies on the disk. */
  #open(holding: Holding, session: DiskSession): Torrent {
    const { plan, torrent: source, disk } = holding;
    const have = disk.isSuspect ? 'check' : disk.recorded.clone();
    if (have === 'check') disk.forget();
    const opened: OpenedStorage = { storage: session, have };
    const options = {
      ...hashesOf(holding),
      ...this.#ratesOf(holding),
      mode: holding.orders.mode,
      webSeedUse: plan.webSeedUse,
      webSeeds: plan.webSeeds.map((http, at) => this.#createHttpSource(http, at, holding)),
    };
    if (!holding.needsMetadata) {
      const layers = plan.hasLayers && source.pieceLayers;
      return this.engine.add({ ...options, info: source.info, ...(layers && { pieceLayers: layers }), ...opened });
    }
    session.isClosed = true;
    const openStorage = async (): Promise<OpenedStorage> => {
      session.isClosed = false;
      return opened;
    };
    return this.engine.addByHash({ ...options, openStorage });
  }

  #createHttpSource(http: HttpPlan, at: number, { torrent, orders, plan }: Holding): HttpSource {
    const { referee } = this.#parts.world;
    const label = `${http.kind} ${at}`;
    return new HttpSource(label, http, {
      bytes: torrent.bytes,
      clock: this.clock,
      dice: this.#dice.fork(),
      came: (sizeBytes) => this.#rates.pass('download', sizeBytes, plan.torrent),
      fetches: (start, endExclusive) => {
        const { pieceLengthBytes } = torrent.info;
        const blame = (): string => `${this.#parts.name}: [${start}, ${endExclusive}) of ${label}`;
        referee.check(!orders.isSilent, 'a paused torrent asks and serves nothing', blame);
        for (let piece = Math.floor(start / pieceLengthBytes); piece * pieceLengthBytes < endExclusive; piece++)
          referee.check(orders.mayAsk(piece), 'only what is wanted is asked for', blame);
      },
    });
  }

  /** Asks the tracker for peers, at once and then twice a minute. */
  #announce(at: number, torrent: Torrent, own: { readonly host: string; readonly port: number }): void {
    if (this.isOver || torrent.isStopped) return;
    const { world } = this.#parts;
    torrent.addPeers(world.announce(at, own));
    world.at(world.clock.monotonicMs() + ANNOUNCE_MS, () => this.#announce(at, torrent, own));
  }

  #holdingOf({ keys: [key] }: TorrentInspection): Holding | undefined {
    return key && this.#holdings.get(key);
  }

  /** What each peer still owes by what was said, where that can be told. */
  #owed(): (torrent: TorrentInspection, address: string) => number | undefined {
    const owed = new Map<string, number | undefined>();
    const nameOf = (holding: Holding | undefined, address: string): string => `${holding?.plan.torrent}@${address}`;
    for (const audit of this.audits)
      if (audit.owed !== undefined)
        owed.set(nameOf(audit.swarmKey && this.#holdings.get(audit.swarmKey), audit.address), audit.owed);
    return (torrent, address) => owed.get(nameOf(this.#holdingOf(torrent), address));
  }

  #tap(socket: PeerSocket, isOutgoing: boolean): TappedSocket {
    const { world, name, plan } = this.#parts;
    const audit = new WireAudit({
      name: `${name}>${socket.remote?.host}#${this.#connections++}`,
      address: `${socket.remote?.host}:${socket.remote?.port}`,
      isHonest: world.honestHosts.has(socket.remote?.host ?? ''),
      referee: world.referee,
      nowMs: () => world.clock.monotonicMs(),
      holdingOf: (swarmKey) => this.#holdings.get(swarmKey),
      hashesOf: (swarmKey) => world.hashTruths[this.#holdings.get(swarmKey)?.plan.torrent ?? -1],
      touched: () => this.#parts.touched(),
      uploads: (swarmKey, sizeBytes) => this.#pass('upload', sizeBytes, swarmKey, socket.remote?.host),
      downloads: (swarmKey, sizeBytes) => this.#pass('download', sizeBytes, swarmKey, socket.remote?.host),
    });
    this.audits.push(audit);
    if (socket.transport !== 'tcp') return new TappedSocket(socket, audit);
    const wiretap = new Wiretap(audit, {
      name: audit.name,
      isOutgoing,
      isHonest: world.honestHosts.has(socket.remote?.host ?? ''),
      requiresEncryption: plan.encryption === 'require',
      swarmKeys: world.swarmKeys,
      referee: world.referee,
    });
    return new TappedSocket(socket, wiretap);
  }

  #pass(way: Way, sizeBytes: number, swarmKey: SwarmKey, host: string | undefined): void {
    const torrent = this.#holdings.get(swarmKey)?.plan.torrent;
    if (torrent !== undefined) this.#rates.pass(way, sizeBytes, torrent, host);
  }

  #createRates(): RateBooks {
    const { world, name, holdings } = this.#parts;
    return new RateBooks({
      name,
      referee: world.referee,
      nowMs: () => world.clock.monotonicMs(),
      slowestReadMs: Math.max(...holdings.map(({ plan }) => plan.disk.slowestMs)),
      webSeeds: holdings.reduce((sum, { plan }) => sum + plan.webSeeds.length, 0),
      underWayBytes: (torrent, host) => this.#underWayBytes(torrent, host),
    });
  }

  /** Of peers by what was said; of web seeds what one of them may not be able to give back. */
  #underWayBytes(torrent?: number, host?: string): number {
    const ofTorrent = ({ swarmKey }: WireAudit): boolean =>
      torrent === undefined || (swarmKey && this.#holdings.get(swarmKey)?.plan.torrent) === torrent;
    const audits = this.audits.filter(
      (audit) => ofTorrent(audit) && (host === undefined || audit.address.startsWith(`${host}:`)),
    );
    const webSeeds = this.#parts.holdings.reduce((sum, { plan }) => sum + plan.webSeeds.length, 0);
    return BLOCK_BYTES * audits.reduce((sum, { mayCome }) => sum + mayCome, 2 * webSeeds);
  }

  #ratesOf({ plan }: Holding): RateLimits {
    return { ...plan.limits, ...ratesAt(plan.rates, this.#parts.world.clock.monotonicMs()) };
  }

  /** What is told to the engine and its torrents from now on. */
  #changeRates(): void {
    const { world, plan, holdings } = this.#parts;
    const later = (atMs: number, task: () => void): void => {
      if (atMs <= world.clock.monotonicMs()) return;
      world.at(atMs, () => {
        if (!this.isOver) task();
      });
    };
    for (const { atMs, limits } of plan.rates)
      later(atMs, () => {
        this.#rates.limitEngine(limits);
        this.engine.setLimits(limits);
      });
    for (const holding of holdings)
      for (const { atMs, limits } of holding.plan.rates)
        later(atMs, () => {
          this.#rates.limitTorrent(holding.plan.torrent, limits);
          this.#torrents.get(holding)?.setLimits(limits);
        });
  }

  /** A connection takes a round trip; where nobody can be reached the caller waits until it gives up. */
  #createDialer(): Dialer {
    const { world, name, machine } = this.#parts;
    return {
      transport: 'memory',
      dial: async (address, signal) => {
        const isTold = this.#isPrivate && !world.isAnnounced(address);
        world.referee.check(!isTold, 'a private torrent keeps to its tracker', () => `${name} dials ${address.host}`);
        const target = world.network.find(address.host);
        const isBlocked = target === undefined || world.network.weather.blockedMs(machine.host, address.host) > 0;
        const roundTripMs = 2 * ((machine.options.latencyMs ?? 0) + (target?.options.latencyMs ?? 0));
        await sleep(this.clock, isBlocked ? HOUR_MS : roundTripMs, signal);
        if (this.clock.isStopped) throw new ProtocolError('this machine is off');
        return this.#tap(await machine.dial(address, signal), true);
      },
    };
  }

  /** All it has is private, and it knows that from the start. */
  get #isPrivate(): boolean {
    return this.#parts.holdings.every(({ torrent, plan }) => torrent.info.isPrivate && !plan.isMagnet);
  }

  #createLog(): Log {
    const { world, name } = this.#parts;
    const heed = (event: string, fields: LogFields = {}): void => {
      world.referee.note(`${name} ${event}`);
      if (event === 'task.failed')
        world.referee.broken('no fault escapes', `${name}: ${String(fields['task'])}: ${String(fields['error'])}`);
      const isBan = event === 'peer.banned' && world.honestHosts.has(String(fields['host']));
      const isHttpBan = event === 'webseed.banned' && !String(fields['source']).startsWith('lies');
      if (isBan || isHttpBan)
        world.referee.broken('honest peers are never banned', `${name} bans ${JSON.stringify(fields)}`);
    };
    return { debug: () => undefined, info: heed, warn: heed, error: heed };
  }
}

/** By which hashes the node knows the torrent at first. */
function hashesOf({ plan: { half }, torrent: { hashes } }: Holding): InfoHashes {
  if (half === 'v1' && hashes.v1 !== undefined) return { v1: hashes.v1 };
  return half === 'v2' && hashes.v2 !== undefined ? { v2: hashes.v2 } : hashes;
}

/** Under which it may be spoken of. */
function keysOf({ torrent: { hashes } }: Holding): SwarmKey[] {
  return [hashes.v1, hashes.v2].flatMap((hash) => (hash === undefined ? [] : [swarmKeyOf(hash)]));
}
