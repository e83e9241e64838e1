/**
 * What the engine needs from the outside. The core names no transport, no disk, no timer and no hash library:
 * Node, the browser worker and the simulator each hand in their own.
 */
import type { PeerAddress } from '../base/address.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { MseCrypto } from '../codec/mse.ts';

export type { MseCrypto, PeerAddress };

/** How a peer is connected; `memory` is for tests. */
export type TransportKind = 'tcp' | 'utp' | 'webrtc' | 'memory';

/** Callbacks of one connection. Each may be called until `closed`, which comes exactly once and last. */
export interface PeerSocketListener {
  /** Received bytes in any chunking. The view is only valid during the call: the transport reuses its buffer. */
  received(bytes: Uint8Array): void;
  /** After `write` returned false: the backlog is small again. */
  drained(): void;
  /** Nothing comes any more; `cause` is undefined where it was closed in good order, by either end. */
  closed(cause: Error | undefined): void;
}

/** An open, ordered, reliable byte stream to one peer. Message borders mean nothing. */
export interface PeerSocket {
  readonly transport: TransportKind;
  /** Undefined where the address is hidden or meaningless (WebRTC behind mDNS). */
  readonly remote: PeerAddress | undefined;
  /** Sets the one listener; nothing is delivered before. Called again, from within `received` too, it hands the rest of the stream over. */
  listen(listener: PeerSocketListener): void;
  /**
   * Queues bytes. The socket owns the buffer until it calls `released` (sent or dropped), which lets buffers be pooled;
   * with `released` given it may also change the bytes (encrypt them in place).
   * Returns false when the backlog is high: write nothing costly until `drained`.
   */
  write(bytes: Uint8Array, released?: () => void): boolean;
  /** Back-pressure on receiving. */
  pause(): void;
  resume(): void;
  /** Idempotent; `closed` follows. */
  close(): void;
}

/** Opens outgoing connections. */
export interface Dialer {
  readonly transport: TransportKind;
  /** @throws AppError when refused, timed out or aborted. */
  dial(address: PeerAddress, signal: AbortSignal): Promise<PeerSocket>;
}

/**
 * The bytes of one torrent, as one flat space of `totalBytes` (files one after the other, pad files included).
 * The engine writes whole verified pieces only, and reads only what it holds.
 */
export interface PieceStorage {
  /** Fills the views, one after the other, from `position` on. @throws StorageFailed when the bytes are not there. */
  read(views: readonly Uint8Array[], position: number): Promise<void>;
  /** Takes verified bytes. The buffer is the caller's again when the promise settles. @throws NoSpace, StorageFailed. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Makes what was written survive a power cut; called before progress is recorded. */
  sync(): Promise<void>;
  /**
   * Called before everything is looked at again: reads that come are of what lies there by then, be it gone or another
   * file. Absent where nothing is kept open. @throws StorageFailed
   */
  reopen?(): Promise<void>;
  /**
   * These pieces are not held any more: given up, or found to be wrong. Whoever keeps a record takes them out before this
   * returns, and may free their room. Absent where neither is. @throws StorageFailed
   */
  forget?(pieces: readonly number[]): void;
  /** Called once, by the torrent that stops; nothing is asked of it any more. */
  close(): Promise<void>;
}

/** Hashing off the calling thread. Buffers stay untouched until the promise settles. */
export interface Hasher {
  /** 20 bytes. */
  sha1(bytes: Uint8Array): Promise<Uint8Array>;
  /** 32 bytes. */
  sha256(bytes: Uint8Array): Promise<Uint8Array>;
}

/** An HTTP source of the torrent's bytes (BEP 19), addressed in its flat byte space, padding included. */
export interface RangeSource {
  /** For people and logs; without credentials. */
  readonly label: string;
  /** Tells two sources apart where the label does not, as the query of a signed URL does; never shown. Default: the label. */
  readonly identity?: string;
  /** Streams exactly [start, endExclusive). @throws AppError on refusal, short or long answers, abort. */
  fetch(start: number, endExclusive: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** Everything platform-specific that an engine uses. */
export interface EnginePorts {
  readonly clock: Clock;
  readonly hasher: Hasher;
  readonly log: Log;
  /** Uniform in [0, 1); seeded in simulations. */
  readonly random: () => number;
  /** Tried in order for an address; may be empty (browser). */
  readonly dialers: readonly Dialer[];
  /** Arithmetic of encrypted handshakes; absent (browser), streams are as the transport makes them. */
  readonly mse?: MseCrypto;
}
