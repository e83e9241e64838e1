/**
 * The peers of one swarm and one address family, 11 or 23 bytes each and no object per peer. A hash table by IP address
 * (IPv6: by its /48) finds a peer and, in the same probe, how many others share that address. Invariants: entries 0 to `size` are dense, and
 * `#slots` holds each of them once.
 */
import { randomBytes, readUint32 } from '../base/bytes.ts';
import { COMPACT_BYTES } from '../codec/compact-peers.ts';

const SEEDER = 1;
const LOCAL = 2;
const FREE = -1;
const FIRST_CAPACITY = 4;
/** Differs in each process, so that nobody can prepare addresses that collide. */
const HASH_START = readUint32(randomBytes(4), 0);

export interface PeerFlags {
  readonly isSeeder: boolean;
  /** Its address means something only inside this server's own network. */
  readonly isLocal: boolean;
}

export interface PeerLookup {
  /** Undefined when it is not in the table. */
  readonly entry: number | undefined;
  /** Entries with the same IPv4 address or IPv6 /48, whatever their port. */
  readonly sharing: number;
}

export class PeerTable {
  readonly #entryBytes: number;
  /** Leading bytes that make two peers neighbours: an IPv4 address, an IPv6 /48. */
  readonly #groupBytes: number;
  #size = 0;
  #seeders = 0;
  #bytes: Uint8Array<ArrayBuffer>;
  #flags = new Uint8Array(FIRST_CAPACITY);
  #expiryTicks = new Uint32Array(FIRST_CAPACITY);
  #slots = new Int32Array(2 * FIRST_CAPACITY).fill(FREE);

  constructor(family: 'v4' | 'v6') {
    this.#entryBytes = COMPACT_BYTES[family];
    this.#groupBytes = family === 'v4' ? 4 : 6;
    this.#bytes = new Uint8Array(FIRST_CAPACITY * this.#entryBytes);
  }

  get size(): number {
    return this.#size;
  }

  get seeders(): number {
    return this.#seeders;
  }

  find(peer: Uint8Array): PeerLookup {
    let sharing = 0;
    for (let slot = this.#home(peer, 0); ; slot = this.#after(slot)) {
      const entry = this.#slots[slot] ?? FREE;
      if (entry === FREE) return { entry: undefined, sharing };
      if (!this.#matches(entry, peer, this.#groupBytes)) continue;
      sharing++;
      if (this.#matches(entry, peer, this.#entryBytes)) return { entry, sharing };
    }
  }

  isSeeder(entry: number): boolean {
    return ((this.#flags[entry] ?? 0) & SEEDER) !== 0;
  }

  /** Adds a peer that `find` did not find. */
  add(peer: Uint8Array, flags: PeerFlags, expiryTick: number): void {
    if (this.#size === this.#flags.length) this.#resize(this.#size * 2);
    const entry = this.#size++;
    this.#bytes.set(peer, entry * this.#entryBytes);
    this.#occupy(entry);
    this.#flags[entry] = 0;
    this.update(entry, flags, expiryTick);
  }

  /** Changes what is known of a peer, and how long it stays. */
  update(entry: number, flags: PeerFlags, expiryTick: number): void {
    this.#seeders += Number(flags.isSeeder) - Number(this.isSeeder(entry));
    this.#flags[entry] = (flags.isSeeder ? SEEDER : 0) | (flags.isLocal ? LOCAL : 0);
    this.#expiryTicks[entry] = expiryTick;
  }

  remove(entry: number): void {
    this.#vacate(entry);
    this.#seeders -= Number(this.isSeeder(entry));
    const last = --this.#size;
    if (entry === last) return;
    // The last entry fills the hole.
    this.#slots[this.#slotOf(last)] = entry;
    this.#bytes.copyWithin(entry * this.#entryBytes, last * this.#entryBytes, (last + 1) * this.#entryBytes);
    this.#flags[entry] = this.#flags[last] ?? 0;
    this.#expiryTicks[entry] = this.#expiryTicks[last] ?? 0;
  }

  /** Removes every peer whose tick has come; returns the earliest tick that remains, undefined when the table is empty. */
  expire(nowTick: number): number | undefined {
    let earliest: number | undefined;
    for (let entry = this.#size - 1; entry >= 0; entry--) {
      const tick = this.#expiryTicks[entry] ?? 0;
      if (tick <= nowTick) this.remove(entry);
      else earliest = Math.min(earliest ?? tick, tick);
    }
    if (this.#size < this.#flags.length / 4) this.#resize(Math.max(FIRST_CAPACITY, this.#flags.length / 2));
    return earliest;
  }

  /**
   * Up to `wanted` peers as compact bytes, from `start` (0 ≤ start < size) round the table, without entry `except`,
   * without seeders where `onlyLeechers`, without local addresses unless `withLocal`. Looks at 8 entries for each wanted.
   */
  pick(choice: {
    wanted: number;
    start: number;
    except: number | undefined;
    onlyLeechers: boolean;
    withLocal: boolean;
  }): Uint8Array {
    const skipped = (choice.onlyLeechers ? SEEDER : 0) | (choice.withLocal ? 0 : LOCAL);
    const picked = new Uint8Array(Math.min(choice.wanted, this.#size) * this.#entryBytes);
    const looks = Math.min(this.#size, choice.wanted * 8);
    let at = 0;
    let entry = choice.start;
    for (let look = 0; look < looks && at < picked.length; look++) {
      const isWanted = entry !== choice.except && ((this.#flags[entry] ?? 0) & skipped) === 0;
      if (isWanted) at = this.#copyTo(picked, at, entry);
      entry = entry + 1 === this.#size ? 0 : entry + 1;
    }
    return picked.subarray(0, at);
  }

  /** Copies an entry's compact bytes; byte by byte beats a view for 6 of them. */
  #copyTo(target: Uint8Array, at: number, entry: number): number {
    const from = entry * this.#entryBytes;
    for (let byte = 0; byte < this.#entryBytes; byte++) target[at + byte] = this.#bytes[from + byte] ?? 0;
    return at + this.#entryBytes;
  }

  #matches(entry: number, peer: Uint8Array, count: number): boolean {
    const from = entry * this.#entryBytes;
    for (let at = 0; at < count; at++) if (this.#bytes[from + at] !== peer[at]) return false;
    return true;
  }

  /** First slot for the address found at `from` (FNV-1a from a secret start). */
  #home(bytes: Uint8Array, from: number): number {
    let hash = HASH_START;
    for (let at = 0; at < this.#groupBytes; at++) hash = Math.imul(hash ^ (bytes[from + at] ?? 0), 0x01000193);
    return ((hash ^ (hash >>> 15)) >>> 0) % this.#slots.length;
  }

  #after(slot: number): number {
    return slot + 1 === this.#slots.length ? 0 : slot + 1;
  }

  #slotOf(entry: number): number {
    let slot = this.#home(this.#bytes, entry * this.#entryBytes);
    while (this.#slots[slot] !== entry) slot = this.#after(slot);
    return slot;
  }

  #occupy(entry: number): void {
    let slot = this.#home(this.#bytes, entry * this.#entryBytes);
    while (this.#slots[slot] !== FREE) slot = this.#after(slot);
    this.#slots[slot] = entry;
  }

  /** Frees the entry's slot and closes the gap, so that no probe ends too early. */
  #vacate(entry: number): void {
    let hole = this.#slotOf(entry);
    for (let slot = this.#after(hole); ; slot = this.#after(slot)) {
      const other = this.#slots[slot] ?? FREE;
      if (other === FREE) break;
      const home = this.#home(this.#bytes, other * this.#entryBytes);
      const isReachable = hole < slot ? home > hole && home <= slot : home > hole || home <= slot;
      if (isReachable) continue;
      this.#slots[hole] = other;
      hole = slot;
    }
    this.#slots[hole] = FREE;
  }

  #resize(capacity: number): void {
    const bytes = new Uint8Array(capacity * this.#entryBytes);
    bytes.set(this.#bytes.subarray(0, this.#size * this.#entryBytes));
    const flags = new Uint8Array(capacity);
    flags.set(this.#flags.subarray(0, this.#size));
    const expiryTicks = new Uint32Array(capacity);
    expiryTicks.set(this.#expiryTicks.subarray(0, this.#size));
    [this.#bytes, this.#flags, this.#expiryTicks] = [bytes, flags, expiryTicks];
    this.#slots = new Int32Array(2 * capacity).fill(FREE);
    for (let entry = 0; entry < this.#size; entry++) this.#occupy(entry);
  }
}
