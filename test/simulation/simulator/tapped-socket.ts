/** A socket with a listener in between: everything an engine writes or reads passes an audit on its way. */
import type { PeerAddress, PeerSocket, PeerSocketListener, TransportKind } from '../../../src/torrent/ports.ts';

/** Sees the bytes of one connection, in the order in which the engine wrote and read them. */
export interface Tap {
  /** Called before anything happens to the engine. */
  touched(): void;
  sent(bytes: Uint8Array): void;
  received(bytes: Uint8Array): void;
  closed(): void;
}

export class TappedSocket implements PeerSocket {
  readonly transport: TransportKind;
  readonly remote: PeerAddress | undefined;
  readonly #inner: PeerSocket;
  readonly #tap: Tap;

  constructor(inner: PeerSocket, tap: Tap) {
    this.transport = inner.transport;
    this.remote = inner.remote;
    this.#inner = inner;
    this.#tap = tap;
  }

  listen(listener: PeerSocketListener): void {
    const tap = this.#tap;
    this.#inner.listen({
      received: (bytes) => {
        tap.touched();
        tap.received(bytes);
        listener.received(bytes);
      },
      drained: () => {
        tap.touched();
        listener.drained();
      },
      closed: (cause) => {
        tap.touched();
        tap.closed();
        listener.closed(cause);
      },
    });
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    this.#tap.sent(bytes);
    return this.#inner.write(bytes, released);
  }

  pause(): void {
    this.#inner.pause();
  }

  resume(): void {
    this.#inner.resume();
  }

  close(): void {
    this.#inner.close();
    this.#tap.closed();
  }
}
