/**
 * What happens on a socket before its BitTorrent handshake: is the stream encrypted (MSE), and how does it go on? When
 * that is settled the socket's bytes go straight to whoever is told; in plain, nothing of this stays in their way.
 * Invariant: exactly one of `opened` and `closed` is called, once.
 */
import { concatBytes } from '../../base/bytes.ts';
import { AppError, ProtocolError } from '../../base/errors.ts';
import type { SwarmKey } from '../../base/ids.ts';
import { PROTOCOL_HEADER } from '../../codec/handshake.ts';
import { MseInitiator, MseResponder, type MseInitiatorOptions, type MseStream } from '../../codec/mse-handshake.ts';
import type { MseCrypto, MseMethod } from '../../codec/mse.ts';
import type { PeerSocket, PeerSocketListener } from '../ports.ts';
import { EncryptedSocket } from './encrypted-socket.ts';

/**
 * `prefer`: outgoing connections try the encrypted handshake first and plain next, incoming ones may be either.
 * `require`: only streams that stay encrypted. `off`: only plain ones.
 */
export type EncryptionPolicy = (typeof ENCRYPTION_POLICIES)[number];
/** All policies, for settings and command lines. */
export const ENCRYPTION_POLICIES = ['prefer', 'require', 'off'] as const;

/** A stream that is at its first BitTorrent byte. */
export interface OpenedStream {
  readonly socket: PeerSocket;
  /** Bytes of the stream that have come already; valid during the call. */
  readonly early: Uint8Array;
  /** The swarm an encrypted handshake named. */
  readonly swarmKey: SwarmKey | undefined;
}

export interface OpeningListener {
  /** Whoever takes the stream reads `early` and then listens to the socket, before this returns. */
  opened(stream: OpenedStream): void;
  closed(cause: Error | undefined): void;
}

/** What a responder finds swarms by. */
export interface IncomingListener extends OpeningListener {
  /** The running swarm of an obfuscated key (H('req2'‖key)). Undefined = not running: answer by `found`, or close. */
  find(obfuscatedKey: Uint8Array): SwarmKey | undefined;
}

export interface OpeningOptions {
  readonly crypto: MseCrypto;
  /** Neither a plain handshake nor a plain stream behind an encrypted one will do. */
  readonly requiresEncryption: boolean;
}

/** The two kinds of opening share how they end. */
abstract class Opening implements PeerSocketListener {
  protected readonly socket: PeerSocket;
  readonly #listener: OpeningListener;
  #isOver = false;

  constructor(socket: PeerSocket, listener: OpeningListener) {
    this.socket = socket;
    this.#listener = listener;
  }

  /** Listens to the socket from now on. */
  abstract start(): void;

  protected abstract eat(bytes: Uint8Array): void;

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Idempotent; the listener hears `closed` before this returns. */
  close(cause?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.socket.close();
    this.#listener.closed(cause);
  }

  received(bytes: Uint8Array): void {
    this.attempt(() => this.eat(bytes));
  }

  drained(): void {
    // A handshake is far below any backlog; what follows it waits for its own `drained`.
  }

  closed(cause: Error | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listener.closed(cause);
  }

  /** Typed errors speak about the peer and close it; anything else is a fault of ours and must not be hidden. */
  protected attempt(step: () => void): void {
    if (this.#isOver) return;
    try {
      step();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.close(error);
    }
  }

  protected openPlain(early: Uint8Array): void {
    this.#isOver = true;
    this.#listener.opened({ socket: this.socket, early, swarmKey: undefined });
  }

  protected openEncrypted({ ciphers, early, swarmKey }: MseStream): void {
    this.#isOver = true;
    const socket = ciphers === undefined ? this.socket : new EncryptedSocket(this.socket, ciphers);
    this.#listener.opened({ socket, early, swarmKey });
  }
}

/** We accepted the connection: its first bytes tell plain from encrypted. */
export class IncomingOpening extends Opening {
  readonly #refusesPlain: boolean;
  readonly #responder: MseResponder;
  /** How many bytes so far are those of a plain handshake; undefined once the stream is known to be encrypted. */
  #plainBytes: number | undefined = 0;

  constructor(socket: PeerSocket, { crypto, requiresEncryption }: OpeningOptions, listener: IncomingListener) {
    super(socket, listener);
    this.#refusesPlain = requiresEncryption;
    this.#responder = new MseResponder(
      { crypto, accepts: methodsWhen(requiresEncryption) },
      {
        send: (bytes) => socket.write(bytes),
        opened: (stream) => this.openEncrypted(stream),
        find: (obfuscatedKey) => {
          const key = listener.find(obfuscatedKey);
          if (key === undefined) socket.pause();
          return key;
        },
      },
    );
  }

  override start(): void {
    this.socket.listen(this);
  }

  /** Goes on with the swarm that was asked for. */
  found(key: SwarmKey): void {
    if (this.isOver) return;
    this.socket.resume();
    this.attempt(() => this.#responder.found(key));
  }

  protected override eat(bytes: Uint8Array): void {
    const before = this.#plainBytes;
    if (before === undefined) {
      this.#responder.feed(bytes);
      return;
    }
    const plainBytes = before + sharedLength(bytes, PROTOCOL_HEADER.subarray(before));
    const sent = before === 0 ? bytes : concatBytes([PROTOCOL_HEADER.subarray(0, before), bytes]);
    if (plainBytes === PROTOCOL_HEADER.length) this.#takePlain(sent);
    else if (plainBytes === before + bytes.length) this.#plainBytes = plainBytes;
    else {
      this.#plainBytes = undefined;
      this.#responder.feed(sent);
    }
  }

  #takePlain(early: Uint8Array): void {
    if (this.#refusesPlain) throw new ProtocolError('only encrypted connections are taken');
    this.openPlain(early);
  }
}

/** How many bytes at the start are the same. */
function sharedLength(bytes: Uint8Array, other: Uint8Array): number {
  let length = 0;
  while (length < other.length && bytes[length] === other[length]) length++;
  return length;
}

/** What may follow the handshake: plain first, because RC4 in JavaScript halves the throughput and protects nothing. */
function methodsWhen(requiresEncryption: boolean): readonly MseMethod[] {
  return requiresEncryption ? ['rc4'] : ['plain', 'rc4'];
}

/** We dialled and open with an encrypted handshake. */
export class OutgoingOpening extends Opening {
  readonly #initiator: MseInitiator;

  constructor(
    socket: PeerSocket,
    /** `initialPayload` is our BitTorrent handshake. */
    options: OpeningOptions & Pick<MseInitiatorOptions, 'swarmKey' | 'initialPayload'>,
    listener: OpeningListener,
  ) {
    super(socket, listener);
    this.#initiator = new MseInitiator(
      { ...options, offers: methodsWhen(options.requiresEncryption) },
      { send: (bytes) => socket.write(bytes), opened: (stream) => this.openEncrypted(stream) },
    );
  }

  override start(): void {
    this.socket.listen(this);
    this.#initiator.start();
  }

  protected override eat(bytes: Uint8Array): void {
    this.#initiator.feed(bytes);
  }
}
