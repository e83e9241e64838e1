/** Peers that others announced to this node. Invariants: bounded in swarms and peers; nothing is older than half an hour. */
import type { PeerAddress } from '../base/address.ts';
import type { SwarmKey } from '../base/ids.ts';
import { MINUTE_MS } from '../base/units.ts';

const KEPT_MS = 30 * MINUTE_MS;
const MAX_SWARMS = 2_000;
const MAX_PEERS = 100;

interface Stored {
  readonly peer: PeerAddress;
  readonly untilMs: number;
}

export class PeerStore {
  /** Least recently announced first; peers by host, one each. */
  readonly #swarms = new Map<SwarmKey, Map<string, Stored>>();

  /** Keeps a peer; of one address, the last. The oldest swarm or peer makes room. */
  add(key: SwarmKey, peer: PeerAddress, nowMs: number): void {
    const peers = this.#swarms.get(key) ?? new Map<string, Stored>();
    this.#swarms.delete(key);
    this.#swarms.set(key, peers);
    const name = `${peer.host} ${peer.port}`;
    peers.delete(name);
    peers.set(name, { peer, untilMs: nowMs + KEPT_MS });
    dropOldest(peers, MAX_PEERS);
    dropOldest(this.#swarms, MAX_SWARMS);
  }

  /** Up to `count` peers, the last announced first. */
  peers(key: SwarmKey, count: number, nowMs: number): PeerAddress[] {
    const peers = this.#swarms.get(key);
    if (peers === undefined) return [];
    for (const [name, { untilMs }] of peers) if (untilMs <= nowMs) peers.delete(name);
    if (peers.size === 0) this.#swarms.delete(key);
    return Array.from(peers.values(), ({ peer }) => peer)
      .toReversed()
      .slice(0, count);
  }
}

function dropOldest<Key>(map: Map<Key, unknown>, max: number): void {
  const [oldest] = map.keys();
  if (map.size > max && oldest !== undefined) map.delete(oldest);
}
