/**
 * Counts the bytes of blocks that come in over an engine's sockets, as they are handed to it: an account of its own,
 * beside the engine's. It answers what a rate limit promises: how much more than limit × time came in any window.
 */
import type { Clock } from '../../src/base/clock.ts';
import { WireReader } from '../../src/codec/wire.ts';
import type { Dialer, PeerSocket, PeerSocketListener } from '../../src/torrent/ports.ts';
import type { MemoryHost } from './memory-network.ts';

interface Arrival {
  readonly atMs: number;
  readonly sizeBytes: number;
  readonly host: string;
}

export class WireMeter {
  readonly arrivals: Arrival[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Dials from the machine, and counts what comes. */
  dialer(machine: () => MemoryHost): Dialer {
    return {
      transport: 'memory',
      dial: async (address, signal) => this.#metered(await machine().dial(address, signal)),
    };
  }

  came(sizeBytes: number, host: string): void {
    this.arrivals.push({ atMs: this.#clock.monotonicMs(), sizeBytes, host });
  }

  /** Bytes of blocks between two moments. */
  bytesIn(fromMs: number, untilMs: number, host?: string): number {
    return this.#between(fromMs, untilMs, host).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** The most by which any window between two moments exceeds `bytesPerSecond`, in bytes. */
  excessBytes(bytesPerSecond: number, fromMs: number, untilMs: number, host?: string): number {
    let [levelBytes, mostBytes, atMs] = [0, 0, fromMs];
    for (const arrival of this.#between(fromMs, untilMs, host)) {
      levelBytes = Math.max(0, levelBytes - ((arrival.atMs - atMs) * bytesPerSecond) / 1_000) + arrival.sizeBytes;
      atMs = arrival.atMs;
      mostBytes = Math.max(mostBytes, levelBytes);
    }
    return mostBytes;
  }

  #between(fromMs: number, untilMs: number, host?: string): Arrival[] {
    return this.arrivals.filter(
      (arrival) => arrival.atMs >= fromMs && arrival.atMs < untilMs && (host === undefined || arrival.host === host),
    );
  }

  #metered(socket: PeerSocket): PeerSocket {
    const host = socket.remote?.host ?? '';
    const reader = new WireReader({
      handshake: () => undefined,
      message: () => undefined,
      request: () => undefined,
      blockStart: () => undefined,
      blockBytes: (bytes) => this.came(bytes.length, host),
    });
    const listen = (listener: PeerSocketListener): void =>
      socket.listen({
        received: (bytes) => {
          reader.feed(bytes);
          listener.received(bytes);
        },
        drained: () => listener.drained(),
        closed: (cause) => listener.closed(cause),
      });
    return {
      transport: socket.transport,
      remote: socket.remote,
      listen,
      write: (bytes, released) => socket.write(bytes, released),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      close: () => socket.close(),
    };
  }
}
