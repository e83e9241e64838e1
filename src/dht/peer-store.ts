/**
 * Peers that others announced to this node. Invariants: bounded in all, for each swarm, and for each household; once the
 * store is half full, who has more than its share makes room for itself, so that nobody pushes the others out; nothing is
 * older than half an hour.
 */
import { householdOf, type PeerAddress } from '../base/address.ts';
import type { SwarmKey } from '../base/ids.ts';
import { MINUTE_MS } from '../base/units.ts';

const KEPT_MS = 30 * MINUTE_MS;

export interface PeerStoreLimits {
  /** Peers of all swarms together. */
  readonly all: number;
  readonly perSwarm: number;
  /** Swarms of one IPv4 address or IPv6 /64, once the store is half full. */
  readonly householdShare: number;
  /** Peers of one household in one swarm. */
  readonly perHouseholdAndSwarm: number;
}

/** About 4 MB. */
const LIMITS: PeerStoreLimits = { all: 20_000, perSwarm: 100, householdShare: 100, perHouseholdAndSwarm: 8 };

interface Stored {
  readonly key: SwarmKey;
  readonly name: string;
  readonly household: string;
  readonly peer: PeerAddress;
  readonly untilMs: number;
}

export class PeerStore {
  readonly #limits: PeerStoreLimits;
  /** Each of these is the first announced first. */
  readonly #all = new Set<Stored>();
  readonly #swarms = new Map<SwarmKey, Map<string, Stored>>();
  readonly #households = new Map<string, Set<Stored>>();

  constructor(limits = LIMITS) {
    this.#limits = limits;
  }

  /** Keeps a peer, for half an hour from now. */
  add(key: SwarmKey, peer: PeerAddress, nowMs: number): void {
    this.#forget(nowMs);
    const household = householdOf(peer.host);
    const name = `${peer.host} ${peer.port}`;
    this.#drop(this.#swarms.get(key)?.get(name));
    this.#makeRoom(key, household);
    const stored = { key, name, household, peer, untilMs: nowMs + KEPT_MS };
    this.#all.add(stored);
    this.#swarms.set(key, (this.#swarms.get(key) ?? new Map<string, Stored>()).set(name, stored));
    this.#households.set(household, (this.#households.get(household) ?? new Set<Stored>()).add(stored));
  }

  /** Up to `count` peers, the last announced first. */
  peers(key: SwarmKey, count: number, nowMs: number): PeerAddress[] {
    this.#forget(nowMs);
    return Array.from(this.#swarms.get(key)?.values() ?? [], ({ peer }) => peer)
      .toReversed()
      .slice(0, count);
  }

  #makeRoom(key: SwarmKey, household: string): void {
    const { all, perSwarm, householdShare, perHouseholdAndSwarm } = this.#limits;
    const swarm = [...(this.#swarms.get(key)?.values() ?? [])];
    const neighbours = swarm.filter((stored) => stored.household === household);
    const own = this.#households.get(household) ?? new Set();
    if (neighbours.length >= perHouseholdAndSwarm) this.#drop(neighbours[0]);
    else if (swarm.length >= perSwarm) this.#drop(swarm[0]);
    else if (own.size >= householdShare && this.#all.size >= all / 2) this.#drop(first(own));
    else if (this.#all.size >= all) this.#drop(first(this.#all));
  }

  #forget(nowMs: number): void {
    for (let oldest = first(this.#all); oldest !== undefined && oldest.untilMs <= nowMs; oldest = first(this.#all))
      this.#drop(oldest);
  }

  #drop(stored: Stored | undefined): void {
    if (stored === undefined) return;
    const [swarm, own] = [this.#swarms.get(stored.key), this.#households.get(stored.household)];
    this.#all.delete(stored);
    swarm?.delete(stored.name);
    own?.delete(stored);
    if (swarm?.size === 0) this.#swarms.delete(stored.key);
    if (own?.size === 0) this.#households.delete(stored.household);
  }
}

function first<Item>(items: Iterable<Item>): Item | undefined {
  for (const item of items) return item;
  return undefined;
}
