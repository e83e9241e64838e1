/** Accepts TCP connections from peers on one port, IPv4 and IPv6, and closes those above the limits at once. */
import net from 'node:net';
import { Unavailable } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { PeerAddress, PeerSocket } from '../../torrent/ports.ts';
import type { ConnectionLimits } from './limits.ts';
import { errorCode, plainAddress, TcpPeerSocket, WRITE_HIGH_WATER_BYTES } from './socket.ts';

/** Connections the kernel may hold before they are accepted. */
const BACKLOG = 1_024;

export interface TcpListenerOptions {
  /** IP literal; undefined = every address of the machine, both families where it has both. */
  readonly host?: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly limits: ConnectionLimits;
  readonly log: Log;
  /** Takes over each connection. */
  readonly accept: (socket: PeerSocket) => void;
}

export class TcpListener {
  readonly #server: net.Server;
  readonly #open = new Set<net.Socket>();
  readonly #options: TcpListenerOptions;

  private constructor(options: TcpListenerOptions) {
    this.#options = options;
    this.#server = net.createServer({ pauseOnConnect: true, highWaterMark: WRITE_HIGH_WATER_BYTES }, (socket) =>
      this.#accept(socket),
    );
  }

  /** @throws Unavailable when the address is taken or not ours. */
  static async open(options: TcpListenerOptions): Promise<TcpListener> {
    const listener = new TcpListener(options);
    await listener.#listen();
    return listener;
  }

  /** Where peers connect to; the port is the real one. */
  get address(): PeerAddress {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Unavailable('the listener is closed');
    return { host: plainAddress(address.address), port: address.port };
  }

  /** Stops accepting and closes every accepted connection. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#open) socket.destroy();
    });
  }

  #listen(): Promise<void> {
    const { host, port, log } = this.#options;
    return new Promise((resolve, reject) => {
      const failed = (error: Error): void =>
        reject(
          new Unavailable('the peer port cannot be opened', { host, port, reason: errorCode(error) }, { cause: error }),
        );
      this.#server.once('error', failed);
      this.#server.listen({ port, backlog: BACKLOG, ...(host === undefined ? {} : { host }) }, () => {
        this.#server.off('error', failed);
        this.#server.on('error', (error) => log.warn('tcp.accept_failed', { reason: errorCode(error) }));
        resolve();
      });
    });
  }

  #accept(socket: net.Socket): void {
    const host = socket.remoteAddress; // undefined when it is gone already
    const release = host === undefined ? undefined : this.#options.limits.admit(host);
    if (release === undefined) {
      socket.on('error', () => undefined); // it is closed already; nobody is left to tell
      socket.destroy();
      return;
    }
    this.#open.add(socket);
    socket.once('close', () => {
      release();
      this.#open.delete(socket);
    });
    const peer = new TcpPeerSocket(socket);
    socket.on('data', (bytes: Uint8Array) => peer.deliver(bytes));
    socket.pause(); // adding a `data` listener lets it flow; reading starts with `listen`
    this.#options.accept(peer);
  }
}
