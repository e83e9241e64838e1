/**
 * A BitTorrent peer in a Node process: engine, TCP both ways, WebRTC through WebSocket trackers, announces. Started and
 * stopped as one; nothing of it is left after `stop`. Where WebRTC's native library is missing, all else works.
 */
import { nodeHasher } from '../../adapters/node-crypto/hasher.ts';
import { Guard } from '../../adapters/guard/guard.ts';
import { NodeMseCrypto } from '../../adapters/node-crypto/mse-crypto.ts';
import { TcpDialer } from '../../adapters/tcp/dialer.ts';
import { ConnectionLimits } from '../../adapters/tcp/limits.ts';
import { TcpListener } from '../../adapters/tcp/listener.ts';
import { Announcer } from '../../adapters/tracker-client/announcer.ts';
import type { TrackerClient } from '../../adapters/tracker-client/client.ts';
import { HttpTracker } from '../../adapters/tracker-client/http-tracker.ts';
import { UdpTrackers } from '../../adapters/tracker-client/udp-trackers.ts';
import { WebTracker } from '../../adapters/tracker-client/web-tracker.ts';
import type { RtcAnswerer } from '../../adapters/webrtc/answerer.ts';
import { loadWebRtc, type WebRtc } from '../../adapters/webrtc/load.ts';
import type { RtcOfferer } from '../../adapters/webrtc/offerer.ts';
import { AddressPolicy, type AddressSource } from '../../base/address-policy.ts';
import { systemClock } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import { type Log, silentLog } from '../../base/log.ts';
import { Engine, type EncryptionPolicy, type PeerAddress, type Torrent } from '../../torrent/index.ts';

export interface SwarmNodeOptions {
  /** IP literal to listen on; undefined = all. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Whether strangers (trackers, magnets, PEX) may name private and loopback addresses. Default false. */
  readonly allowPrivate?: boolean;
  /** The way out, in place of one of its own; closed with the node. */
  readonly guard?: Guard;
  /** Default: nothing is logged. */
  readonly log?: Log;
  /** Of handshakes over TCP; default `prefer`. */
  readonly encryption?: EncryptionPolicy;
}

/** From so many on, no offers are made. */
const ENOUGH_PEERS = 10;
/** TCP connections; a single download needs few, and all may sit behind one address. */
const LIMITS = { maxConnections: 200, maxPerAddress: 50 };

export class SwarmNode implements AsyncDisposable {
  readonly engine: Engine;
  readonly guard: Guard;
  readonly #log: Log;
  readonly #udp: UdpTrackers;
  /** Undefined where this system has no WebRTC. */
  readonly #rtc: { readonly answerer: RtcAnswerer; readonly offerer: RtcOfferer } | undefined;
  readonly #listener: TcpListener;
  readonly #sessions = new Set<{ stop(): Promise<void> }>();

  private constructor(engine: Engine, listener: TcpListener, webRtc: WebRtc | undefined, guard: Guard, log: Log) {
    this.engine = engine;
    this.guard = guard;
    this.#udp = new UdpTrackers(guard);
    this.#listener = listener;
    this.#log = log;
    const rtc = { iceServers: [], clock: systemClock, log };
    this.#rtc = webRtc && {
      answerer: new webRtc.RtcAnswerer({ ...rtc, accept: (socket) => engine.accept(socket) }),
      offerer: new webRtc.RtcOfferer(rtc),
    };
  }

  /** @throws Unavailable when the port is taken. */
  static async open({
    host,
    port = 0,
    allowPrivate = false,
    guard,
    log = silentLog,
    encryption = 'prefer',
  }: SwarmNodeOptions = {}): Promise<SwarmNode> {
    const webRtc = await loadWebRtc(log);
    const wayOut = guard ?? new Guard({ policy: new AddressPolicy({ allowPrivate }), log });
    const limits = new ConnectionLimits(LIMITS);
    const early: { engine?: Engine } = {};
    const listener = await TcpListener.open({
      port,
      ...(host === undefined ? {} : { host }),
      limits,
      log,
      accept: (socket) => (early.engine === undefined ? socket.close() : early.engine.accept(socket)),
    });
    const engine = new Engine({
      listenPort: listener.address.port,
      allowAddress: (address, source) => wayOut.policy.allowsPeer(address, source),
      ports: {
        clock: systemClock,
        hasher: nodeHasher,
        log,
        random: Math.random,
        dialers: [new TcpDialer({ limits })],
        mse: new NodeMseCrypto(),
      },
      encryption,
    });
    early.engine = engine;
    return new SwarmNode(engine, listener, webRtc, wayOut, log);
  }

  /** Where peers reach us. */
  get address(): PeerAddress {
    return this.#listener.address;
  }

  /** Announces a torrent until `stop`; URLs of unknown kinds are left out. `source`: who named them; strangers by default. */
  announce(torrent: Torrent, tiers: readonly (readonly string[])[], source: AddressSource = 'told'): void {
    const clients = tiers.map((tier) => tier.flatMap((url) => this.#clientOf(url, source) ?? []));
    const announcer = new Announcer({
      tiers: clients.filter((tier) => tier.length > 0),
      describe: () => this.#describe(torrent),
      found: (peers) => torrent.addPeers(peers, 'judged'),
      clock: systemClock,
      log: this.#log,
      random: Math.random,
    });
    const web = new Set(tiers.flat().filter((url) => /^wss?:/.test(url)));
    const trackers = Array.from(web).flatMap((url) => this.#webTracker(url, source, torrent) ?? []);
    torrent.events.on('done', () => {
      if (!torrent.isComplete) return; // some files only: trackers count whole copies (BEP 21)
      announcer.completed();
      for (const tracker of trackers) for (const key of torrent.keys) tracker.completed(key);
    });
    for (const session of [announcer, ...trackers]) this.#sessions.add(session);
  }

  /** Says goodbye to trackers, then closes everything. */
  async stop(): Promise<void> {
    await Promise.all(Array.from(this.#sessions, (session) => session.stop()));
    this.#udp.close();
    await this.engine.stop();
    await Promise.all([this.#listener.close(), this.#rtc?.answerer.stop(), this.#rtc?.offerer.stop()]);
    this.guard.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #clientOf(url: string, source: AddressSource): TrackerClient | undefined {
    try {
      if (/^https?:/.test(url)) return new HttpTracker(url, this.guard, source);
      return url.startsWith('udp:') ? this.#udp.client(url, source) : undefined;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#log.warn('tracker.refused', { tracker: url, code: error.code });
      return undefined;
    }
  }

  #describe(torrent: Torrent): {
    swarmKey: Torrent['keys'][number];
    peerId: Uint8Array;
    port: number;
    uploadedBytes: number;
    downloadedBytes: number;
    leftBytes?: number;
  } {
    const [swarmKey] = torrent.keys;
    if (swarmKey === undefined) throw new TypeError('a torrent has a key');
    return { swarmKey, peerId: this.engine.peerId, port: this.address.port, ...transfer(torrent) };
  }

  #webTracker(url: string, source: AddressSource, torrent: Torrent): WebTracker | undefined {
    const rtc = this.#rtc;
    if (rtc === undefined) return undefined;
    return new WebTracker({
      url,
      source,
      guard: this.guard,
      peerId: this.engine.peerId,
      rtc: {
        offer: (signal) => rtc.offerer.offer(signal),
        answer: (offer, sink) => rtc.answerer.answer(offer, sink),
      },
      swarms: torrent.keys.map((key) => ({
        key,
        describe: () => transfer(torrent),
        wantedPeers: () => {
          if (torrent.isComplete || torrent.peerCount >= ENOUGH_PEERS) return 'none';
          return torrent.peerCount === 0 ? 'first' : 'more';
        },
        connected: (socket) => torrent.attach(socket),
      })),
      clock: systemClock,
      log: this.#log,
      random: Math.random,
    });
  }
}

function transfer(torrent: Torrent): { uploadedBytes: number; downloadedBytes: number; leftBytes?: number } {
  const stats = torrent.stats();
  const downloadedBytes = stats.bytesFromPeers + stats.bytesFromHttp;
  const { totalBytes } = stats;
  return {
    uploadedBytes: stats.uploadedBytes,
    downloadedBytes,
    ...(totalBytes === undefined ? {} : { leftBytes: Math.round(totalBytes * (1 - stats.progress)) }),
  };
}
