/**
 * The tracker over UDP (BEP 15, 41), packet in, packet out. Invariants: no answer is larger than its request before the
 * sender has proved its address by a connection id, and what is malformed gets no answer at all.
 */
import { formatIp } from '../base/address.ts';
import { InvalidInput } from '../base/errors.ts';
import { decodeUdpRequest, encodeUdpAnswer, type UdpRequest } from '../codec/tracker-udp.ts';
import { compactPeer } from './http.ts';
import type { ConnectionIds } from './ports.ts';
import { NOT_TRACKED, type SwarmRegistry } from './registry.ts';

export class UdpTracker {
  readonly #registry: SwarmRegistry;
  readonly #connectionIds: ConnectionIds;

  constructor(registry: SwarmRegistry, connectionIds: ConnectionIds) {
    this.#registry = registry;
    this.#connectionIds = connectionIds;
  }

  /** The answer to send back, if any. `ip` has 4 or 16 bytes, `port` is the sender's. */
  answer(packet: Uint8Array, ip: Uint8Array, port: number): Uint8Array<ArrayBuffer> | undefined {
    const request = requestOf(packet);
    if (request === undefined) return undefined;
    const { transactionId } = request;
    if (request.type === 'connect')
      return encodeUdpAnswer({ type: 'connect', transactionId, connectionId: this.#connectionIds.issue(ip) });
    if (!this.#connectionIds.accepts(request.connectionId, ip))
      return encodeUdpAnswer({ type: 'error', transactionId, reason: 'connect' });
    return request.type === 'announce' ? this.#announce(request, ip, port) : this.#scrape(request, ip);
  }

  #announce(request: Extract<UdpRequest, { type: 'announce' }>, ip: Uint8Array, port: number): Uint8Array<ArrayBuffer> {
    const { transactionId, swarmKey, event, numWant } = request;
    const list = this.#registry.announce({
      swarmKey,
      event,
      numWant,
      peer: compactPeer(ip, request.port === 0 ? port : request.port),
      remoteHost: formatIp(ip),
      isSeeder: request.leftBytes === 0,
    });
    if (list === undefined) return encodeUdpAnswer({ type: 'error', transactionId, reason: NOT_TRACKED });
    const { seeders, leechers } = list;
    const peers = ip.length === 4 ? list.v4 : list.v6;
    const { intervalSec } = this.#registry.limits;
    return encodeUdpAnswer({ type: 'announce', transactionId, intervalSec, seeders, leechers, peers });
  }

  #scrape(request: Extract<UdpRequest, { type: 'scrape' }>, ip: Uint8Array): Uint8Array<ArrayBuffer> {
    const remoteHost = formatIp(ip);
    const counts = request.swarmKeys.map((key) => this.#registry.publicCounts(key, remoteHost));
    return encodeUdpAnswer({ type: 'scrape', transactionId: request.transactionId, counts });
  }
}

function requestOf(packet: Uint8Array): UdpRequest | undefined {
  try {
    return decodeUdpRequest(packet);
  } catch (error) {
    if (error instanceof InvalidInput) return undefined;
    throw error;
  }
}
