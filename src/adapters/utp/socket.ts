/**
 * One uTP connection in the engine's shape. The library cannot be told to stop reading, so what arrives while paused is
 * kept here, within a bound; it drops write callbacks when a connection ends, so outstanding buffers are released here.
 * Every `released` is called exactly once, and `closed` comes exactly once and last.
 */
import type Utp from 'utp-native';
import { ProtocolError, Unavailable } from '../../base/errors.ts';
import { KIB, MIB } from '../../base/units.ts';
import type { PeerAddress, PeerSocket, PeerSocketListener } from '../../torrent/ports.ts';

/** Bytes queued before `write` asks the engine to wait, and below which it may go on. */
const HIGH_WATER_BYTES = MIB;
const LOW_WATER_BYTES = 256 * KIB;
/** An honest peer sends what was asked for, and that is less. */
const MAX_HELD_BYTES = 16 * MIB;

export class UtpPeerSocket implements PeerSocket {
  readonly transport = 'utp';
  readonly remote: PeerAddress;
  readonly #connection: Utp.Connection;
  /** Of writes that the library has not finished. */
  readonly #releases = new Set<() => void>();
  #listener: PeerSocketListener | undefined;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #queuedBytes = 0;
  #owesDrain = false;
  #isPaused = false;
  #isClosedByUs = false;
  #isOver = false;
  #cause: Error | undefined;

  /** `connection` is open. */
  constructor(connection: Utp.Connection) {
    this.#connection = connection;
    this.remote = { host: connection.remoteAddress, port: connection.remotePort };
    connection.on('data', (bytes) => this.#receive(bytes));
    connection.on('error', (error) => (this.#cause ??= broken(error)));
    connection.on('close', () => this.#finish());
  }

  listen(listener: PeerSocketListener): void {
    this.#listener = listener;
    if (!this.#isPaused) this.#deliverHeld();
    if (this.#isOver) queueMicrotask(() => listener.closed(this.#cause));
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    if (this.#isOver || this.#isClosedByUs) {
      released?.();
      return false;
    }
    const sizeBytes = bytes.length;
    const done = (): void => {
      if (!this.#releases.delete(done)) return;
      released?.();
      this.#queuedBytes -= sizeBytes;
      this.#drain();
    };
    this.#releases.add(done);
    this.#queuedBytes += sizeBytes;
    this.#connection.write(bytes, done);
    this.#owesDrain ||= this.#queuedBytes > HIGH_WATER_BYTES;
    return !this.#owesDrain;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#deliverHeld();
  }

  close(): void {
    if (this.#isClosedByUs) return;
    this.#isClosedByUs = true;
    this.#connection.destroy();
  }

  #receive(bytes: Uint8Array): void {
    if (this.#isClosedByUs) return;
    if (!this.#isPaused && this.#listener !== undefined && this.#held.length === 0) {
      this.#listener.received(bytes);
      return;
    }
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes <= MAX_HELD_BYTES) return;
    this.#cause ??= new ProtocolError('the peer sent more than it was asked for', { heldBytes: this.#heldBytes });
    this.close();
  }

  #deliverHeld(): void {
    while (!this.#isPaused && !this.#isClosedByUs && this.#listener !== undefined) {
      const bytes = this.#held.shift();
      if (bytes === undefined) return;
      this.#heldBytes -= bytes.length;
      this.#listener.received(bytes);
    }
  }

  #drain(): void {
    if (!this.#owesDrain || this.#queuedBytes > LOW_WATER_BYTES || this.#isOver || this.#isClosedByUs) return;
    this.#owesDrain = false;
    this.#listener?.drained();
  }

  #finish(): void {
    this.#isOver = true;
    for (const release of this.#releases) release();
    this.#listener?.closed(this.#cause);
  }
}

function broken(error: Error & { readonly code?: string }): Unavailable {
  return new Unavailable('the connection broke', { reason: error.code ?? error.name }, { cause: error });
}
