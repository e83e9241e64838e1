/**
 * The contacts a DHT node keeps: eight for each length of common prefix with its own id (BEP 5). Only nodes that answered
 * get in. A node whose id is bound to its address (BEP 42) takes the place of one whose id is not. Invariants: a node is in
 * it once; of a public address (IPv6: /64) there is one node, so that nobody fills it from one place; what answers stays,
 * what failed twice makes room.
 */
import { householdOf } from '../base/address.ts';
import { toHex } from '../base/bytes.ts';
import { scopeOf } from '../base/address-scope.ts';
import { MINUTE_MS } from '../base/units.ts';
import { type DhtContact, NODE_ID_BYTES } from '../codec/krpc.ts';
import { isBoundTo } from './node-id.ts';

const BUCKET_SIZE = 8;
/** Unheard of for so long, a contact has to be asked whether it is still there. */
const QUESTIONABLE_MS = 15 * MINUTE_MS;
const BAD_FAILURES = 2;

interface Entry {
  contact: DhtContact;
  /** Whether its id is one of its address. */
  isBound: boolean;
  seenAtMs: number;
  failures: number;
}

/** Orders ids by their distance (XOR) to `target`. */
export function compareDistance(target: Uint8Array, one: Uint8Array, other: Uint8Array): number {
  for (let at = 0; at < NODE_ID_BYTES; at++) {
    const difference = ((one[at] ?? 0) ^ (target[at] ?? 0)) - ((other[at] ?? 0) ^ (target[at] ?? 0));
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Length in bits of what two ids begin with in common, 0 to 160. */
export function commonPrefixBits(one: Uint8Array, other: Uint8Array): number {
  for (let at = 0; at < NODE_ID_BYTES; at++) {
    const difference = (one[at] ?? 0) ^ (other[at] ?? 0);
    if (difference !== 0) return at * 8 + Math.clz32(difference) - 24;
  }
  return NODE_ID_BYTES * 8;
}

export class RoutingTable {
  readonly #ownId: Uint8Array;
  readonly #buckets = new Map<number, Entry[]>();
  readonly #households = new Set<string>();

  constructor(ownId: Uint8Array) {
    this.#ownId = ownId;
  }

  get size(): number {
    let size = 0;
    for (const bucket of this.#buckets.values()) size += bucket.length;
    return size;
  }

  /** The node answered. Returns a contact that should be asked whether it lives, where that would make room. */
  answered(contact: DhtContact, nowMs: number): DhtContact | undefined {
    const prefix = commonPrefixBits(this.#ownId, contact.id);
    if (prefix === NODE_ID_BYTES * 8) return undefined; // ourselves
    const bucket = this.#bucket(prefix);
    const known = bucket.find((entry) => equalIds(entry.contact.id, contact.id));
    if (known !== undefined) {
      if (isSamePlace(known.contact, contact)) Object.assign(known, { seenAtMs: nowMs, failures: 0 });
      return undefined; // from elsewhere: the one we know keeps its id
    }
    if (this.#isTaken(contact)) return undefined;
    const isBound = isBoundTo(contact.address.host, contact.id);
    const room = bucket.length < BUCKET_SIZE ? bucket.length : bucket.findIndex((entry) => givesWay(entry, isBound));
    if (room >= 0) this.#put(bucket, room, { contact, isBound, seenAtMs: nowMs, failures: 0 });
    return room >= 0 ? undefined : bucket.find((entry) => isQuestionable(entry, nowMs))?.contact;
  }

  /** The node did not answer. */
  failed(id: Uint8Array): void {
    const entry = this.#bucket(commonPrefixBits(this.#ownId, id)).find(({ contact }) => equalIds(contact.id, id));
    if (entry !== undefined) entry.failures++;
  }

  /** Whether a node would find room, so that asking it is worth while. */
  wants({ id, address }: DhtContact): boolean {
    const bucket = this.#bucket(commonPrefixBits(this.#ownId, id));
    if (bucket.some(({ contact }) => equalIds(contact.id, id))) return false;
    const isBound = isBoundTo(address.host, id);
    return bucket.length < BUCKET_SIZE || bucket.some((entry) => givesWay(entry, isBound));
  }

  /** The nearest to `target`, nearest first; those that failed are left out. */
  closest(target: Uint8Array, count = BUCKET_SIZE): DhtContact[] {
    const good = [...this.#buckets.values()].flat().filter(({ failures }) => failures < BAD_FAILURES);
    return good
      .map(({ contact }) => contact)
      .sort((one, other) => compareDistance(target, one.id, other.id))
      .slice(0, count);
  }

  /** Up to `count` contacts that live, the last heard of first. */
  latest(count: number): DhtContact[] {
    const good = [...this.#buckets.values()].flat().filter(({ failures }) => failures === 0);
    return good
      .sort((one, other) => other.seenAtMs - one.seenAtMs)
      .slice(0, count)
      .map(({ contact }) => contact);
  }

  /** The same contacts for another id of our own. */
  under(ownId: Uint8Array): RoutingTable {
    const table = new RoutingTable(ownId);
    for (const { contact, seenAtMs } of [...this.#buckets.values()].flat()) table.answered(contact, seenAtMs);
    return table;
  }

  /** Up to `count` contacts not heard of for a quarter of an hour, longest first. */
  questionable(nowMs: number, count: number): DhtContact[] {
    const silent = [...this.#buckets.values()].flat().filter((entry) => isQuestionable(entry, nowMs));
    return silent
      .sort((one, other) => one.seenAtMs - other.seenAtMs)
      .slice(0, count)
      .map(({ contact }) => contact);
  }

  #bucket(prefix: number): Entry[] {
    const known = this.#buckets.get(prefix);
    if (known !== undefined) return known;
    const bucket: Entry[] = [];
    this.#buckets.set(prefix, bucket);
    return bucket;
  }

  #isTaken({ address }: DhtContact): boolean {
    return scopeOf(address.host) === 'public' && this.#households.has(householdOf(address.host));
  }

  #put(bucket: Entry[], at: number, entry: Entry): void {
    const before = bucket[at];
    if (before !== undefined) this.#households.delete(householdOf(before.contact.address.host));
    bucket[at] = entry;
    this.#households.add(householdOf(entry.contact.address.host));
  }
}

/** Whether an entry of a full bucket makes room for a newcomer. */
function givesWay({ failures, isBound }: Entry, newcomerIsBound: boolean): boolean {
  return failures >= BAD_FAILURES || (newcomerIsBound && !isBound);
}

function isQuestionable({ seenAtMs, failures }: Entry, nowMs: number): boolean {
  return failures < BAD_FAILURES && nowMs - seenAtMs >= QUESTIONABLE_MS;
}

function isSamePlace({ address: one }: DhtContact, { address: other }: DhtContact): boolean {
  return one.host === other.host && one.port === other.port;
}

function equalIds(one: Uint8Array, other: Uint8Array): boolean {
  return toHex(one) === toHex(other);
}
