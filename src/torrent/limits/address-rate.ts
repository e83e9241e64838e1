/**
 * How often one address may knock: a token bucket for each of a bounded number of addresses (IPv6: one /48), the one
 * that knocked longest ago forgotten first. Loopback stands for a crowd: behind a proxy or a reverse tunnel everybody comes
 * from there, so all of it together may knock as often as many addresses, and no more.
 */
import { parseIp } from '../../base/address.ts';
import { toHex } from '../../base/bytes.ts';
import { SECOND_MS } from '../../base/units.ts';

export interface AddressRateOptions {
  readonly perSecond: number;
  /** Knocks at once after a quiet time. */
  readonly burst: number;
  readonly maxAddresses: number;
  /** As how many addresses all of loopback counts. */
  readonly loopbackWeight: number;
}

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

const IPV6_GROUP_BYTES = 6;
const LOOPBACK = 'loopback';

export class AddressRate {
  readonly #options: AddressRateOptions;
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: AddressRateOptions) {
    this.#options = options;
  }

  /** Addresses remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Counts a knock; false when there were too many. @throws InvalidInput unless the host is an IP literal */
  admits(host: string, nowMs: number): boolean {
    const key = keyOf(host);
    const { maxAddresses, loopbackWeight } = this.#options;
    const weight = key === LOOPBACK ? loopbackWeight : 1;
    const [perSecond, burst] = [weight * this.#options.perSecond, weight * this.#options.burst];
    const { tokens, filledAtMs } = this.#buckets.get(key) ?? { tokens: burst, filledAtMs: nowMs };
    const filled = Math.min(burst, tokens + ((nowMs - filledAtMs) / SECOND_MS) * perSecond);
    const isAdmitted = filled >= 1;
    this.#buckets.delete(key);
    this.#buckets.set(key, { tokens: isAdmitted ? filled - 1 : filled, filledAtMs: nowMs });
    const oldest = this.#buckets.keys().next();
    if (this.#buckets.size > maxAddresses && !oldest.done) this.#buckets.delete(oldest.value);
    return isAdmitted;
  }
}

function keyOf(host: string): string {
  const address = parseIp(host);
  if (address.length === 4) return address[0] === 127 ? LOOPBACK : toHex(address);
  const isLoopback = address.every((byte, at) => byte === (at === 15 ? 1 : 0));
  return isLoopback ? LOOPBACK : toHex(address.subarray(0, IPV6_GROUP_BYTES));
}
