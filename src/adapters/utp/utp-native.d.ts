/** The parts of utp-native 2.5.3 (which has no types) that are used here. Addresses are IPv4 literals. */
declare module 'utp-native' {
  import type { EventEmitter } from 'node:events';
  import type { Duplex } from 'node:stream';

  namespace Utp {
    /** Reading cannot be slowed: every packet is pushed as it comes. */
    interface Connection extends Duplex {
      readonly remoteAddress: string;
      readonly remotePort: number;
      /** Dialled: the peer answered. Accepted: its first bytes are here; nothing can be written before. */
      on(event: 'connect' | 'close' | 'end', listener: () => void): this;
      on(event: 'data', listener: (bytes: Buffer) => void): this;
      on(event: 'error', listener: (error: Error & { readonly code?: string }) => void): this;
      on(event: string, listener: (...values: never[]) => void): this;
    }
  }

  /** One UDP socket. */
  class Utp extends EventEmitter {
    constructor(options?: { readonly allowHalfOpen?: boolean });
    readonly connections: readonly Utp.Connection[];
    /** Above so many, new ones are ignored; 0 = no limit. */
    maxConnections: number;
    on(event: 'connection', listener: (connection: Utp.Connection) => void): this;
    on(event: 'listening' | 'close', listener: () => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
    /** Failures come as `error`, in a later turn. */
    bind(port: number, host: string): void;
    /** True ignores whoever dials us. */
    firewall(isClosed: boolean): void;
    connect(port: number, host: string): Utp.Connection;
    /** @throws Error when it is not bound, or closing. */
    address(): { readonly address: string; readonly port: number };
    /** `closed` is called when every connection is gone, which takes half a minute where a peer is dead. */
    close(closed: () => void): void;
    unref(): void;
  }

  export = Utp;
}
