/**
 * What one address may cost us in a second, for all addresses in fixed memory: counters by hash of the address (IPv6:
 * its /48). Two addresses may meet in one counter, so a budget is a little smaller than it says, never larger.
 */
import { siteOf } from '../base/address.ts';
import { randomBytes, readUint32 } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { SECOND_MS } from '../base/units.ts';

const COUNTERS = 1 << 14;
/** Differs in each process, so that nobody can choose whom to meet. */
const HASH_START = readUint32(randomBytes(4), 0);

export class AddressBudget {
  readonly #perSecond: number;
  readonly #clock: Clock;
  readonly #spent = new Uint16Array(COUNTERS);
  #second = 0;

  /** `perSecond` is 1 to 65,535. */
  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond;
    this.#clock = clock;
  }

  /** True while the address (4 or 16 bytes) has something left in this second. */
  hasLeft(ip: Uint8Array): boolean {
    this.#turn();
    return (this.#spent[slotOf(ip)] ?? 0) < this.#perSecond;
  }

  spend(ip: Uint8Array): void {
    this.#turn();
    const slot = slotOf(ip);
    this.#spent[slot] = Math.min(this.#perSecond, (this.#spent[slot] ?? 0) + 1);
  }

  #turn(): void {
    const second = Math.floor(this.#clock.monotonicMs() / SECOND_MS);
    if (second === this.#second) return;
    this.#second = second;
    this.#spent.fill(0);
  }
}

/** FNV-1a from a secret start. */
function slotOf(ip: Uint8Array): number {
  let hash = HASH_START;
  for (const byte of siteOf(ip)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash ^ (hash >>> 15)) & (COUNTERS - 1);
}
