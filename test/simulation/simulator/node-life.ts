/**
 * One run of an engine on a simulated machine, from joining to leaving or crashing. Everything it touches is tapped and
 * audited. Invariant: when it has left in good order, nothing of it remains.
 */
import { ProtocolError } from '../../../src/base/errors.ts';
import { swarmKeyOf, type SwarmKey } from '../../../src/base/ids.ts';
import type { Log, LogFields } from '../../../src/base/log.ts';
import { sleep } from '../../../src/base/tasks.ts';
import { HOUR_MS, SECOND_MS } from '../../../src/base/units.ts';
import { Engine, type Dialer, type PeerSocket, type Torrent } from '../../../src/torrent/index.ts';
import type { MemoryHost } from '../../support/memory-network.ts';
import { PEER_PORT } from '../../support/swarm.ts';
import { auditBooks, auditBudgets, auditWire } from './books-audit.ts';
import type { Dice } from './dice.ts';
import { DiskSession } from './disk.ts';
import { delayedHasher } from './hashing.ts';
import type { Holding } from './holding.ts';
import { HttpSource } from './http-source.ts';
import { NodeClock } from './node-clock.ts';
import { RateAudit } from './rate-audit.ts';
import type { NodePlan } from './scenario.ts';
import { TappedSocket } from './tapped-socket.ts';
import { WireAudit } from './wire-audit.ts';
import type { World } from './world.ts';

const ANNOUNCE_MS = 30 * SECOND_MS;

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
  readonly #engineRate: RateAudit;
  readonly #rates = new Map<SwarmKey, RateAudit>();
  #connections = 0;

  constructor(parts: LifeParts) {
    const { world, plan, machine } = parts;
    this.#parts = parts;
    this.#dice = world.dice.fork();
    this.clock = new NodeClock(world.clock, () => parts.touched());
    this.#engineRate = new RateAudit(plan.limits.uploadBytesPerSecond ?? Number.POSITIVE_INFINITY);
    this.engine = new Engine({
      ports: {
        clock: this.clock,
        hasher: delayedHasher(this.clock, this.#dice, plan.slowestHashMs),
        log: this.#createLog(),
        random: () => this.#dice.next(),
        dialers: [this.#createDialer()],
      },
      peerId: this.#dice.bytes(20),
      listenPort: PEER_PORT,
      limits: plan.limits,
    });
    machine.listen(PEER_PORT, (socket) => this.engine.accept(this.#tap(socket)));
    for (const holding of parts.holdings) this.#add(holding);
  }

  /** Checks the engine's books. */
  audit(): void {
    const { world, name, holdings } = this.#parts;
    const books = this.engine.inspect();
    const pieceBytes = Math.max(...holdings.map(({ torrent }) => torrent.info.pieceLengthBytes));
    auditBudgets(name, books, pieceBytes, world.referee);
    const owed = new Map(
      this.audits.filter((audit) => audit.owed !== undefined).map((audit) => [audit.address, audit.owed]),
    );
    auditWire(name, books, owed, world.referee);
    auditBooks(
      name,
      books,
      ({ keys }, piece) => {
        const info = this.#holdingOf(keys[0])?.torrent.info;
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

  #add(holding: Holding): void {
    const { world, name, machine } = this.#parts;
    const { plan, torrent: source, disk } = holding;
    const session = new DiskSession(disk, { clock: this.clock, dice: this.#dice.fork(), referee: world.referee });
    this.#sessions.push(session);
    const opened = { storage: session, have: disk.recorded.clone() };
    const options = {
      ...source.hashes,
      ...plan.limits,
      mode: plan.mode,
      webSeedUse: plan.webSeedUse,
      webSeeds: plan.webSeeds.map((http, at) => {
        const parts = { bytes: source.bytes, clock: this.clock, dice: this.#dice.fork() };
        return new HttpSource(`${http.kind} ${at}`, http, parts);
      }),
    };
    if (holding.needsMetadata) session.isClosed = true;
    const torrent = holding.needsMetadata
      ? this.engine.addByHash({
          ...options,
          openStorage: async () => {
            session.isClosed = false;
            return opened;
          },
        })
      : this.engine.add({ ...options, info: source.info, ...opened });
    holding.running(torrent, { world, name, isOver: () => this.isOver });
    this.#rates.set(
      torrent.keys[0] ?? fail(),
      new RateAudit(plan.limits.uploadBytesPerSecond ?? Number.POSITIVE_INFINITY),
    );
    this.#announce(plan.torrent, torrent, { host: machine.host, port: PEER_PORT });
  }

  /** Asks the tracker for peers, at once and then twice a minute. */
  #announce(at: number, torrent: Torrent, own: { readonly host: string; readonly port: number }): void {
    if (this.isOver) return;
    const { world } = this.#parts;
    torrent.addPeers(world.announce(at, own));
    world.at(world.clock.monotonicMs() + ANNOUNCE_MS, () => this.#announce(at, torrent, own));
  }

  #holdingOf(swarmKey: SwarmKey | undefined): Holding | undefined {
    return this.#parts.holdings.find(({ torrent: { hashes } }) => hashes.v1 && swarmKeyOf(hashes.v1) === swarmKey);
  }

  #tap(socket: PeerSocket): TappedSocket {
    const { world, name } = this.#parts;
    const audit = new WireAudit({
      name: `${name}>${socket.remote?.host}#${this.#connections++}`,
      address: `${socket.remote?.host}:${socket.remote?.port}`,
      isHonest: world.honestHosts.has(socket.remote?.host ?? ''),
      referee: world.referee,
      nowMs: () => world.clock.monotonicMs(),
      diskOf: (swarmKey) => this.#holdingOf(swarmKey)?.disk,
      touched: () => this.#parts.touched(),
      uploads: (swarmKey, sizeBytes) => this.#onUpload(swarmKey, sizeBytes),
    });
    this.audits.push(audit);
    return new TappedSocket(socket, audit);
  }

  #onUpload(swarmKey: SwarmKey, sizeBytes: number): void {
    const { world, name } = this.#parts;
    const nowMs = world.clock.monotonicMs();
    const isWithin = [this.#engineRate, this.#rates.get(swarmKey)].every(
      (rate) => rate?.pass(sizeBytes, nowMs) ?? true,
    );
    world.referee.check(isWithin, 'an upload limit holds', () => `${name} at ${swarmKey}`);
  }

  /** A connection takes a round trip; where nobody can be reached the caller waits until it gives up. */
  #createDialer(): Dialer {
    const { world, machine } = this.#parts;
    return {
      transport: 'memory',
      dial: async (address, signal) => {
        const target = world.network.find(address.host);
        const isBlocked = target === undefined || world.network.weather.blockedMs(machine.host, address.host) > 0;
        const roundTripMs = 2 * ((machine.options.latencyMs ?? 0) + (target?.options.latencyMs ?? 0));
        await sleep(this.clock, isBlocked ? HOUR_MS : roundTripMs, signal);
        if (this.clock.isStopped) throw new ProtocolError('this machine is off');
        return this.#tap(await machine.dial(address, signal));
      },
    };
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

function fail(): never {
  throw new Error('a torrent has a key');
}
