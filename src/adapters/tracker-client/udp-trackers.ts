/**
 * Announces and scrapes over UDP (BEP 15, 41). A tracker with addresses of both families is announced to at both, since
 * each answers with peers of its own (BEP 7). Connection ids are kept for a minute. Peers come back judged.
 */
import type { AddressSource } from '../../base/address-policy.ts';
import { randomBytes, readUint32 } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import { InvalidInput } from '../../base/errors.ts';
import type { SwarmKey } from '../../base/ids.ts';
import { orCancelled } from '../../base/tasks.ts';
import { MINUTE_MS, SECOND_MS } from '../../base/units.ts';
import type { Announce, AnnounceAnswer, SwarmCounts } from '../../codec/announce.ts';
import {
  decodeUdpAnnounceAnswer,
  decodeUdpConnectAnswer,
  decodeUdpScrapeAnswer,
  type UdpRequest,
} from '../../codec/tracker-udp.ts';
import type { Guard } from '../guard/guard.ts';
import { checkTarget, hostOf } from '../guard/target.ts';
import { accepted, type TrackerClient } from './client.ts';
import { type Endpoint, UdpExchange } from './udp-exchange.ts';

const CONNECTION_ID_MS = MINUTE_MS;
const MAX_CONNECTED = 1_000;
/** How long the second family may take when the first has answered. */
const OTHER_FAMILY_MS = 2 * SECOND_MS;

interface Connected {
  readonly id: Promise<Uint8Array>;
  readonly untilMs: number;
}

export class UdpTrackers {
  readonly #guard: Guard;
  readonly #clock: Clock;
  readonly #exchange: UdpExchange;
  /** Tells trackers that it is still us when our address changes. */
  readonly #key = readUint32(randomBytes(4), 0);
  readonly #connected = new Map<string, Connected>();

  constructor(guard: Guard) {
    this.#guard = guard;
    this.#clock = guard.clock;
    this.#exchange = new UdpExchange(guard.clock);
  }

  /** `source`: who named the URL. @throws InvalidInput unless `udp://host:port/…`. */
  client(url: string, source: AddressSource): TrackerClient {
    const parsed = URL.parse(url);
    if (parsed?.protocol !== 'udp:' || parsed.port === '') throw new InvalidInput('a UDP tracker is udp://host:port');
    return {
      url,
      announce: async (announce, signal) => {
        const endpoints = await this.#endpoints(parsed, source, signal);
        return this.#announceAll(endpoints, parsed, announce, signal);
      },
      scrape: async (keys, signal) => {
        const [endpoint] = await this.#endpoints(parsed, source, signal);
        return endpoint === undefined ? new Map() : this.#scrape(endpoint, keys, signal);
      },
    };
  }

  /** Cancels what is under way and closes the sockets. */
  close(): void {
    this.#exchange.close();
  }

  /** One of each family the tracker has. @throws FetchFailed where the guard says no */
  async #endpoints(url: URL, source: AddressSource, signal: AbortSignal): Promise<readonly Endpoint[]> {
    checkTarget(url, source);
    const addresses = await this.#guard.addressesOf(hostOf(url), source, signal);
    const v4 = addresses.find((address) => !address.includes(':'));
    const v6 = addresses.find((address) => address.includes(':'));
    const port = Number(url.port);
    return [
      ...(v4 === undefined ? [] : [{ host: v4, port, family: 'v4' } as const]),
      ...(v6 === undefined ? [] : [{ host: v6, port, family: 'v6' } as const]),
    ];
  }

  /** The first answer, with the peers of the others that come soon after. @throws what the last one failed with */
  async #announceAll(
    endpoints: readonly Endpoint[],
    url: URL,
    announce: Announce,
    signal: AbortSignal,
  ): Promise<AnnounceAnswer> {
    const attempts = new AbortController();
    const abort = (): void => attempts.abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    const asked = endpoints.map((endpoint) => this.#announce(endpoint, url, announce, attempts.signal));
    let cancelTimer = (): void => undefined;
    try {
      const first = await Promise.any(asked);
      cancelTimer = this.#clock.after(OTHER_FAMILY_MS, () => attempts.abort());
      const settled = await Promise.allSettled(asked);
      const answers = settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      return { ...first, peers: answers.flatMap(({ peers }) => peers) };
    } catch (error) {
      throw error instanceof AggregateError ? error.errors.at(-1) : error;
    } finally {
      cancelTimer();
      signal.removeEventListener('abort', abort);
    }
  }

  async #announce(endpoint: Endpoint, url: URL, announce: Announce, signal: AbortSignal): Promise<AnnounceAnswer> {
    const urlData = url.pathname === '/' ? url.search : url.pathname + url.search;
    const bytes = await this.#connectedRequest(endpoint, signal, (transactionId, connectionId) => ({
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
    endpoint: Endpoint,
    swarmKeys: readonly SwarmKey[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<SwarmKey, SwarmCounts>> {
    const bytes = await this.#connectedRequest(endpoint, signal, (transactionId, connectionId) => ({
      type: 'scrape',
      transactionId,
      connectionId,
      swarmKeys,
    }));
    const { counts } = accepted(decodeUdpScrapeAnswer(bytes));
    return new Map(counts.map((count, at) => [swarmKeys[at], count] as const).filter(isNamed));
  }

  async #connectedRequest(
    endpoint: Endpoint,
    signal: AbortSignal,
    make: (transactionId: number, connectionId: Uint8Array) => UdpRequest,
  ): Promise<Uint8Array> {
    const connectionId = await this.#connectionId(endpoint, signal);
    return this.#exchange.request(endpoint, signal, (transactionId) => make(transactionId, connectionId));
  }

  /** Asked once for all torrents that want it at the same time. */
  #connectionId(endpoint: Endpoint, signal: AbortSignal): Promise<Uint8Array> {
    const name = `${endpoint.host} ${endpoint.port}`;
    const known = this.#connected.get(name);
    if (known !== undefined && known.untilMs > this.#clock.monotonicMs()) return orCancelled(known.id, signal);
    const id = this.#exchange
      .request(endpoint, this.#exchange.signal, (transactionId) => ({ type: 'connect', transactionId }))
      .then((bytes) => accepted(decodeUdpConnectAnswer(bytes)).connectionId);
    id.catch(() => {
      if (this.#connected.get(name)?.id === id) this.#connected.delete(name);
    });
    if (this.#connected.size >= MAX_CONNECTED) this.#connected.clear();
    this.#connected.set(name, { id, untilMs: this.#clock.monotonicMs() + CONNECTION_ID_MS });
    return orCancelled(id, signal);
  }
}

function isNamed(entry: readonly [SwarmKey | undefined, SwarmCounts]): entry is readonly [SwarmKey, SwarmCounts] {
  return entry[0] !== undefined;
}
