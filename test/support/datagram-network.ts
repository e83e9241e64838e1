/** UDP on a virtual clock: sockets at made-up addresses, one latency for all, every packet on record. */
import type { PeerAddress } from '../../src/base/address.ts';
import type { DatagramSocket } from '../../src/dht/ports.ts';
import type { FakeClock } from './fake-clock.ts';

const LATENCY_MS = 20;

export interface SentPacket {
  readonly from: PeerAddress;
  readonly to: PeerAddress;
  readonly bytes: Uint8Array;
}

type Listener = (bytes: Uint8Array, from: PeerAddress) => void;

export class DatagramNetwork {
  readonly #clock: FakeClock;
  readonly #listeners = new Map<string, Listener | undefined>();
  /** All that was sent, lost packets included. */
  readonly sent: SentPacket[] = [];

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  /** A socket at an address; `close` takes it off the network. */
  open(address: PeerAddress): DatagramSocket {
    const name = nameOf(address);
    this.#listeners.set(name, undefined);
    return {
      family: address.host.includes(':') ? 'v6' : 'v4',
      address,
      listen: (received) => void this.#listeners.set(name, received),
      send: (bytes, to) => this.send(bytes, address, to),
      close: () => Promise.resolve(void this.#listeners.delete(name)),
    };
  }

  /** Sends as anybody. */
  send(bytes: Uint8Array, from: PeerAddress, to: PeerAddress): void {
    this.sent.push({ from, to, bytes });
    this.#clock.after(LATENCY_MS, () => this.#listeners.get(nameOf(to))?.(bytes, from));
  }
}

function nameOf({ host, port }: PeerAddress): string {
  return `${host} ${port}`;
}
