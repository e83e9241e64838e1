/**
 * A peer's socket behind RC4, once an encrypted handshake (MSE) has chosen it. Invariants: each byte passes its cipher
 * once and in stream order; received bytes are decrypted into a buffer of ours, never in the transport's; a buffer given
 * with `released` is the socket's own and is encrypted in place, any other is copied.
 */
import { KIB } from '../../base/units.ts';
import type { MseCiphers } from '../../codec/mse.ts';
import type { PeerAddress, PeerSocket, PeerSocketListener, TransportKind } from '../ports.ts';

const SCRATCH_BYTES = 64 * KIB;
/** Views handed out are valid during the call only, so one buffer serves all sockets; one more for each nested call. */
const scratches: Uint8Array[] = [];

export class EncryptedSocket implements PeerSocket {
  readonly #socket: PeerSocket;
  readonly #ciphers: MseCiphers;

  /** `socket` is at the first encrypted byte both ways. */
  constructor(socket: PeerSocket, ciphers: MseCiphers) {
    this.#socket = socket;
    this.#ciphers = ciphers;
  }

  get transport(): TransportKind {
    return this.#socket.transport;
  }

  get remote(): PeerAddress | undefined {
    return this.#socket.remote;
  }

  listen(listener: PeerSocketListener): void {
    this.#socket.listen({
      received: (bytes) => this.#receive(bytes, listener),
      drained: () => listener.drained(),
      closed: (cause) => listener.closed(cause),
    });
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    const encrypted = released === undefined ? new Uint8Array(bytes.length) : bytes;
    this.#ciphers.outgoing.apply(bytes, encrypted);
    return this.#socket.write(encrypted, released);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.close();
  }

  #receive(bytes: Uint8Array, listener: PeerSocketListener): void {
    const scratch = scratches.pop() ?? new Uint8Array(SCRATCH_BYTES);
    try {
      for (let at = 0; at < bytes.length; at += SCRATCH_BYTES) {
        const part = bytes.subarray(at, at + SCRATCH_BYTES);
        const decrypted = scratch.subarray(0, part.length);
        this.#ciphers.incoming.apply(part, decrypted);
        listener.received(decrypted);
      }
    } finally {
      scratches.push(scratch);
    }
  }
}
