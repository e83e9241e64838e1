/** Addresses where only a plain handshake worked. Invariant: a bounded number is remembered, the latest ones. */
import type { PeerAddress } from '../ports.ts';
import { addressKey } from './peer-exchange.ts';

/** The oldest goes when there are more. */
export const MAX_PLAIN_ADDRESSES = 2_000;

export class PlainAddresses {
  readonly #keys = new Set<string>();

  /** Whether it is to be greeted in plain. */
  has(address: PeerAddress): boolean {
    return this.#keys.has(addressKey(address));
  }

  /** A plain handshake worked, or is all that may work. */
  add(address: PeerAddress): void {
    const key = addressKey(address);
    this.#keys.delete(key);
    this.#keys.add(key);
    const oldest = this.#keys.keys().next();
    if (this.#keys.size > MAX_PLAIN_ADDRESSES && !oldest.done) this.#keys.delete(oldest.value);
  }

  /** A plain one did not work either. */
  delete(address: PeerAddress): void {
    this.#keys.delete(addressKey(address));
  }
}
