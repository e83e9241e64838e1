/**
 * One TCP connection in the engine's shape. Outgoing sockets read into one static buffer of their own (`onread`), which
 * spares an allocation per read; accepted ones have no such option in Node and use `data`. Nothing is read before
 * `listen`, every `released` is called exactly once, and `closed` comes exactly once and last.
 */
import type net from 'node:net';
import { formatIp, parseIp } from '../../base/address.ts';
import { Unavailable } from '../../base/errors.ts';
import { MIB } from '../../base/units.ts';
import type { PeerAddress, PeerSocket, PeerSocketListener } from '../../torrent/ports.ts';
import { withoutZone } from './limits.ts';

/** Bytes a socket may have queued before `write` asks the engine to wait: one merged batch of 64 blocks. */
export const WRITE_HIGH_WATER_BYTES = MIB;

export class TcpPeerSocket implements PeerSocket {
  readonly transport = 'tcp';
  readonly remote: PeerAddress | undefined;
  readonly #socket: net.Socket;
  #listener: PeerSocketListener | undefined;
  #failure: Error | undefined;
  #closedByUs = false;
  #paused = false;
  /** Bytes that Node read although the socket is paused; at most one read's worth. */
  #held: Uint8Array[] = [];
  #over = false;

  /** `socket` is connected and paused. */
  constructor(socket: net.Socket) {
    this.#socket = socket;
    this.remote = remoteAddress(socket);
    socket.setNoDelay(true);
    socket.on('error', (error) => (this.#failure ??= error));
    socket.on('drain', () => this.#listener?.drained());
    socket.on('close', () => this.#finish());
  }

  listen(listener: PeerSocketListener): void {
    this.#listener = listener;
    if (this.#over) queueMicrotask(() => listener.closed(this.#cause()));
    else if (!this.#paused) this.#socket.resume();
  }

  /** The adapter's own entry for bytes that arrived. Returns false when reading should stop. */
  deliver(bytes: Uint8Array): boolean {
    if (this.#closedByUs) return false;
    if (this.#paused) this.#held.push(bytes.slice());
    else this.#listener?.received(bytes);
    return !this.#paused;
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    if (this.#socket.destroyed) {
      released?.();
      return false;
    }
    return released === undefined ? this.#socket.write(bytes) : this.#socket.write(bytes, () => released());
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    while (!this.#paused) {
      const bytes = this.#held.shift();
      if (bytes === undefined) break;
      this.deliver(bytes);
    }
    if (!this.#paused) this.#socket.resume();
  }

  close(): void {
    this.#closedByUs = true;
    this.#socket.destroy();
  }

  #finish(): void {
    this.#over = true;
    this.#listener?.closed(this.#cause());
  }

  #cause(): Error | undefined {
    if (this.#closedByUs || this.#failure === undefined) return undefined;
    return new Unavailable('the connection broke', { reason: errorCode(this.#failure) }, { cause: this.#failure });
  }
}

/** The system's error code (`ECONNREFUSED`), or the error's name. */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

function remoteAddress(socket: net.Socket): PeerAddress | undefined {
  if (socket.remoteAddress === undefined || socket.remotePort === undefined) return undefined;
  return { host: plainAddress(socket.remoteAddress), port: socket.remotePort };
}

/** The canonical spelling: `::ffff:192.0.2.1` on a dual-stack socket is `192.0.2.1`, a zone id goes. */
export function plainAddress(host: string): string {
  return formatIp(parseIp(withoutZone(host)));
}
