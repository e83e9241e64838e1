/**
 * The BitTorrent side of the server: tracker, engine, the server's own seeder and the doors peers come in by (TCP,
 * WebRTC). The tracker names our seeder to peers; the seeder never announces to anybody.
 */
import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { Guard } from '../adapters/guard/guard.ts';
import { LocalDiscovery } from '../adapters/lsd/local-discovery.ts';
import { nodeHasher } from '../adapters/node-crypto/hasher.ts';
import { NodeMseCrypto } from '../adapters/node-crypto/mse-crypto.ts';
import { TcpDialer } from '../adapters/tcp/dialer.ts';
import { ConnectionLimits } from '../adapters/tcp/limits.ts';
import { TcpListener } from '../adapters/tcp/listener.ts';
import { loadUtp } from '../adapters/utp/load.ts';
import { UtpPort } from '../adapters/utp/port.ts';
import { openUtp } from '../kit/node/open-utp.ts';
import { KeyedConnectionIds } from '../adapters/udp-tracker/connection-ids.ts';
import { UdpServer } from '../adapters/udp-tracker/udp-server.ts';
import type { RtcAnswerer } from '../adapters/webrtc/answerer.ts';
import { loadWebRtc } from '../adapters/webrtc/load.ts';
import type { PeerAddress } from '../base/address.ts';
import { AddressPolicy } from '../base/address-policy.ts';
import type { Clock } from '../base/clock.ts';
import { swarmKeyOf } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { SECOND_MS } from '../base/units.ts';
import { latinIdOf } from '../codec/tracker-ws.ts';
import { Dht } from '../kit/node/dht.ts';
import { findLocally } from '../kit/node/local-search.ts';
import type { Media } from '../media/media.ts';
import type { Rows } from '../store/rows.ts';
import { type OfferAnswerer, Seeding, type TorrentFinder } from '../media/seeding.ts';
import { Engine, type PeerSocket, type Torrent } from '../torrent/index.ts';
import { HttpTracker } from '../tracker/http.ts';
import { SwarmRegistry } from '../tracker/registry.ts';
import { SignalHub } from '../tracker/signal-hub.ts';
import { UdpTracker } from '../tracker/udp.ts';
import { capsOf } from './caps.ts';
import type { Config } from './config.ts';
import { AwakeTorrents } from './swarm/awake-torrents.ts';
import { DhtRows, type DhtTables } from './swarm/dht-rows.ts';
import { addressReachableFrom, isAnyHost, isLoopback, type OwnNetwork } from './reachable.ts';

/** Each announce asks for our addresses, and the system's answer costs 0.1 ms. */
const INTERFACES_KNOWN_MS = 5 * SECOND_MS;

export interface Swarm {
  readonly registry: SwarmRegistry;
  readonly tracker: HttpTracker;
  readonly hub: SignalHub;
  readonly seeding: Seeding;
  /** Opens the ports for peers and UDP announces; they close with `started`. @throws Unavailable when one is taken */
  open(started: AsyncDisposableStack): Promise<void>;
}

/** Announce URLs of the embedded tracker, the WebSocket one first. */
export function announceUrls(config: Pick<Config, 'publicUrl' | 'port'>): readonly string[] {
  const { hostname } = new URL(config.publicUrl);
  const udpHost = hostname.includes(':') ? `[${hostname}]` : hostname;
  return [
    `${config.publicUrl.replace(/^http/, 'ws')}/announce`,
    `${config.publicUrl}/announce`,
    `udp://${udpHost}:${config.port}/announce`,
  ];
}

export interface SwarmParts {
  readonly media: Media;
  readonly rows: Pick<Rows<DhtTables>, 'query' | 'read' | 'write'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Starts all but the ports; what was started stops with `started`. */
export async function startSwarm(
  config: Config,
  { media, rows, clock, log }: SwarmParts,
  started: AsyncDisposableStack,
): Promise<Swarm> {
  const network = await ownNetwork(config, clock);
  const bindAddress = isAnyHost(config.host) ? {} : { bindAddress: config.host };
  const webRtc = await loadWebRtc(log);
  const answerer =
    webRtc &&
    new webRtc.RtcAnswerer({
      iceServers: config.iceServers.map((urls) => ({ urls })),
      clock,
      log,
      maxConnections: config.maxPeers,
      accept: (socket) => seeding.engine.accept(socket),
      ...bindAddress,
    });
  started.defer(() => answerer?.stop());

  const limits = new ConnectionLimits({ maxConnections: config.maxPeers });
  const library = config.utp ? await loadUtp(log) : undefined;
  const accept = (socket: PeerSocket): void => seeding.engine.accept(socket);
  const utp = library && new UtpPort({ library, limits, log, clock, accept });
  const policy = new AddressPolicy({
    allowPrivate: config.allowPrivatePeers,
    // Where the public address is elsewhere, loopback is where the reverse proxy is.
    loopbackIsPeer: isLoopback(new URL(config.publicUrl).hostname.replace(/^\[|\]$/g, '')),
  });
  const dht: { current?: Dht } = {};
  const seeding: Seeding = new Seeding({
    media,
    hasher: nodeHasher,
    clock,
    log,
    random: Math.random,
    createEngine: (finder) => createEngine(config, { clock, log, limits, utp, policy, dht }, finder),
    ...(answerer && { answerer: judgedAnswerer(answerer, policy) }),
    maxAwake: capsOf(config).awakeTorrents,
    peerAddressFor: (remoteHost) => {
      const host = addressReachableFrom(remoteHost, network());
      return host === undefined ? undefined : { host, port: config.peerPort };
    },
  });
  started.defer(() => seeding.stop());

  const registry = new SwarmRegistry({
    clock,
    admission: { admits: (key) => config.openTracker || media.admits(key) },
    ownSeed: seeding,
  });
  started.defer(() => registry.stop());
  registry.events.on('interest', ({ swarmKey, peer }) => seeding.wanted(swarmKey, peer));
  media.events.on('removed', ({ infoHash }) => {
    if (infoHash !== undefined && !config.openTracker) registry.drop(swarmKeyOf(infoHash));
  });

  return {
    registry,
    tracker: new HttpTracker(registry),
    hub: new SignalHub({ registry, clock, log, answerer: seeding, ownPeerId: latinIdOf(seeding.engine.peerId) }),
    seeding,
    open: async (opened) => {
      await openPorts(config, { registry, accept, utp, limits, clock, log }, opened);
      if (config.dht === 'on') await openDht(config, { seeding, policy, dht, rows, clock, log }, opened);
      if (config.lsd === 'on') await openLsd(config, { seeding, clock, log }, opened);
    },
  };
}

interface PortParts {
  readonly registry: SwarmRegistry;
  readonly accept: (socket: PeerSocket) => void;
  /** Undefined where there is no uTP. */
  readonly utp: UtpPort | undefined;
  readonly limits: ConnectionLimits;
  readonly clock: Clock;
  readonly log: Log;
}

async function openPorts(
  { host, port, peerPort }: Config,
  { registry, accept, utp, limits, clock, log }: PortParts,
  started: AsyncDisposableStack,
): Promise<void> {
  const listener = await TcpListener.open({ host, port: peerPort, limits, log, accept });
  started.defer(() => listener.close());
  await openUtp(utp, host, peerPort, log);
  started.defer(() => utp?.close());
  const tracker = new UdpTracker(registry, new KeyedConnectionIds(clock));
  const udp = await UdpServer.start({ tracker, log, host, port });
  started.defer(() => udp.stop());
}

/** The DHT as far as it is there: its port opens when all else is ready. */
interface DhtParts {
  readonly policy: AddressPolicy;
  readonly dht: { current?: Dht };
}

/** Nobody is contacted but the nodes that are configured, and by whom they lead to. */
async function openDht(
  { host, peerPort, dhtPort, dhtNodes }: Config,
  { seeding, policy, dht, rows, clock, log }: Pick<Swarm, 'seeding'> & DhtParts & Omit<SwarmParts, 'media'>,
  started: AsyncDisposableStack,
): Promise<void> {
  const guard = new Guard({ policy, clock, log });
  const keeper = new DhtRows(rows, () => clock.nowMs());
  const opened = await Dht.open({ hosts: [host], port: dhtPort, bootstrap: dhtNodes, keeper, guard, log });
  started.defer(() => opened.stop());
  const announce = (torrent: Torrent): (() => void) => opened.find(torrent, peerPort);
  started.use(new AwakeTorrents({ engine: seeding.engine, announce, clock, log }));
  dht.current = opened;
}

/** Torrents that are awake are announced in our own network. */
async function openLsd(
  { host, peerPort }: Config,
  { seeding, clock, log }: Pick<Swarm, 'seeding'> & Pick<PortParts, 'clock' | 'log'>,
  started: AsyncDisposableStack,
): Promise<void> {
  const opened = await LocalDiscovery.open({ listenPort: peerPort, host, clock, log });
  started.defer(() => opened.stop());
  const announce = (torrent: Torrent): (() => void) => findLocally(opened, torrent);
  started.use(new AwakeTorrents({ engine: seeding.engine, announce, clock, log }));
}

function createEngine(
  config: Config,
  { clock, log, limits, utp, policy, dht }: Pick<PortParts, 'clock' | 'log' | 'limits' | 'utp'> & DhtParts,
  finder: TorrentFinder,
): Engine {
  return new Engine({
    ...(config.dht === 'on' && {
      dht: { port: config.dhtPort, heardOf: (node: PeerAddress) => dht.current?.heardOf(node) },
    }),
    allowAddress: (address, source) => policy.allowsPeer(address, source),
    ports: {
      clock,
      hasher: nodeHasher,
      log,
      random: Math.random,
      dialers: [new TcpDialer({ limits, clock }), ...(utp === undefined ? [] : [utp])],
      mse: new NodeMseCrypto(),
    },
    encryption: config.encryption,
    listenPort: config.peerPort,
    limits: {
      maxConnections: config.maxPeers,
      maxGreetings: capsOf(config).greetings,
      uploadBytesPerSecond: limitOf(config.seedLimitBytesPerSec),
      uploadBytesPerSecondPerAddress: limitOf(config.seedLimitPerAddressBytesPerSec),
    },
    ...finder,
  });
}

/** Candidates of a stranger are judged as addresses are that came to our tracker. */
function judgedAnswerer(answerer: RtcAnswerer, policy: AddressPolicy): OfferAnswerer {
  return {
    answer: ({ sdp, trickle, remoteHost }, sink) =>
      answerer.answer({ sdp, trickle, allows: (address) => policy.allowsPeerOf(remoteHost, address) }, sink),
  };
}

/** In a setting, 0 stands for no limit. */
function limitOf(bytesPerSec: number): number {
  return bytesPerSec === 0 ? Number.POSITIVE_INFINITY : bytesPerSec;
}

/** Our name is looked up once at the start, interfaces again and again: a laptop changes networks. */
async function ownNetwork(config: Config, clock: Clock): Promise<() => OwnNetwork> {
  const { hostname } = new URL(config.publicUrl);
  const found = await lookup(hostname, { all: true }).catch(() => []);
  const publicAddresses = found.map(({ address }) => address);
  const look = (): OwnNetwork => ({
    listenHost: config.host,
    interfaces: Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []),
    publicAddresses,
  });
  let [known, lookedAtMs] = [look(), clock.monotonicMs()];
  return () => {
    if (clock.monotonicMs() - lookedAtMs >= INTERFACES_KNOWN_MS) [known, lookedAtMs] = [look(), clock.monotonicMs()];
    return known;
  };
}
