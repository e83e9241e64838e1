/**
 * A network in memory under a virtual clock: hosts with an uplink of limited speed, connections with latency, byte
 * streams cut anywhere. Deterministic: the same seed gives the same run. Invariant: bytes arrive in order, `drained`
 * follows every `write` that returned false, and `closed` comes once and last.
 */
import type { Clock } from '../../src/base/clock.ts';
import { ProtocolError } from '../../src/base/errors.ts';
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
    if (target === undefined || accept === undefined || signal?.aborted) throw new ProtocolError('connection refused');
    const [ours, theirs] = this.#network.connect(this, target, address.port);
    accept(theirs);
    return ours;
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

export class MemorySocket implements PeerSocket {
  readonly transport: TransportKind;
  remote: PeerAddress | undefined;
  readonly #clock: Clock;
  readonly #host: MemoryHost;
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

  constructor(clock: Clock, host: MemoryHost, remote: PeerAddress, latencyMs: number, transport: TransportKind) {
    this.transport = transport;
    this.#clock = clock;
    this.#host = host;
    this.remote = remote;
    this.#latencyMs = latencyMs;
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
    if (this.#queuedBytes > HIGH_WATER_BYTES) {
      for (const { released } of this.#outgoing) released?.();
      this.#outgoing = [];
    }
    this.#clock.after(0, () => this.#tellClosed());
    if (this.#outgoing.length === 0) this.#finish();
  }

  #tellClosed(): void {
    if (this.#listener === undefined || this.#isTold) return;
    this.#isTold = true;
    this.#listener.closed(undefined);
  }

  #finish(): void {
    this.#clock.after(this.#latencyMs, () => this.#other?.remoteClosed());
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
    if (this.#isSending || next === undefined) return;
    this.#isSending = true;
    const chunk = next.bytes.slice(next.at, next.at + (this.#host.options.chunkBytes ?? 16 * 1024));
    const leftMs = this.#host.transmitMs(chunk.length, this.#clock.monotonicMs());
    this.#clock.after(leftMs, () => this.#sent(next, chunk));
  }

  #sent(item: Outgoing, chunk: Uint8Array): void {
    this.#isSending = false;
    if (this.#outgoing[0] !== item) return;
    this.#clock.after(this.#latencyMs, () => this.#other?.arrived(chunk));
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
  readonly #hosts = new Map<string, MemoryHost>();
  #port = 40_000;

  constructor(clock: Clock) {
    this.#clock = clock;
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
    const ours = new MemorySocket(this.#clock, from, { host: to.host, port }, latencyMs, transport);
    const theirs = new MemorySocket(this.#clock, to, { host: from.host, port: this.#port++ }, latencyMs, transport);
    ours.join(theirs);
    theirs.join(ours);
    from.sockets.add(ours);
    to.sockets.add(theirs);
    return [ours, theirs];
  }
}
