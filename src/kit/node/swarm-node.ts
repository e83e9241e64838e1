/**
 * A BitTorrent peer in a Node process: engine, TCP and uTP both ways, WebRTC through WebSocket trackers, announces. Started and
 * stopped as one; nothing of it is left after `stop`. Where WebRTC's native library is missing, all else works.
 */
import { networkInterfaces } from 'node:os';
import { LocalDiscovery } from '../../adapters/lsd/local-discovery.ts';
import { nodeHasher } from '../../adapters/node-crypto/hasher.ts';
import { Guard } from '../../adapters/guard/guard.ts';
import { NodeMseCrypto } from '../../adapters/node-crypto/mse-crypto.ts';
import { TcpDialer } from '../../adapters/tcp/dialer.ts';
import { ConnectionLimits } from '../../adapters/tcp/limits.ts';
import { TcpListener } from '../../adapters/tcp/listener.ts';
import { loadUtp } from '../../adapters/utp/load.ts';
import { UtpPort } from '../../adapters/utp/port.ts';
import type { RtcAnswerer } from '../../adapters/webrtc/answerer.ts';
import { loadWebRtc, type WebRtc } from '../../adapters/webrtc/load.ts';
import type { RtcOfferer } from '../../adapters/webrtc/offerer.ts';
import { AddressPolicy, type AddressSource } from '../../base/address-policy.ts';
import { scopeOf } from '../../base/address-scope.ts';
import { systemClock } from '../../base/clock.ts';
import { endInTurn, endTogether } from '../../base/endings.ts';
import { type Log, silentLog } from '../../base/log.ts';
import { checkKeys, type OptionKeys } from '../../base/options.ts';
import { openUtp } from './open-utp.ts';
import {
  Engine,
  type EncryptionPolicy,
  type EngineLimits,
  type PeerAddress,
  type PeerSocket,
  type Torrent,
} from '../../torrent/index.ts';
import { checkAddressSource, checkCaps, checkEncryption, checkPort, checkTiers } from '../../torrent/options-check.ts';
import { Dht, type DhtOptions } from './dht.ts';
import type { Finding } from './finding.ts';
import { PeerFinder } from './peer-finder.ts';

/** How a node listens, and whom it may ask. Everything has a default. */
export interface SwarmNodeOptions {
  /** IP literal to listen on; undefined = all. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Whether strangers (trackers, magnets, PEX) may name private and loopback addresses. Default false. */
  readonly allowPrivate?: boolean;
  /** The way out, in place of one of its own; closed with the node. */
  readonly guard?: Guard;
  /** The DHT (BEP 5): UDP port, 0 = any, and `host:port` of nodes to begin with. Default: off. */
  readonly dht?: Pick<DhtOptions, 'port' | 'bootstrap' | 'isReadOnly' | 'keeper'> | undefined;
  /** Whether to look for peers in the local network (BEP 14). Default false. */
  readonly lsd?: boolean | undefined;
  /** Default: nothing is logged. */
  readonly log?: Log;
  /** Of handshakes over TCP and uTP; default `prefer`. */
  readonly encryption?: EncryptionPolicy;
  /** Whether to speak uTP on the same port, where this system can. Default true. */
  readonly utp?: boolean;
  /** Global caps of the engine; those left out as in `DEFAULT_LIMITS`. */
  readonly limits?: Partial<EngineLimits>;
}

const NODE_KEYS: OptionKeys<SwarmNodeOptions> = {
  host: true,
  port: true,
  allowPrivate: true,
  guard: true,
  dht: true,
  lsd: true,
  log: true,
  encryption: true,
  utp: true,
  limits: true,
};
const DHT_KEYS: OptionKeys<NonNullable<SwarmNodeOptions['dht']>> = {
  port: true,
  bootstrap: true,
  isReadOnly: true,
  keeper: true,
};

/** @throws InvalidInput */
function checkNodeOptions(options: SwarmNodeOptions): void {
  checkKeys('SwarmNode.open', options, NODE_KEYS);
  checkEncryption(options.encryption);
  checkPort('port', options.port);
  if (options.dht !== undefined) checkKeys('dht', options.dht, DHT_KEYS);
  checkPort('dht.port', options.dht?.port);
  if (options.limits !== undefined) checkCaps(options.limits);
}

/** Where peers come in. */
interface Doors {
  readonly listener: TcpListener;
  readonly utpPort: UtpPort | undefined;
}

async function openDoors(
  { host, port, utp }: { readonly host: string | undefined; readonly port: number; readonly utp: boolean },
  shared: { readonly limits: ConnectionLimits; readonly log: Log; readonly accept: (socket: PeerSocket) => void },
): Promise<Doors> {
  const listener = await TcpListener.open({ port, ...(host === undefined ? {} : { host }), ...shared });
  const library = utp ? await loadUtp(shared.log) : undefined;
  const utpPort = library && new UtpPort({ library, ...shared });
  await openUtp(utpPort, host, listener.address.port, shared.log);
  return { listener, utpPort };
}

/** TCP connections; a single download needs few, and all may sit behind one address. */
const LIMITS = { maxConnections: 200, maxPerAddress: 50 };

interface SwarmNodeParts {
  readonly engine: Engine;
  readonly doors: Doors;
  readonly webRtc: WebRtc | undefined;
  readonly guard: Guard;
  readonly dht: Dht | undefined;
  readonly lsd: LocalDiscovery | undefined;
  readonly log: Log;
}

/** An engine with everything it needs in Node. `await using`, or `stop`, ends all of it. */
export class SwarmNode implements AsyncDisposable {
  /** Adds and finds torrents, and holds the limits. */
  readonly engine: Engine;
  /** Every address that strangers name is judged by it. */
  readonly guard: Guard;
  readonly #finder: PeerFinder;
  readonly #dht: Dht | undefined;
  readonly #lsd: LocalDiscovery | undefined;
  /** Undefined where this system has no WebRTC. */
  readonly #rtc: { readonly answerer: RtcAnswerer; readonly offerer: RtcOfferer } | undefined;
  readonly #doors: Doors;
  #stopping: Promise<void> | undefined;

  private constructor({ engine, doors, webRtc, guard, dht, lsd, log }: SwarmNodeParts) {
    this.engine = engine;
    this.guard = guard;
    this.#doors = doors;
    const rtc = { iceServers: [], clock: systemClock, log };
    this.#rtc = webRtc && {
      answerer: new webRtc.RtcAnswerer({ ...rtc, accept: (socket) => engine.accept(socket) }),
      offerer: new webRtc.RtcOfferer(rtc),
    };
    const { peerId } = engine;
    const { port: listenPort } = doors.listener.address;
    this.#dht = dht;
    this.#lsd = lsd;
    this.#finder = new PeerFinder({ peerId, listenPort, guard, rtc: this.#rtc, dht, lsd, clock: systemClock, log });
  }

  /** @throws Unavailable when the port is taken, InvalidInput for an option that is none. */
  static async open(options: SwarmNodeOptions = {}): Promise<SwarmNode> {
    checkNodeOptions(options);
    const { host, port = 0, allowPrivate = false, guard, dht: dhtOptions, lsd: wantsLsd = false } = options;
    const { log = silentLog, encryption = 'prefer', utp = true, limits: caps = {} } = options;
    const webRtc = await loadWebRtc(log);
    const wayOut = guard ?? new Guard({ policy: new AddressPolicy({ allowPrivate }), log });
    const limits = new ConnectionLimits(LIMITS);
    const early: { engine?: Engine } = {};
    const accept = (socket: PeerSocket): void =>
      early.engine === undefined ? socket.close() : early.engine.accept(socket);
    const doors = await openDoors({ host, port, utp }, { limits, log, accept });
    const { listener, utpPort } = doors;
    const { dht, lsd } = await openFinders(
      { dht: dhtOptions, lsd: wantsLsd },
      { host, listenPort: listener.address.port, guard: wayOut, log },
    ).catch(async (error: unknown) => {
      await Promise.all([listener.close(), utpPort?.close()]);
      throw error;
    });
    const engine = new Engine({
      listenPort: listener.address.port,
      ...(dht !== undefined && dhtOptions?.isReadOnly !== true && { dht }),
      allowAddress: (address, source) => wayOut.policy.allowsPeer(address, source),
      ports: {
        clock: systemClock,
        hasher: nodeHasher,
        log,
        random: Math.random,
        dialers: [new TcpDialer({ limits }), ...(utpPort === undefined ? [] : [utpPort])],
        mse: new NodeMseCrypto(),
      },
      encryption,
      limits: caps,
    });
    early.engine = engine;
    return new SwarmNode({ engine, doors, webRtc, guard: wayOut, dht, lsd, log });
  }

  /** The DHT node, where it is switched on. */
  get dht(): Pick<Dht, 'port' | 'size'> | undefined {
    return this.#dht;
  }

  /** Where peers reach us. */
  get address(): PeerAddress {
    return this.#doors.listener.address;
  }

  /**
   * Looks for peers of a torrent until it, the node, or what this returns is stopped. URLs of unknown kinds are left out;
   * `source`: who named them, strangers by default. @throws InvalidInput for what is no list of lists of texts
   */
  announce(torrent: Torrent, tiers: readonly (readonly string[])[], source: AddressSource = 'told'): Finding {
    checkTiers(tiers);
    checkAddressSource(source);
    return this.#finder.find(torrent, tiers, source);
  }

  /**
   * Says goodbye to trackers, then closes everything. Each further call gives the same promise.
   * @throws why something could not be closed in good order, such as StorageFailed, or SeveralFailed; all else is closed
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #stop(): Promise<void> {
    const { listener, utpPort } = this.#doors;
    return endInTurn([
      () => this.#finder.stop(),
      () => endTogether([this.#dht?.stop(), this.#lsd?.stop()]),
      () => this.engine.stop(),
      () => endTogether([listener.close(), utpPort?.close(), this.#rtc?.answerer.stop(), this.#rtc?.offerer.stop()]),
      () => this.guard.close(),
    ]);
  }
}

interface Finders {
  readonly dht: Dht | undefined;
  readonly lsd: LocalDiscovery | undefined;
}

async function openFinders(
  wanted: Pick<SwarmNodeOptions, 'dht' | 'lsd'>,
  place: { readonly host: string | undefined; readonly listenPort: number; readonly guard: Guard; readonly log: Log },
): Promise<Finders> {
  const { host, listenPort, guard, log } = place;
  const lsd =
    wanted.lsd === true ? await LocalDiscovery.open({ listenPort, host, clock: systemClock, log }) : undefined;
  try {
    const dht = wanted.dht && (await Dht.open({ ...wanted.dht, hosts: dhtHosts(host), guard, log }));
    return { dht, lsd };
  } catch (error) {
    await lsd?.stop();
    throw error;
  }
}

/** All interfaces, with IPv6 where the machine has a public address of it. */
function dhtHosts(host: string | undefined): readonly string[] {
  if (host !== undefined) return [host];
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const hasV6 = own.some(({ family, address }) => family === 'IPv6' && scopeOf(address) === 'public');
  return hasV6 ? ['0.0.0.0', '::'] : ['0.0.0.0'];
}
