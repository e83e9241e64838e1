/**
 * Announces and scrapes over UDP (BEP 15, 41): one socket for all trackers. A request is answered by its transaction id
 * and its tracker's address alone; it is sent again twice, then given up. Connection ids are kept for a minute.
 */
import dgram from 'node:dgram';
import { formatIp, parseIp } from '../../base/address.ts';
import { randomBytes, readUint32 } from '../../base/bytes.ts';
import type { AddressSource } from '../../base/address-policy.ts';
import type { Clock } from '../../base/clock.ts';
import { Cancelled, InvalidInput, throwIfAborted, TimedOut, Unavailable } from '../../base/errors.ts';
import type { SwarmKey } from '../../base/ids.ts';
import { MINUTE_MS, SECOND_MS } from '../../base/units.ts';
import type { Announce, AnnounceAnswer, SwarmCounts, TrackerFailure } from '../../codec/announce.ts';
import {
  decodeUdpAnnounceAnswer,
  decodeUdpConnectAnswer,
  decodeUdpScrapeAnswer,
  encodeUdpRequest,
  type UdpRequest,
} from '../../codec/tracker-udp.ts';
import type { Guard } from '../guard/guard.ts';
import { checkTarget, hostOf } from '../guard/target.ts';
import type { TrackerClient } from './client.ts';

/** BEP 15 doubles from 15 s; a client with other trackers and peers need not wait that long. */
const RETRY_MS = [3 * SECOND_MS, 6 * SECOND_MS, 12 * SECOND_MS];
const CONNECTION_ID_MS = MINUTE_MS;
const MAX_PENDING = 1_000;

interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly family: 'v4' | 'v6';
}

interface Pending {
  readonly endpoint: Endpoint;
  readonly answered: (bytes: Uint8Array) => void;
}

interface Connected {
  readonly id: Uint8Array;
  readonly untilMs: number;
}

export class UdpTrackers {
  readonly #guard: Guard;
  readonly #clock: Clock;
  /** Tells trackers that it is still us when our address changes. */
  readonly #key = readUint32(randomBytes(4), 0);
  readonly #sockets = new Map<'v4' | 'v6', dgram.Socket>();
  readonly #pending = new Map<number, Pending>();
  readonly #connected = new Map<string, Connected>();

  constructor(guard: Guard) {
    this.#guard = guard;
    this.#clock = guard.clock;
  }

  /** `source`: who named the URL. @throws InvalidInput unless `udp://host:port/…`. */
  client(url: string, source: AddressSource): TrackerClient {
    const parsed = URL.parse(url);
    if (parsed?.protocol !== 'udp:' || parsed.port === '') throw new InvalidInput('a UDP tracker is udp://host:port');
    return {
      url,
      announce: (announce, signal) => this.#announce(parsed, source, announce, signal),
      scrape: (keys, signal) => this.#scrape(parsed, source, keys, signal),
    };
  }

  /** Closes the sockets. Requests under way time out by themselves. */
  close(): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  async #announce(url: URL, source: AddressSource, announce: Announce, signal: AbortSignal): Promise<AnnounceAnswer> {
    const endpoint = await this.#resolve(url, source, signal);
    const connectionId = await this.#connect(endpoint, signal);
    const urlData = url.pathname === '/' ? url.search : url.pathname + url.search;
    const bytes = await this.#request(endpoint, signal, (transactionId) => ({
      ...announce,
      type: 'announce',
      transactionId,
      connectionId,
      key: this.#key,
      urlData,
    }));
    const answer = accepted(decodeUdpAnnounceAnswer(bytes, endpoint.family));
    const { policy } = this.#guard;
    return { ...answer, peers: answer.peers.filter((peer) => policy.allowsPeerFrom(endpoint.host, peer)) };
  }

  async #scrape(
    url: URL,
    source: AddressSource,
    swarmKeys: readonly SwarmKey[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<SwarmKey, SwarmCounts>> {
    const endpoint = await this.#resolve(url, source, signal);
    const connectionId = await this.#connect(endpoint, signal);
    const bytes = await this.#request(endpoint, signal, (transactionId) => ({
      type: 'scrape',
      transactionId,
      connectionId,
      swarmKeys,
    }));
    const { counts } = accepted(decodeUdpScrapeAnswer(bytes));
    return new Map(counts.map((count, at) => [swarmKeys[at], count] as const).filter(isNamed));
  }

  async #resolve(url: URL, source: AddressSource, signal: AbortSignal): Promise<Endpoint> {
    checkTarget(url, source);
    const [host = ''] = await this.#guard.addressesOf(hostOf(url), source, signal);
    return { host, port: Number(url.port), family: host.includes(':') ? 'v6' : 'v4' };
  }

  async #connect(endpoint: Endpoint, signal: AbortSignal): Promise<Uint8Array> {
    const name = `${endpoint.host} ${endpoint.port}`;
    const known = this.#connected.get(name);
    if (known !== undefined && known.untilMs > this.#clock.monotonicMs()) return known.id;
    const bytes = await this.#request(endpoint, signal, (transactionId) => ({ type: 'connect', transactionId }));
    const { connectionId } = accepted(decodeUdpConnectAnswer(bytes));
    this.#connected.set(name, { id: connectionId, untilMs: this.#clock.monotonicMs() + CONNECTION_ID_MS });
    return connectionId;
  }

  async #request(
    endpoint: Endpoint,
    signal: AbortSignal,
    make: (transactionId: number) => UdpRequest,
  ): Promise<Uint8Array> {
    for (const waitMs of RETRY_MS) {
      throwIfAborted(signal);
      const answer = await this.#send(endpoint, signal, make, waitMs);
      if (answer !== undefined) return answer;
    }
    throw new TimedOut('the tracker did not answer', { tracker: endpoint.host });
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
      this.#pending.set(transactionId, { endpoint, answered });
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

  #socket(family: 'v4' | 'v6'): dgram.Socket {
    const known = this.#sockets.get(family);
    if (known !== undefined) return known;
    const socket = dgram.createSocket(family === 'v4' ? 'udp4' : 'udp6');
    socket.on('message', (bytes, from) => this.#receive(bytes, from));
    socket.on('error', () => undefined); // an unreachable tracker times out like a silent one
    this.#sockets.set(family, socket);
    return socket;
  }

  #receive(bytes: Uint8Array, from: dgram.RemoteInfo): void {
    if (bytes.length < 8) return;
    const pending = this.#pending.get(readUint32(bytes, 4));
    if (pending === undefined || pending.endpoint.port !== from.port) return;
    if (formatIp(parseIp(from.address.split('%', 1).join(''))) === pending.endpoint.host) pending.answered(bytes);
  }
}

function accepted<Answer extends { readonly kind: 'answer' }>(answer: Answer | TrackerFailure): Answer {
  if (answer.kind === 'failure') throw new Unavailable(`the tracker refused: ${answer.reason}`);
  return answer;
}

function isNamed(entry: readonly [SwarmKey | undefined, SwarmCounts]): entry is readonly [SwarmKey, SwarmCounts] {
  return entry[0] !== undefined;
}
