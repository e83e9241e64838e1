/**
 * Names to addresses. Each name is resolved once for a while, whoever asks, and two at a time: the system's resolver
 * occupies threads that files need too. Invariant: memory is bounded by the number of names kept.
 */
import dns from 'node:dns/promises';
import { formatIp, parseIp } from '../../base/address.ts';
import type { Clock } from '../../base/clock.ts';
import { InvalidInput, throwIfAborted } from '../../base/errors.ts';
import { orCancelled } from '../../base/tasks.ts';
import { MINUTE_MS, SECOND_MS } from '../../base/units.ts';

/** All addresses of a name, as IP literals; empty or rejected when there are none. */
export type Lookup = (name: string) => Promise<readonly string[]>;

const KEPT_MS = MINUTE_MS;
const FAILURE_KEPT_MS = 10 * SECOND_MS;
const MAX_NAMES = 512;
const MAX_AT_ONCE = 2;
const MAX_ADDRESSES = 16;

interface Entry {
  readonly addresses: Promise<readonly string[]>;
  /** Infinity while it is being resolved. */
  untilMs: number;
}

/** The system's resolver, hosts file included. */
export const systemLookup: Lookup = async (name) =>
  (await dns.lookup(name, { all: true })).map(({ address }) => address);

export class Names {
  readonly #lookup: Lookup;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(lookup: Lookup, clock: Clock) {
    this.#lookup = lookup;
    this.#clock = clock;
  }

  /** Addresses in canonical spelling; none when the name does not resolve. @throws Cancelled */
  async resolve(name: string, signal: AbortSignal): Promise<readonly string[]> {
    throwIfAborted(signal);
    const known = this.#entries.get(name);
    const isFresh = known !== undefined && known.untilMs > this.#clock.monotonicMs();
    return orCancelled(isFresh ? known.addresses : this.#ask(name), signal);
  }

  #ask(name: string): Promise<readonly string[]> {
    const entry: Entry = {
      untilMs: Number.POSITIVE_INFINITY,
      addresses: this.#inTurn(name).then((addresses) => {
        entry.untilMs = this.#clock.monotonicMs() + (addresses.length > 0 ? KEPT_MS : FAILURE_KEPT_MS);
        return addresses;
      }),
    };
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > MAX_NAMES && oldest !== undefined) this.#entries.delete(oldest);
    return entry.addresses;
  }

  async #inTurn(name: string): Promise<readonly string[]> {
    if (this.#running >= MAX_AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
    try {
      return (await this.#lookup(name)).slice(0, MAX_ADDRESSES).map(canonicalIp);
    } catch {
      return []; // why a name has no address makes no difference to anybody here
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }
}

/** The canonical spelling; what cannot be parsed (a zone id) stays as it is, and is judged as special. */
export function canonicalIp(text: string): string {
  try {
    return formatIp(parseIp(text));
  } catch (error) {
    if (error instanceof InvalidInput) return text;
    throw error;
  }
}
