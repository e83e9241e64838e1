/**
 * One UDP port for uTP (BEP 29), for connections in and out; IPv4 only, as the library is. Invariants: a stranger's packet
 * costs nothing for long: connections count once their first bytes are here, those that say nothing are few and soon
 * closed; no dial waits past its caller's signal or its timeout.
 */
import { lookup } from 'node:dns/promises';
import { isIPv4 } from 'node:net';
import type Utp from 'utp-native';
import { type Clock, systemClock } from '../../base/clock.ts';
import { Cancelled, InvalidInput, throwIfAborted, TimedOut, Unavailable, type AppError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { SECOND_MS } from '../../base/units.ts';
import type { Dialer, PeerAddress, PeerSocket } from '../../torrent/ports.ts';
import { UtpPeerSocket } from './socket.ts';

/** Each connection costs 128 KiB in the library, from the first packet on. */
const MAX_CONNECTIONS = 256;
/** Connections that were opened to us and on which nothing has come yet. */
const MAX_SILENT = 64;
const SILENCE_TIMEOUT_MS = 5 * SECOND_MS;
/** The library repeats its first packet after three seconds; that second try gets an answer's time, too. */
const CONNECT_TIMEOUT_MS = 6 * SECOND_MS;
/** A peer that is gone without a word keeps its connection closing for half a minute; nobody waits for that. */
const CLOSE_TIMEOUT_MS = 2 * SECOND_MS;

/** How many connections there may be; shared with the other transports. */
export interface Admission {
  /** Takes a slot for a connection with an IP literal; undefined when there is none. */
  admit(host: string): (() => void) | undefined;
  /** Waits for the right to open one more. @throws Unavailable, Cancelled */
  halfOpenSlot(signal: AbortSignal): Promise<() => void>;
}

export interface UtpPortOptions {
  /** The library, from `loadUtp`. */
  readonly library: typeof Utp;
  readonly limits: Admission;
  readonly log: Log;
  /** Takes over each connection that was opened to us and has sent its first bytes. */
  readonly accept: (socket: PeerSocket) => void;
  readonly clock?: Clock;
}

export class UtpPort implements Dialer {
  readonly transport = 'utp';
  readonly #options: UtpPortOptions;
  readonly #clock: Clock;
  readonly #utp: Utp;
  #silent = 0;
  #state: 'new' | 'open' | 'closed' = 'new';

  constructor(options: UtpPortOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#utp = new options.library({ allowHalfOpen: false });
    this.#utp.maxConnections = MAX_CONNECTIONS;
  }

  /**
   * Binds the port (0 = any free one) of an address or name; undefined and `::` mean every IPv4 address of the machine.
   * Before it, dials are refused. @throws Unavailable when the port is taken, or the address is no IPv4 address of ours
   */
  async open(host: string | undefined, port: number): Promise<void> {
    await this.#bind(await bindAddress(host), port);
    if (this.#state === 'new') this.#state = 'open';
    this.#utp.firewall(false);
  }

  /** Where peers connect to; the port is the real one. */
  get address(): PeerAddress {
    const { address, port } = this.#utp.address();
    return { host: address, port };
  }

  /** @throws InvalidInput for anything but an IPv4 address and a port, Unavailable, TimedOut, Cancelled. */
  async dial(address: PeerAddress, signal: AbortSignal): Promise<PeerSocket> {
    if (!isIPv4(address.host)) throw new InvalidInput('uTP reaches IPv4 addresses only', { host: address.host });
    if (!Number.isInteger(address.port) || address.port < 1 || address.port > 65_535)
      throw new InvalidInput('a port is 1 to 65535', { port: address.port });
    throwIfAborted(signal);
    const halfOpen = await this.#options.limits.halfOpenSlot(signal);
    try {
      throwIfAborted(signal);
      if (this.#state !== 'open') throw new Unavailable('the uTP port is not open');
      const release = this.#options.limits.admit(address.host);
      if (release === undefined) throw new Unavailable('too many connections', { host: address.host });
      return await this.#connect(address, signal, release);
    } finally {
      halfOpen();
    }
  }

  /** Closes every connection and the port. Waits two seconds at most; what is then left cannot keep the process alive. */
  close(): Promise<void> {
    const wasOpen = this.#state === 'open';
    this.#state = 'closed';
    if (!wasOpen) return Promise.resolve();
    this.#utp.firewall(true);
    for (const connection of this.#utp.connections.slice()) connection.destroy();
    return new Promise((resolve) => {
      const cancel = this.#clock.after(CLOSE_TIMEOUT_MS, () => {
        this.#utp.unref();
        resolve();
      });
      this.#utp.close(() => {
        cancel();
        resolve();
      });
    });
  }

  #bind(host: string, port: number): Promise<void> {
    const { log } = this.#options;
    const utp = this.#utp;
    return new Promise((resolve, reject) => {
      let isBound = false;
      utp.on('error', (error) => {
        if (isBound) log.warn('utp.failed', { reason: error.message });
        else reject(new Unavailable('the uTP port cannot be opened', { host, port }, { cause: error }));
      });
      utp.on('listening', () => {
        isBound = true;
        resolve();
      });
      utp.on('connection', (connection) => this.#greet(connection));
      utp.bind(port, host);
    });
  }

  /** A first packet has come, perhaps under a false address: the connection counts when it is spoken on. */
  #greet(connection: Utp.Connection): void {
    const release = this.#silent < MAX_SILENT ? this.#options.limits.admit(connection.remoteAddress) : undefined;
    connection.on('error', () => undefined); // `close` follows, and whoever has the socket by then hears why
    if (release === undefined || this.#state !== 'open') {
      release?.();
      connection.destroy();
      return;
    }
    this.#silent++;
    let isSilent = true;
    const speak = (): void => {
      if (!isSilent) return;
      isSilent = false;
      this.#silent--;
      cancel();
    };
    const cancel = this.#clock.after(SILENCE_TIMEOUT_MS, () => connection.destroy());
    connection.on('connect', () => {
      speak();
      this.#options.accept(new UtpPeerSocket(connection));
    });
    connection.on('close', () => {
      speak();
      release();
    });
  }

  #connect(address: PeerAddress, signal: AbortSignal, release: () => void): Promise<PeerSocket> {
    return new Promise((resolve, reject) => {
      const connection = this.#utp.connect(address.port, address.host);
      let isSettled = false;
      const settle = (act: () => void): void => {
        if (isSettled) return;
        isSettled = true;
        cancelTimeout();
        signal.removeEventListener('abort', abort);
        act();
      };
      const fail = (error: AppError): void =>
        settle(() => {
          connection.destroy();
          reject(error);
        });
      const abort = (): void => fail(new Cancelled('dialling was cancelled', { ...address }, { cause: signal.reason }));
      const cancelTimeout = this.#clock.after(CONNECT_TIMEOUT_MS, () =>
        fail(new TimedOut('the peer did not answer', { ...address, timeoutMs: CONNECT_TIMEOUT_MS })),
      );
      signal.addEventListener('abort', abort, { once: true });
      connection.on('close', () => {
        release();
        fail(new Unavailable('the peer cannot be reached', { ...address }));
      });
      connection.on('error', (error) =>
        fail(new Unavailable('the peer cannot be reached', { ...address, reason: error.code }, { cause: error })),
      );
      connection.on('connect', () => settle(() => resolve(new UtpPeerSocket(connection))));
    });
  }
}

/** The library binds IPv4 addresses only, and looks any other up for ever. @throws Unavailable */
async function bindAddress(host: string | undefined): Promise<string> {
  if (host === undefined || host === '::') return '0.0.0.0';
  const found = await lookup(host, { family: 4 }).catch(() => undefined);
  // An IPv6 literal is answered with itself, whatever the family asked for.
  if (found === undefined || !isIPv4(found.address))
    throw new Unavailable('uTP needs an IPv4 address to listen on', { host });
  return found.address;
}
