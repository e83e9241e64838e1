/** Opens TCP connections to peers: bounded in number and time, never waiting past its caller's signal. */
import net from 'node:net';
import { parseIp } from '../../base/address.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { type AppError, Cancelled, InvalidInput, throwIfAborted, TimedOut, Unavailable } from '../../base/errors.ts';
import { KIB, SECOND_MS } from '../../base/units.ts';
import type { Dialer, PeerAddress, PeerSocket } from '../../torrent/ports.ts';
import type { ConnectionLimits } from './limits.ts';
import { errorCode, TcpPeerSocket, WRITE_HIGH_WATER_BYTES } from './socket.ts';

/** Receive buffer of one outgoing socket: pages are only touched as far as a read fills it. */
const RECEIVE_BUFFER_BYTES = 256 * KIB;
const DEFAULT_CONNECT_TIMEOUT_MS = 10 * SECOND_MS;

export interface TcpDialerOptions {
  readonly limits: ConnectionLimits;
  /** From the first SYN to the open connection. */
  readonly connectTimeoutMs?: number;
  readonly clock?: Clock;
}

export class TcpDialer implements Dialer {
  readonly transport = 'tcp';
  readonly #limits: ConnectionLimits;
  readonly #connectTimeoutMs: number;
  readonly #clock: Clock;

  constructor(options: TcpDialerOptions) {
    this.#limits = options.limits;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS;
    this.#clock = options.clock ?? systemClock;
  }

  /** @throws InvalidInput for a name or a bad port, Unavailable when refused or over a limit, TimedOut, Cancelled. */
  async dial(address: PeerAddress, signal: AbortSignal): Promise<PeerSocket> {
    parseIp(address.host); // throws for names: nothing here resolves
    if (!Number.isInteger(address.port) || address.port < 1 || address.port > 65_535)
      throw new InvalidInput('a port is 1 to 65535', { port: address.port });
    throwIfAborted(signal);
    const halfOpen = await this.#limits.halfOpenSlot(signal);
    try {
      throwIfAborted(signal);
      const connection = this.#limits.admit(address.host);
      if (connection === undefined) throw new Unavailable('too many connections', { host: address.host });
      return await this.#connect(address, signal, connection);
    } finally {
      halfOpen();
    }
  }

  #connect(address: PeerAddress, signal: AbortSignal, release: () => void): Promise<PeerSocket> {
    return new Promise((resolve, reject) => {
      let peer: TcpPeerSocket | undefined;
      const options: net.TcpNetConnectOpts & { writableHighWaterMark: number } = {
        host: address.host,
        port: address.port,
        writableHighWaterMark: WRITE_HIGH_WATER_BYTES,
        onread: {
          buffer: new Uint8Array(RECEIVE_BUFFER_BYTES),
          callback: (count, buffer) => peer?.deliver(buffer.subarray(0, count)) ?? false,
        },
      };
      const socket = net.connect(options);
      socket.pause(); // reading starts with `listen`
      const fail = (error: AppError): void => {
        settle();
        release();
        socket.destroy();
        reject(error);
      };
      const refused = (error: Error): void =>
        fail(new Unavailable('the peer cannot be reached', { ...address, reason: errorCode(error) }, { cause: error }));
      const abort = (): void => fail(new Cancelled('dialling was cancelled', { ...address }, { cause: signal.reason }));
      const cancelTimeout = this.#clock.after(this.#connectTimeoutMs, () =>
        fail(new TimedOut('the peer did not answer', { ...address, timeoutMs: this.#connectTimeoutMs })),
      );
      const settle = (): void => {
        cancelTimeout();
        signal.removeEventListener('abort', abort);
      };
      signal.addEventListener('abort', abort, { once: true });
      socket.once('close', release);
      socket.on('error', refused);
      socket.once('connect', () => {
        settle();
        socket.off('error', refused);
        peer = new TcpPeerSocket(socket);
        resolve(peer);
      });
    });
  }
}
