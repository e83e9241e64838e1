/**
 * Requests and answers over UDP (BEP 15): one socket a family for all trackers. An answer counts by its transaction id and
 * its sender's address alone. Invariant: every request ends, in an answer, a time-out, or with its caller.
 */
import dgram from 'node:dgram';
import { randomBytes, readUint32 } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import { Cancelled, throwIfAborted, TimedOut, Unavailable } from '../../base/errors.ts';
import { SECOND_MS } from '../../base/units.ts';
import { encodeUdpRequest, udpTransactionOf, type UdpRequest } from '../../codec/tracker-udp.ts';
import { canonicalIp } from '../guard/names.ts';

/** BEP 15: 15 · 2ⁿ. Two tries a request; whoever schedules announces waits longer and longer from there. */
const RETRY_MS = [15 * SECOND_MS, 30 * SECOND_MS];
const MAX_PENDING = 1_000;

export type Family = 'v4' | 'v6';

/** A judged address of a tracker. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly family: Family;
}

interface Pending {
  readonly endpoint: Endpoint;
  readonly answered: (bytes: Uint8Array) => void;
  readonly cancelled: () => void;
}

export class UdpExchange {
  readonly #clock: Clock;
  readonly #sockets = new Map<Family, dgram.Socket>();
  readonly #pending = new Map<number, Pending>();
  readonly #closing = new AbortController();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sends what `make` makes until an answer comes. @throws TimedOut, Unavailable, Cancelled */
  async request(
    endpoint: Endpoint,
    signal: AbortSignal,
    make: (transactionId: number) => UdpRequest,
  ): Promise<Uint8Array> {
    for (const waitMs of RETRY_MS) {
      throwIfAborted(signal);
      throwIfAborted(this.#closing.signal);
      const answer = await this.#send(endpoint, signal, make, waitMs);
      if (answer !== undefined) return answer;
    }
    throw new TimedOut('the tracker did not answer', { tracker: endpoint.host });
  }

  /** Aborts with `close`: for requests that belong to no single caller. */
  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  /** Cancels what is under way and closes the sockets. */
  close(): void {
    this.#closing.abort();
    for (const { cancelled } of this.#pending.values()) cancelled();
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  /** Undefined when no answer came in time. */
  #send(
    endpoint: Endpoint,
    signal: AbortSignal,
    make: (transactionId: number) => UdpRequest,
    waitMs: number,
  ): Promise<Uint8Array | undefined> {
    if (this.#pending.size >= MAX_PENDING)
      return Promise.reject(new Unavailable('too many tracker requests', { pending: this.#pending.size }));
    const transactionId = this.#freeTransactionId();
    const packet = encodeUdpRequest(make(transactionId));
    return new Promise((resolveAnswer, reject) => {
      const settle = (): void => {
        cancelTimeout();
        this.#pending.delete(transactionId);
        signal.removeEventListener('abort', abort);
      };
      const abort = (): void => {
        settle();
        reject(new Cancelled('announcing was cancelled', {}, { cause: signal.reason }));
      };
      const cancelTimeout = this.#clock.after(waitMs, () => {
        settle();
        resolveAnswer(undefined);
      });
      signal.addEventListener('abort', abort, { once: true });
      const answered = (bytes: Uint8Array): void => {
        settle();
        resolveAnswer(bytes);
      };
      this.#pending.set(transactionId, { endpoint, answered, cancelled: abort });
      this.#socket(endpoint.family).send(packet, endpoint.port, endpoint.host, (error) => {
        if (error === null) return;
        settle();
        reject(new Unavailable('the tracker cannot be reached', { tracker: endpoint.host }, { cause: error }));
      });
    });
  }

  #freeTransactionId(): number {
    for (;;) {
      const id = readUint32(randomBytes(4), 0);
      if (!this.#pending.has(id)) return id;
    }
  }

  #socket(family: Family): dgram.Socket {
    const known = this.#sockets.get(family);
    if (known !== undefined) return known;
    const socket = dgram.createSocket({ type: family === 'v4' ? 'udp4' : 'udp6', ipv6Only: family === 'v6' });
    socket.on('message', (bytes, from) => this.#receive(bytes, from));
    socket.on('error', () => undefined); // an unreachable tracker times out like a silent one
    this.#sockets.set(family, socket);
    return socket;
  }

  #receive(bytes: Uint8Array, from: dgram.RemoteInfo): void {
    const pending = this.#pending.get(udpTransactionOf(bytes) ?? -1);
    if (pending === undefined || pending.endpoint.port !== from.port) return;
    if (canonicalIp(from.address.split('%', 1).join('')) === pending.endpoint.host) pending.answered(bytes);
  }
}
