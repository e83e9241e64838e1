/**
 * Peer exchange (BEP 11): tells peers about others we are connected to, as changes, at most once a minute and 50 at a
 * time. Invariants: never for private torrents, never WebRTC peers, only addresses that can be dialled and pass the
 * filter, and what a peer sends is taken no more often than BEP 11 allows.
 */
import { MINUTE_MS } from '../../base/units.ts';
import { encodePexMessage, MAX_PEX_PEERS, PEX_FLAG, type PexMessage, type PexPeer } from '../../codec/extension.ts';
import type { Peer } from '../peer/peer.ts';
import type { PeerAddress } from '../ports.ts';

/** A little slack for the sender's clock. */
const MIN_RECEIVE_INTERVAL_MS = MINUTE_MS - 5_000;

/** `host:port`, IPv6 hosts in brackets: a key and a display form. */
export function addressKey(address: PeerAddress): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

export class PeerExchange {
  readonly #filter: (address: PeerAddress) => boolean;
  readonly #sentTo = new WeakMap<Peer, Map<string, PeerAddress>>();
  readonly #receivedAtMs = new WeakMap<Peer, number>();
  #nextAtMs = 0;

  /** `filter` says which addresses may be passed on or taken. */
  constructor(filter: (address: PeerAddress) => boolean) {
    this.#filter = filter;
  }

  /** Sends changes when a minute has passed. */
  tick(peers: ReadonlySet<Peer>, nowMs: number): void {
    if (nowMs < this.#nextAtMs) return;
    this.#nextAtMs = nowMs + MINUTE_MS;
    const known = new Map<string, PexPeer>();
    for (const peer of peers) {
      const pexPeer = this.#describe(peer);
      if (pexPeer !== undefined) known.set(addressKey(pexPeer.address), pexPeer);
    }
    for (const peer of peers) this.#tell(peer, known);
  }

  /** Addresses to try from a peer's message; none when it comes too soon. */
  received(peer: Peer, message: PexMessage, nowMs: number): PeerAddress[] {
    const lastAtMs = this.#receivedAtMs.get(peer);
    if (lastAtMs !== undefined && nowMs - lastAtMs < MIN_RECEIVE_INTERVAL_MS) return [];
    this.#receivedAtMs.set(peer, nowMs);
    const added = message.added.slice(0, MAX_PEX_PEERS).map(({ address }) => address);
    return added.filter((address) => this.#filter(address));
  }

  #describe(peer: Peer): PexPeer | undefined {
    const address = peer.listenAddress;
    if (address === undefined || peer.connection.transport === 'webrtc' || !this.#filter(address)) return undefined;
    const flags =
      (peer.isSeed || peer.isUploadOnly ? PEX_FLAG.uploadOnly : 0) |
      (peer.connection.transport === 'utp' ? PEX_FLAG.utp : 0) |
      (peer.isOutgoing ? PEX_FLAG.reachable : 0);
    return { address, flags };
  }

  #tell(peer: Peer, known: ReadonlyMap<string, PexPeer>): void {
    if (peer.extensionIds.ut_pex === undefined) return;
    const sent = this.#sentTo.get(peer) ?? new Map<string, PeerAddress>();
    const own = peer.listenAddress === undefined ? undefined : addressKey(peer.listenAddress);
    const added = [...known].filter(([key]) => key !== own && !sent.has(key)).slice(0, MAX_PEX_PEERS);
    const dropped = [...sent].filter(([key]) => !known.has(key)).slice(0, MAX_PEX_PEERS);
    if (added.length === 0 && dropped.length === 0) return;
    for (const [key, pexPeer] of added) sent.set(key, pexPeer.address);
    for (const [key] of dropped) sent.delete(key);
    this.#sentTo.set(peer, sent);
    const message = { added: added.map(([, pexPeer]) => pexPeer), dropped: dropped.map(([, address]) => address) };
    peer.sayExtended('ut_pex', encodePexMessage(message));
  }
}
