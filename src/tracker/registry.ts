/**
 * Who is in which swarm. HTTP, UDP and WebSocket trackers share this one registry. Invariants: no swarm exists that was
 * not admitted, every swarm with peers is scheduled in exactly one bucket of the wheel, and a swarm without peers is gone.
 */
import type { PeerAddress } from '../base/address.ts';
import { concatBytes } from '../base/bytes.ts';
import { COMPACT_BYTES, decodeCompactPeers, encodeCompactPeer } from '../codec/compact-peers.ts';
import type { AnnounceEvent, SwarmCounts } from '../codec/announce.ts';
import type { Cancel, Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import type { SwarmKey } from '../base/ids.ts';
import { MINUTE_MS } from '../base/units.ts';
import { AddressBudget } from './address-budget.ts';
import { isLocalAddress } from './local-address.ts';
import type { PeerTable } from './peer-table.ts';
import type { Admission, OwnSeed } from './ports.ts';
import { Swarm } from './swarm.ts';

/** The grain of expiry. */
export const TICK_MS = MINUTE_MS;
/** What every protocol says about torrents that are not ours. */
export const NOT_TRACKED = 'this torrent is not tracked here';
/** Swarms looked through in one turn of the event loop. */
const SWEEP_BATCH = 1_000;

export interface RegistryLimits {
  /** Most peers in one answer. */
  readonly maxPeersPerAnswer: number;
  readonly maxSwarms: number;
  readonly maxPeersPerSwarm: number;
  /** Peers of one IPv4 address or IPv6 /48 in one swarm: neighbours behind one NAT, not a flood. */
  readonly maxPeersPerAddress: number;
  /** Foreign torrents one IPv4 address or IPv6 /48 may ask for in a second; more are refused unseen. */
  readonly maxRefusalsPerSecond: number;
  /** How often HTTP and UDP peers are asked to announce. */
  readonly intervalSec: number;
  /** How often WebSocket peers are asked to announce. */
  readonly webIntervalSec: number;
  /** A peer silent for so long is forgotten. */
  readonly peerLifetimeMs: number;
}

export const DEFAULT_LIMITS: RegistryLimits = {
  maxPeersPerAnswer: 10,
  maxSwarms: 1_000_000,
  maxPeersPerSwarm: 20_000,
  maxPeersPerAddress: 32,
  maxRefusalsPerSecond: 50,
  intervalSec: 900,
  webIntervalSec: 120,
  peerLifetimeMs: 32 * MINUTE_MS,
};

export interface RegistryOptions {
  readonly clock: Clock;
  readonly admission: Admission;
  readonly ownSeed: OwnSeed;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
  readonly limits?: Partial<RegistryLimits>;
}

/** An announce over HTTP or UDP, the address taken from the connection. */
export interface PeerAnnounce {
  readonly swarmKey: SwarmKey;
  /** Compact address, 6 or 18 bytes. */
  readonly peer: Uint8Array;
  /** The same address's IP as a literal. */
  readonly remoteHost: string;
  readonly isSeeder: boolean;
  readonly event: AnnounceEvent;
  readonly numWant: number | undefined;
}

export interface CompactPeers {
  /** BEP 23 */
  readonly v4: Uint8Array;
  /** BEP 7 */
  readonly v6: Uint8Array;
}

export interface PeerList extends SwarmCounts, CompactPeers {}

export interface RegistryEvents {
  /** Somebody wants this torrent: a leecher has announced or offered. */
  readonly interest: {
    readonly swarmKey: SwarmKey;
    /** Where it takes connections, as it told an HTTP or UDP announce; the host is the one it came from. */
    readonly peer?: PeerAddress;
  };
}

export class SwarmRegistry {
  readonly events = new Emitter<RegistryEvents>();
  readonly limits: RegistryLimits;
  readonly #clock: Clock;
  readonly #admission: Admission;
  readonly #ownSeed: OwnSeed;
  readonly #refusals: AddressBudget;
  readonly #random: () => number;
  readonly #swarms = new Map<SwarmKey, Swarm>();
  /** Tick → swarms to look through then. */
  readonly #wheel = new Map<number, Set<SwarmKey>>();
  readonly #startMs: number;
  #sweptTick = 0;
  /** Set while a sweep is due. */
  #cancelTimer: Cancel | undefined;
  #isStopped = false;

  constructor(options: RegistryOptions) {
    this.#clock = options.clock;
    this.#admission = options.admission;
    this.#ownSeed = options.ownSeed;
    this.#random = options.random ?? Math.random;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#refusals = new AddressBudget(this.limits.maxRefusalsPerSecond, options.clock);
    this.#startMs = options.clock.monotonicMs();
  }

  /** Ends the forgetting of silent peers, which starts by itself with the first. */
  stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#isStopped = true;
    this.events.removeAll();
  }

  /** Swarms with at least one peer. */
  get swarmCount(): number {
    return this.#swarms.size;
  }

  /** The server's own seed is not counted. */
  counts(key: SwarmKey): SwarmCounts {
    return this.#swarms.get(key)?.counts() ?? { seeders: 0, leechers: 0, completed: 0 };
  }

  /** As scrapes and announces tell it: our own seed counts as one. `remoteHost` is who asks. */
  publicCounts(key: SwarmKey, remoteHost: string): SwarmCounts {
    const counts = this.counts(key);
    const isSeeded = this.#ownSeed.addressFor(key, remoteHost) !== undefined;
    return isSeeded ? { ...counts, seeders: counts.seeders + 1 } : counts;
  }

  /** The live swarm, or undefined. */
  get(key: SwarmKey): Swarm | undefined {
    return this.#swarms.get(key);
  }

  /**
   * The swarm, brought to life where admitted; undefined when it is not, or when there are too many. `ip` (4 or 16 bytes)
   * is who asks: only those who ask for foreign torrents run out of look-ups.
   */
  admit(key: SwarmKey, ip: Uint8Array): Swarm | undefined {
    const known = this.#swarms.get(key);
    if (known !== undefined) return known;
    if (this.#swarms.size >= this.limits.maxSwarms || !this.#refusals.hasLeft(ip)) return undefined;
    if (!this.#admission.admits(key)) {
      this.#refusals.spend(ip);
      return undefined;
    }
    const swarm = new Swarm();
    this.#swarms.set(key, swarm);
    return swarm;
  }

  /** Lets a swarm go at once, for torrents that are no longer admitted; WebSocket members find out when they announce. */
  drop(key: SwarmKey): void {
    const swarm = this.#swarms.get(key);
    if (swarm === undefined) return;
    swarm.members?.expire(Number.POSITIVE_INFINITY);
    this.#forget(key, swarm);
  }

  /** The tick at which a peer that announces now is forgotten. */
  expiryTick(): number {
    return this.#tick() + Math.ceil(this.limits.peerLifetimeMs / TICK_MS) + 1;
  }

  /** To be called after a swarm's peers have changed: schedules its next look-through, or lets it go when empty. */
  settle(key: SwarmKey, swarm: Swarm): void {
    if (swarm.size === 0) this.#forget(key, swarm);
    else if (swarm.sweepTick === undefined) this.#schedule(key, swarm, this.expiryTick());
  }

  /** Takes an announce and answers with peers; undefined when the torrent is not tracked here. */
  announce(announce: PeerAnnounce): PeerList | undefined {
    const { swarmKey, event, remoteHost } = announce;
    const ip = announce.peer.subarray(0, -2);
    const swarm = this.admit(swarmKey, ip);
    if (swarm === undefined) return undefined;
    const isLocal = isLocalAddress(ip);
    const own = this.#ownSeed.addressFor(swarmKey, remoteHost);
    const entry = this.#record(swarm, announce, isLocal);
    const list = event === 'stopped' ? NOBODY : this.#pick(swarm, announce, { entry, isLocal, own });
    const { seeders, leechers, completed } = swarm.counts();
    this.settle(swarmKey, swarm);
    if ((!announce.isSeeder || event === 'started') && event !== 'stopped') this.#interested(announce);
    return { seeders: seeders + Number(own !== undefined), leechers, completed, v4: list.v4, v6: list.v6 };
  }

  #interested({ swarmKey, peer }: PeerAnnounce): void {
    const [address] = decodeCompactPeers(peer, peer.length === COMPACT_BYTES.v4 ? 'v4' : 'v6');
    this.events.emit('interest', address === undefined ? { swarmKey } : { swarmKey, peer: address });
  }

  /** Puts the peer into the swarm, renews or removes it; returns its entry. */
  #record(swarm: Swarm, { peer, isSeeder, event }: PeerAnnounce, isLocal: boolean): number | undefined {
    const table = swarm.tableFor(peer);
    const { entry, sharing } = table.find(peer);
    if (event === 'stopped') {
      if (entry !== undefined) table.remove(entry);
      return undefined;
    }
    const flags = { isSeeder, isLocal };
    if (entry !== undefined) {
      // Only who was seen leeching has completed here: nobody raises the count by repeating the event.
      if (event === 'completed' && isSeeder && !table.isSeeder(entry)) swarm.completed++;
      table.update(entry, flags, this.expiryTick());
      return entry;
    }
    if (sharing >= this.limits.maxPeersPerAddress || swarm.size >= this.limits.maxPeersPerSwarm) return undefined;
    table.add(peer, flags, this.expiryTick());
    return table.size - 1;
  }

  #pick(
    swarm: Swarm,
    { peer, isSeeder, event, numWant }: PeerAnnounce,
    asker: { readonly entry: number | undefined; readonly isLocal: boolean; readonly own: PeerAddress | undefined },
  ): CompactPeers {
    // Clients that start from a magnet do not know the size yet and say that nothing is left (aria2 does).
    const onlyLeechers = isSeeder && event !== 'started';
    const limit = this.limits.maxPeersPerAnswer;
    const wanted = Math.max(0, Math.min(numWant ?? limit, limit));
    const ownBytes = asker.own === undefined || onlyLeechers || wanted === 0 ? NONE : encodeCompactPeer(asker.own);
    const pickFrom = (table: PeerTable | undefined, count: number, except: number | undefined): Uint8Array => {
      if (table === undefined || table.size === 0 || count <= 0) return NONE;
      const start = Math.floor(this.#random() * table.size);
      return table.pick({ wanted: count, start, except, onlyLeechers, withLocal: asker.isLocal });
    };
    // The asker's own family first; the rest of the answer goes to the other.
    const isV4 = peer.length === COMPACT_BYTES.v4;
    const room = wanted - Number(ownBytes !== NONE);
    const first = pickFrom(isV4 ? swarm.v4 : swarm.v6, room, asker.entry);
    const second = pickFrom(isV4 ? swarm.v6 : swarm.v4, room - first.length / peer.length, undefined);
    const [v4, v6] = isV4 ? [first, second] : [second, first];
    return { v4: prepend(ownBytes, v4, COMPACT_BYTES.v4), v6: prepend(ownBytes, v6, COMPACT_BYTES.v6) };
  }

  #tick(): number {
    return Math.floor((this.#clock.monotonicMs() - this.#startMs) / TICK_MS);
  }

  #schedule(key: SwarmKey, swarm: Swarm, tick: number): void {
    swarm.sweepTick = tick;
    const bucket = this.#wheel.get(tick);
    if (bucket === undefined) this.#wheel.set(tick, new Set([key]));
    else bucket.add(key);
    if (this.#cancelTimer === undefined) this.#arm(TICK_MS);
  }

  #arm(delayMs: number): void {
    if (!this.#isStopped) this.#cancelTimer = this.#clock.after(delayMs, () => this.#sweep());
  }

  #forget(key: SwarmKey, swarm: Swarm): void {
    this.#swarms.delete(key);
    if (swarm.sweepTick !== undefined) this.#wheel.get(swarm.sweepTick)?.delete(key);
  }

  /** Looks through the swarms whose bucket is due, a batch a turn. */
  #sweep(): void {
    const nowTick = this.#tick();
    let budget = SWEEP_BATCH;
    while (this.#sweptTick < nowTick && budget > 0) {
      const tick = this.#sweptTick + 1;
      budget = this.#sweepBucket(tick, nowTick, budget);
      if (budget > 0) this.#sweptTick = tick;
    }
    this.#cancelTimer = undefined;
    if (this.#wheel.size > 0) this.#arm(budget > 0 ? TICK_MS : 0);
  }

  /** Returns the budget that is left; 0 when the bucket is not finished. */
  #sweepBucket(tick: number, nowTick: number, budget: number): number {
    const bucket = this.#wheel.get(tick);
    if (bucket === undefined) return budget;
    let left = budget;
    for (const key of bucket) {
      if (left-- <= 0) return 0;
      bucket.delete(key);
      this.#sweepSwarm(key, nowTick);
    }
    this.#wheel.delete(tick);
    return left;
  }

  #sweepSwarm(key: SwarmKey, nowTick: number): void {
    const swarm = this.#swarms.get(key);
    if (swarm === undefined) return;
    swarm.sweepTick = undefined;
    const next = swarm.expire(nowTick);
    if (next === undefined) this.#swarms.delete(key);
    else this.#schedule(key, swarm, next);
  }
}

const NONE = new Uint8Array(0);
const NOBODY: CompactPeers = { v4: NONE, v6: NONE };

/** Puts our own seed in front of the peers of its family. */
function prepend(own: Uint8Array, peers: Uint8Array, family: number): Uint8Array {
  if (own.length !== family) return peers;
  return concatBytes([own, peers]);
}

/** For dictionary answers: compact peers of both families as addresses. */
export function addressesOf(list: CompactPeers): PeerAddress[] {
  return [...decodeCompactPeers(list.v4, 'v4'), ...decodeCompactPeers(list.v6, 'v6')];
}
