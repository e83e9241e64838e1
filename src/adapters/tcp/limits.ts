/**
 * How many TCP connections there may be: in all, per remote address, and still being opened. One instance is shared by
 * the dialer and the listener, so that neither can starve the process of descriptors. Pure bookkeeping, no I/O.
 */
import { householdOf } from '../../base/address.ts';
import { scopeOf } from '../../base/address-scope.ts';
import { Cancelled, Unavailable } from '../../base/errors.ts';

export interface ConnectionLimitsOptions {
  /** Open and half-open connections together. */
  readonly maxConnections: number;
  /** Connections to and from one IPv4 address or one IPv6 /64; loopback, where a tunnel may end, is not counted. */
  readonly maxPerAddress: number;
  /** Outgoing connections whose handshake is not done. */
  readonly maxHalfOpen: number;
  /** Dials that may wait for a half-open slot before further ones are refused. */
  readonly maxWaiting: number;
}

/** For a server with 1,024 descriptors to spend. */
export const DEFAULT_LIMITS: ConnectionLimitsOptions = {
  maxConnections: 512,
  maxPerAddress: 8,
  maxHalfOpen: 32,
  maxWaiting: 512,
};

/** Gives a slot back; harmless when called twice. */
export type Release = () => void;

/** `fe80::1%eth0` → `fe80::1`. */
export function withoutZone(host: string): string {
  return host.split('%', 1).join('');
}

interface Waiter {
  readonly grant: () => void;
}

export class ConnectionLimits {
  readonly #options: ConnectionLimitsOptions;
  readonly #perAddress = new Map<string, number>();
  readonly #waiting = new Set<Waiter>();
  #connections = 0;
  #halfOpen = 0;

  constructor(options: Partial<ConnectionLimitsOptions> = {}) {
    this.#options = { ...DEFAULT_LIMITS, ...options };
  }

  /** Connections that hold a slot now. */
  get connections(): number {
    return this.#connections;
  }

  /** Takes a slot for a connection with `host`, an IP literal. Undefined when there is none. @throws InvalidInput for a name. */
  admit(host: string): Release | undefined {
    const plainHost = withoutZone(host);
    const key = householdOf(plainHost);
    const isFull = this.#connections >= this.#options.maxConnections;
    if (isFull || (this.#perAddress.get(key) ?? 0) >= this.#options.maxPerAddress) return undefined;
    const counted = scopeOf(plainHost) === 'loopback' ? 0 : 1;
    this.#connections++;
    this.#count(key, counted);
    return once(() => {
      this.#connections--;
      this.#count(key, -counted);
    });
  }

  #count(key: string, by: number): void {
    const count = (this.#perAddress.get(key) ?? 0) + by;
    if (count > 0) this.#perAddress.set(key, count);
    else this.#perAddress.delete(key);
  }

  /** Waits, first come first served, for the right to open one more connection. @throws Unavailable, Cancelled */
  async halfOpenSlot(signal: AbortSignal): Promise<Release> {
    if (this.#halfOpen < this.#options.maxHalfOpen) this.#halfOpen++;
    else await this.#wait(signal);
    return once(() => {
      const [next] = this.#waiting;
      if (next === undefined) this.#halfOpen--;
      else next.grant(); // the slot passes on, the count stays
    });
  }

  #wait(signal: AbortSignal): Promise<void> {
    if (this.#waiting.size >= this.#options.maxWaiting)
      return Promise.reject(new Unavailable('too many connections are being opened', { waiting: this.#waiting.size }));
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(waiter);
        signal.removeEventListener('abort', abort);
      };
      const abort = (): void => {
        leave();
        reject(new Cancelled('cancelled while waiting to connect', {}, { cause: signal.reason }));
      };
      const waiter: Waiter = {
        grant: () => {
          leave();
          resolve();
        },
      };
      this.#waiting.add(waiter);
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { once: true });
    });
  }
}

function once(task: () => void): Release {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    task();
  };
}
