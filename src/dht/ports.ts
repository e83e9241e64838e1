/** What a DHT node needs from the outside. */
import type { PeerAddress } from '../base/address.ts';
import type { AddressSource } from '../base/address-policy.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';

/** A bound UDP socket of one address family. */
export interface DatagramSocket {
  readonly family: 'v4' | 'v6';
  readonly address: PeerAddress;
  /** Sets the one listener. The bytes are the listener's to keep. */
  listen(received: (bytes: Uint8Array, from: PeerAddress) => void): void;
  /** Sends or loses: there is no answer. `to.host` is an IP literal. */
  send(bytes: Uint8Array, to: PeerAddress): void;
  close(): Promise<void>;
}

export interface DhtPorts {
  readonly socket: DatagramSocket;
  readonly clock: Clock;
  readonly log: Log;
  /** Which addresses may be contacted, told on, and stored. */
  readonly allowAddress: (address: PeerAddress, source: AddressSource) => boolean;
}
