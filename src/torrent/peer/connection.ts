/**
 * One peer connection as a stream of wire messages. It starts with the handshake; what follows is held back (bounded)
 * until somebody takes the connection over. Invariants: nothing but our handshake leaves before the peer's has come,
 * small messages of one turn leave in one write, and `closed` reaches the owner exactly once.
 */
import { concatBytes } from '../../base/bytes.ts';
import { AppError, ProtocolError } from '../../base/errors.ts';
import { MIB } from '../../base/units.ts';
import { HANDSHAKE_BYTES, type Handshake } from '../../codec/handshake.ts';
import { WireReader, type PeerMessage, type WireListener } from '../../codec/wire.ts';
import type { PeerAddress, PeerSocket, PeerSocketListener, TransportKind } from '../ports.ts';

/** Bytes a peer may send ahead while its torrent is being woken. */
const MAX_HELD_BYTES = MIB;

/** Small messages queued for a peer that does not read; more of them and it is closed. */
const MAX_BACKLOG_BYTES = 4 * MIB;

/** Whoever owns the connection after the handshake. */
export interface ConnectionOwner extends Omit<WireListener, 'handshake' | 'request'> {
  /** The peer asks for a block. */
  requested(piece: number, offsetBytes: number, lengthBytes: number): void;
  /** One received chunk has been read completely: the moment to send what it called for. */
  turn(): void;
  /** The socket's backlog is small again. */
  drained(): void;
  /** Comes once; `cause` is undefined for a normal end. */
  closed(cause: Error | undefined): void;
}

/** Told about the handshake before anybody owns the connection. */
export interface HandshakeListener {
  handshake(handshake: Handshake): void;
  closed(cause: Error | undefined): void;
}

export class Connection implements PeerSocketListener {
  readonly #socket: PeerSocket;
  readonly #reader: WireReader;
  readonly #greeter: HandshakeListener;
  #owner: ConnectionOwner | undefined;
  #handshakeBytes = 0;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #outbox: Uint8Array[] = [];
  #isBacklogged = false;
  #backlogBytes = 0;
  #isHeld = false;
  #isClosed = false;

  constructor(socket: PeerSocket, greeter: HandshakeListener) {
    this.#socket = socket;
    this.#greeter = greeter;
    this.#reader = new WireReader({
      handshake: (handshake) => this.#greeter.handshake(handshake),
      message: (message: PeerMessage) => this.#owner?.message(message),
      request: (piece, offsetBytes, lengthBytes) => this.#owner?.requested(piece, offsetBytes, lengthBytes),
      blockStart: (piece, offsetBytes, lengthBytes) => this.#owner?.blockStart(piece, offsetBytes, lengthBytes),
      blockBytes: (bytes, isLast) => this.#owner?.blockBytes(bytes, isLast),
    });
  }

  /** Reads what has come already, then listens to the socket. */
  start(early: Uint8Array = new Uint8Array(0)): void {
    if (early.length > 0) this.received(early);
    this.#socket.listen(this);
  }

  get transport(): TransportKind {
    return this.#socket.transport;
  }

  get remote(): PeerAddress | undefined {
    return this.#socket.remote;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Longest bitfield accepted from now on, in bytes. */
  limitBitfield(maxBytes: number): void {
    this.#reader.maxBitfieldBytes = maxBytes;
  }

  /** Takes the connection over; what was held back is delivered before this returns. */
  own(owner: ConnectionOwner): void {
    this.#owner = owner;
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    for (const bytes of held) this.#feed(bytes);
    if (!this.#isClosed && !this.#isHeld) this.#socket.resume();
  }

  /** Reads no more of it until `release`; what is on its way waits in the network. */
  hold(): void {
    this.#isHeld = true;
    if (!this.#isClosed) this.#socket.pause();
  }

  release(): void {
    this.#isHeld = false;
    if (!this.#isClosed && this.#owner !== undefined) this.#socket.resume();
  }

  /** Queues a small message; all of one turn leave together. */
  send(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#outbox.push(bytes);
    if (this.#outbox.length === 1) queueMicrotask(() => this.#flush());
  }

  /** Writes a large buffer, behind what was queued. Returns false when `drained` has to be awaited. */
  write(bytes: Uint8Array, released: () => void): boolean {
    this.#flush();
    if (this.#isClosed) {
      released();
      return true;
    }
    const hasRoom = this.#socket.write(bytes, released);
    this.#isBacklogged = !hasRoom;
    return hasRoom;
  }

  /** Idempotent; the owner (or greeter) hears `closed` before this returns. */
  close(cause?: Error): void {
    if (this.#isClosed) return;
    this.#flush();
    this.#end(cause);
    this.#socket.close();
  }

  received(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    if (this.#handshakeBytes === HANDSHAKE_BYTES) this.#take(bytes);
    else this.#greet(bytes);
  }

  drained(): void {
    this.#isBacklogged = false;
    this.#backlogBytes = 0;
    this.#owner?.drained();
  }

  closed(cause: Error | undefined): void {
    this.#end(cause);
  }

  #greet(bytes: Uint8Array): void {
    const part = bytes.subarray(0, HANDSHAKE_BYTES - this.#handshakeBytes);
    this.#handshakeBytes += part.length;
    this.#read(part);
    if (!this.#isClosed && part.length < bytes.length) this.#take(bytes.subarray(part.length));
  }

  #take(bytes: Uint8Array): void {
    if (this.#owner === undefined) this.#hold(bytes);
    else this.#feed(bytes);
  }

  #hold(bytes: Uint8Array): void {
    this.#socket.pause();
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > MAX_HELD_BYTES) this.close(new ProtocolError('too much sent ahead of the handshake'));
    else this.#held.push(bytes.slice());
  }

  #feed(bytes: Uint8Array): void {
    this.#read(bytes);
    if (!this.#isClosed) this.#owner?.turn();
  }

  #read(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    try {
      this.#reader.feed(bytes);
    } catch (error) {
      // Only typed errors speak about the peer; anything else is a fault of ours and must not be hidden.
      if (!(error instanceof AppError)) throw error;
      this.close(error);
    }
  }

  #flush(): void {
    const [first, ...rest] = this.#outbox;
    if (first === undefined || this.#isClosed) return;
    this.#outbox = [];
    const bytes = rest.length === 0 ? first : concatBytes([first, ...rest]);
    if (this.#isBacklogged) this.#backlogBytes += bytes.length;
    if (this.#backlogBytes > MAX_BACKLOG_BYTES) this.close(new ProtocolError('the peer does not read'));
    else if (!this.#socket.write(bytes)) this.#isBacklogged = true;
  }

  #end(cause: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#outbox = [];
    this.#held = [];
    const owner = this.#owner;
    this.#owner = undefined;
    if (owner === undefined) this.#greeter.closed(cause);
    else owner.closed(cause);
  }
}
