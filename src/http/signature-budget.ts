/**
 * How many signed requests one address may make. Checking a signature costs about a millisecond, so a flood of bad ones
 * would stall everybody; it is refused before the check. Neighbours in one IPv6 /64 share a budget.
 */
import type { Clock } from '../base/clock.ts';
import { RateLimited } from '../base/errors.ts';
import { BoundedMap } from '../media/bounded-map.ts';
import { TokenBucket, type Rate } from '../base/token-bucket.ts';

/** Far above what a client needs that uploads many small files, each with a token of its own. */
export const DEFAULT_SIGNATURE_RATE: Rate = { capacity: 300, perSecond: 30 };
const MAX_ADDRESSES = 10_000;

export class SignatureBudget {
  readonly #clock: Clock;
  readonly #rate: Rate;
  readonly #buckets = new BoundedMap<string, TokenBucket>(MAX_ADDRESSES);

  constructor(clock: Clock, rate: Rate = DEFAULT_SIGNATURE_RATE) {
    this.#clock = clock;
    this.#rate = rate;
  }

  /** Counts one signed request of an IP literal. @throws RateLimited */
  spend(remoteHost: string): void {
    const network = networkOf(remoteHost);
    const bucket = this.#buckets.get(network) ?? this.#open(network);
    if (!bucket.take(1)) throw new RateLimited('too many signed requests from this address; wait a little');
  }

  #open(network: string): TokenBucket {
    const bucket = new TokenBucket(this.#rate, this.#clock);
    this.#buckets.set(network, bucket);
    return bucket;
  }
}

/** The address, or the first four groups of an IPv6 one. */
function networkOf(remoteHost: string): string {
  if (!remoteHost.includes(':')) return remoteHost;
  const [front = '', back = ''] = remoteHost.split('::');
  const head = front === '' ? [] : front.split(':');
  const tail = back === '' ? [] : back.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => '0');
  return [...head, ...zeros, ...tail].slice(0, 4).join(':');
}
