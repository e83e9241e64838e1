/**
 * How often one address may knock: a token bucket for each of a bounded number of addresses (IPv6: one /48), the one
 * that knocked longest ago forgotten first. Loopback stands for a crowd: behind a proxy or a reverse tunnel everybody comes
 * from there, so all of it together may knock as often as many addresses, and no more.
 */
import { parseIp, siteOf } from '../../base/address.ts';
import { toHex } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import { TokenBucket } from '../../base/token-bucket.ts';

export interface AddressRateOptions {
  readonly perSecond: number;
  /** Knocks at once after a quiet time. */
  readonly burst: number;
  readonly maxAddresses: number;
  /** As how many addresses all of loopback counts. */
  readonly loopbackWeight: number;
}

const LOOPBACK = 'loopback';

export class AddressRate {
  readonly #options: AddressRateOptions;
  readonly #clock: Clock;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(options: AddressRateOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Addresses remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Counts a knock; false when there were too many. @throws InvalidInput unless the host is an IP literal */
  admits(host: string): boolean {
    const key = keyOf(host);
    const bucket = this.#buckets.get(key) ?? this.#newBucket(key);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    const oldest = this.#buckets.keys().next();
    if (this.#buckets.size > this.#options.maxAddresses && !oldest.done) this.#buckets.delete(oldest.value);
    return bucket.take(1);
  }

  #newBucket(key: string): TokenBucket {
    const { perSecond, burst, loopbackWeight } = this.#options;
    const weight = key === LOOPBACK ? loopbackWeight : 1;
    return new TokenBucket({ capacity: weight * burst, perSecond: weight * perSecond }, this.#clock);
  }
}

function keyOf(host: string): string {
  const address = parseIp(host);
  if (address.length === 4) return address[0] === 127 ? LOOPBACK : toHex(address);
  const isLoopback = address.every((byte, at) => byte === (at === 15 ? 1 : 0));
  return isLoopback ? LOOPBACK : toHex(siteOf(address));
}
