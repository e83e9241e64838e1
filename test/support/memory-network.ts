/**
 * A network in memory under a virtual clock: hosts with an uplink of limited speed, connections with latency, byte
 * streams cut anywhere, and weather that delays, blocks and resets them. Deterministic: the same seed gives the same
 * run. Invariant: bytes arrive in order, `drained` follows every `write` that returned false (while the other end
 * lives), and `closed` comes once and last.
 */
import type { Clock } from '../../src/base/clock.ts';
import { Unavailable } from '../../src/base/errors.ts';
import type { Dialer, PeerAddress, PeerSocket, PeerSocketListener, TransportKind } from '../../src/torrent/ports.ts';

const HIGH_WATER_BYTES = 256 * 1024;

export interface HostOptions {
  /** Default unlimited. */
  readonly uploadBytesPerSecond?: number;
  /** One way; default 0. */
  readonly latencyMs?: number;
  /** Largest piece of a stream delivered at once; default 16 KiB. */
  readonly chunkBytes?: number;
  /** What connections to and from here say they are; default `memory`. */
  readonly transport?: TransportKind;
}

/** What lies between two hosts, beyond their own latency and uplink. Asked for each chunk. */
export interface Weather {
  /** Extra delay of this chunk in ms: jitter, or the stall of a stream whose packet was lost. */
  delayMs(from: string, to: string): number;
  /** Speed of the link; undefined = no limit but the uplink. */
  bytesPerSecond(from: string, to: string): number | undefined;
  /** Time until the two reach each other again, in ms; 0 = now. */
  blockedMs(from: string, to: string): number;
}

const FAIR_WEATHER: Weather = { delayMs: () => 0, bytesPerSecond: () => undefined, blockedMs: () => 0 };

interface Outgoing {
  readonly bytes: Uint8Array;
  readonly released: (() => void) | undefined;
  at: number;
}

/** One machine: it listens, dials, and shares one uplink among its connections. */
export class MemoryHost {
  readonly host: string;
  readonly options: HostOptions;
  readonly dialer: Dialer;
  readonly sockets = new Set<MemorySocket>();
  /** Everything this host sent. */
  sentBytes = 0;
  readonly #network: MemoryNetwork;
  readonly #listeners = new Map<number, (socket: PeerSocket) => void>();
  #uplinkFreeAtMs = 0;

  constructor(network: MemoryNetwork, host: string, options: HostOptions) {
    this.#network = network;
    this.host = host;
    this.options = options;
    this.dialer = { transport: 'memory', dial: (address, signal) => this.dial(address, signal) };
  }

  listen(port: number, accept: (socket: PeerSocket) => void): void {
    this.#listeners.set(port, accept);
  }

  /** Opens a connection; refused where nobody listens. */
  async dial(address: PeerAddress, signal?: AbortSignal): Promise<MemorySocket> {
    const target = this.#network.find(address.host);
    const accept = target?.acceptor(address.port);
    await Promise.resolve();
    if (target === undefined || accept === undefined || signal?.aborted) throw new Unavailable('connection refused');
    const [ours, theirs] = this.#network.connect(this, target, address.port);
    accept(theirs);
    return ours;
  }

  /** Loses power: it answers nobody any more, and the other ends of its connections hear nothing. */
  vanish(): void {
    this.#listeners.clear();
    for (const socket of this.sockets) socket.vanish();
    this.sockets.clear();
  }

  /** Its process dies: its connections are reset. */
  crash(): void {
    this.#listeners.clear();
    for (const socket of this.sockets) socket.reset();
  }

  acceptor(port: number): ((socket: PeerSocket) => void) | undefined {
    return this.#listeners.get(port);
  }

  /** Reserves the uplink; returns when the bytes have left, in ms from now. */
  transmitMs(sizeBytes: number, nowMs: number): number {
    this.sentBytes += sizeBytes;
    const rate = this.options.uploadBytesPerSecond;
    if (rate === undefined) return 0;
    this.#uplinkFreeAtMs = Math.max(this.#uplinkFreeAtMs, nowMs) + (sizeBytes / rate) * 1000;
    return this.#uplinkFreeAtMs - nowMs;
  }
}

interface SocketParts {
  readonly clock: Clock;
  readonly weather: Weather;
  readonly host: MemoryHost;
  readonly remote: PeerAddress;
  /** One way. */
  readonly latencyMs: number;
  readonly transport: TransportKind;
}

export class MemorySocket implements PeerSocket {
  readonly transport: TransportKind;
  remote: PeerAddress | undefined;
  readonly #clock: Clock;
  readonly #weather: Weather;
  readonly #host: MemoryHost;
  readonly #remoteHost: string;
  readonly #latencyMs: number;
  #other: MemorySocket | undefined;
  #listener: PeerSocketListener | undefined;
  #outgoing: Outgoing[] = [];
  #inbox: Uint8Array[] = [];
  #queuedBytes = 0;
  #isSending = false;
  #isPaused = false;
  #owesDrain = false;
  #isClosed = false;
  #isEnded = false;
  #isTold = false;
  /** The other end is gone without a word. */
  #isOrphan = false;
  #linkFreeAtMs = 0;
  #arrivesAtMs = 0;
  readonly #underWay: (() => void)[] = [];

  constructor(parts: SocketParts) {
    this.transport = parts.transport;
    this.#clock = parts.clock;
    this.#weather = parts.weather;
    this.#host = parts.host;
    this.remote = parts.remote;
    this.#remoteHost = parts.remote.host;
    this.#latencyMs = parts.latencyMs;
  }

  join(other: MemorySocket): void {
    this.#other = other;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  listen(listener: PeerSocketListener): void {
    this.#listener = listener;
    if (this.#isClosed) this.#clock.after(0, () => this.#tellClosed());
    else this.#deliver();
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    if (this.#isClosed) {
      released?.();
      return false;
    }
    this.#outgoing.push({ bytes, released, at: 0 });
    this.#queuedBytes += bytes.length;
    this.#sendNext();
    this.#owesDrain ||= this.#queuedBytes > HIGH_WATER_BYTES;
    return !this.#owesDrain;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#deliver();
  }

  /** Like a kernel, still sends what fits its buffer, then ends the stream. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#host.sockets.delete(this);
    if (this.#queuedBytes > HIGH_WATER_BYTES || this.#isOrphan || this.#blockedMs > 0) this.#drop();
    this.#clock.after(0, () => this.#tellClosed());
    if (this.#outgoing.length === 0) this.#finish();
  }

  /** Both ends break off at once; what was under way is lost. */
  reset(): void {
    const other = this.#other;
    this.#breakOff();
    if (other !== undefined) other.#breakOff();
  }

  /** This end is gone and says nothing; what the other sends from now on reaches nobody. */
  vanish(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isTold = true;
    this.#drop();
    if (this.#other !== undefined) this.#other.#orphan();
    this.#other = undefined;
  }

  get #blockedMs(): number {
    return this.#weather.blockedMs(this.#host.host, this.#remoteHost);
  }

  /** The other end hears nothing any more: what a closed end was still sending is lost, like after a kernel's timeout. */
  #orphan(): void {
    this.#isOrphan = true;
    if (this.#isClosed) this.#drop();
  }

  #breakOff(): void {
    this.#other = undefined;
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#host.sockets.delete(this);
    this.#drop();
    this.#clock.after(0, () => this.#tellClosed(new Unavailable('connection reset')));
  }

  #drop(): void {
    for (const { released } of this.#outgoing) released?.();
    this.#outgoing = [];
  }

  #tellClosed(cause?: Error): void {
    if (this.#listener === undefined || this.#isTold) return;
    this.#isTold = true;
    this.#listener.closed(cause);
  }

  #finish(): void {
    this.#carry(() => this.#other?.remoteClosed());
  }

  /** Brings something to the other end, behind everything that is under way. */
  #carry(arrive: () => void): void {
    const nowMs = this.#clock.monotonicMs();
    const delayMs = this.#latencyMs + this.#weather.delayMs(this.#host.host, this.#remoteHost);
    this.#arrivesAtMs = Math.max(this.#arrivesAtMs, nowMs + delayMs);
    this.#underWay.push(arrive);
    this.#clock.after(this.#arrivesAtMs - nowMs, () => this.#underWay.shift()?.());
  }

  remoteClosed(): void {
    this.#isEnded = true;
    this.#deliver();
  }

  arrived(bytes: Uint8Array): void {
    this.#inbox.push(bytes);
    this.#deliver();
  }

  #deliver(): void {
    while (!this.#isPaused && !this.#isClosed && this.#listener !== undefined) {
      const bytes = this.#inbox.shift();
      if (bytes === undefined) break;
      this.#listener.received(bytes);
    }
    if (this.#isEnded && this.#inbox.length === 0) this.close();
  }

  #sendNext(): void {
    const next = this.#outgoing[0];
    if (this.#isSending || this.#isOrphan || next === undefined) return;
    this.#isSending = true;
    const blockedMs = this.#blockedMs;
    if (blockedMs > 0) {
      this.#clock.after(blockedMs, () => {
        this.#isSending = false;
        this.#sendNext();
      });
      return;
    }
    const chunk = next.bytes.slice(next.at, next.at + (this.#host.options.chunkBytes ?? 16 * 1024));
    const nowMs = this.#clock.monotonicMs();
    const leftMs = Math.max(this.#host.transmitMs(chunk.length, nowMs), this.#linkMs(chunk.length, nowMs));
    this.#clock.after(leftMs, () => this.#sent(next, chunk));
  }

  /** Reserves the link; returns when the bytes have passed, in ms from now. */
  #linkMs(sizeBytes: number, nowMs: number): number {
    const rate = this.#weather.bytesPerSecond(this.#host.host, this.#remoteHost);
    if (rate === undefined) return 0;
    this.#linkFreeAtMs = Math.max(this.#linkFreeAtMs, nowMs) + (sizeBytes / rate) * 1000;
    return this.#linkFreeAtMs - nowMs;
  }

  #sent(item: Outgoing, chunk: Uint8Array): void {
    this.#isSending = false;
    if (this.#outgoing[0] !== item) return;
    this.#carry(() => this.#other?.arrived(chunk));
    item.at += chunk.length;
    this.#queuedBytes -= chunk.length;
    if (item.at >= item.bytes.length) {
      this.#outgoing.shift();
      item.released?.();
    }
    this.#sendNext();
    if (this.#isClosed) {
      if (this.#outgoing.length === 0) this.#finish();
    } else if (this.#owesDrain && this.#queuedBytes <= HIGH_WATER_BYTES / 2) {
      this.#owesDrain = false;
      this.#listener?.drained();
    }
  }
}

export class MemoryNetwork {
  readonly #clock: Clock;
  readonly weather: Weather;
  readonly #hosts = new Map<string, MemoryHost>();
  #port = 40_000;

  constructor(clock: Clock, weather: Weather = FAIR_WEATHER) {
    this.#clock = clock;
    this.weather = weather;
  }

  addHost(host: string, options: HostOptions = {}): MemoryHost {
    const added = new MemoryHost(this, host, options);
    this.#hosts.set(host, added);
    return added;
  }

  find(host: string): MemoryHost | undefined {
    return this.#hosts.get(host);
  }

  /** Open sockets of all hosts. */
  get openSockets(): number {
    let count = 0;
    for (const host of this.#hosts.values()) count += host.sockets.size;
    return count;
  }

  /** A connected pair: the dialling end, then the accepting one. */
  connect(from: MemoryHost, to: MemoryHost, port: number): [MemorySocket, MemorySocket] {
    const latencyMs = (from.options.latencyMs ?? 0) + (to.options.latencyMs ?? 0);
    const transport = from.options.transport ?? to.options.transport ?? 'memory';
    const common = { clock: this.#clock, weather: this.weather, latencyMs, transport };
    const ours = new MemorySocket({ ...common, host: from, remote: { host: to.host, port } });
    const theirs = new MemorySocket({ ...common, host: to, remote: { host: from.host, port: this.#port++ } });
    ours.join(theirs);
    theirs.join(ours);
    from.sockets.add(ours);
    to.sockets.add(theirs);
    return [ours, theirs];
  }
}
