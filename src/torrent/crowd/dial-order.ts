/**
 * In which order transports are tried for an address. A connection that opens and ends before its handshake tells of a door
 * that nobody stands behind: next time that transport comes last, so that a peer whose TCP port is shut in this way is
 * reached over uTP. Invariant: a bounded number of addresses is remembered, the latest ones.
 */
import type { Dialer, PeerAddress, TransportKind } from '../ports.ts';
import { addressKey } from './peer-exchange.ts';

const MAX_ADDRESSES = 2_000;

export class DialOrder {
  /** Over which transport the last connection to an address came to nothing. */
  readonly #fruitless = new Map<string, TransportKind>();

  /** Addresses remembered. */
  get size(): number {
    return this.#fruitless.size;
  }

  /** The connection ended before its handshake. */
  cameToNothing(address: PeerAddress, transport: TransportKind): void {
    const key = addressKey(address);
    this.#fruitless.delete(key);
    this.#fruitless.set(key, transport);
    const oldest = this.#fruitless.keys().next();
    if (this.#fruitless.size > MAX_ADDRESSES && !oldest.done) this.#fruitless.delete(oldest.value);
  }

  /** Both handshakes were made. */
  greeted(address: PeerAddress, transport: TransportKind): void {
    const key = addressKey(address);
    if (this.#fruitless.get(key) === transport) this.#fruitless.delete(key);
  }

  /** The dialers as given, but for the transport that came to nothing last time, which is last. */
  of(dialers: readonly Dialer[], address: PeerAddress): readonly Dialer[] {
    const fruitless = this.#fruitless.get(addressKey(address));
    if (fruitless === undefined) return dialers;
    return dialers.toSorted((a, b) => Number(a.transport === fruitless) - Number(b.transport === fruitless));
  }
}
