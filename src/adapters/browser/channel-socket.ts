/**
 * A peer connection over one WebRTC data channel. Keeps three promises that channels do not: bytes written before the
 * channel is open leave in order when it opens, bytes received before anybody listens or while paused are kept, and
 * both backlogs are bounded. Message borders mean nothing.
 */
import { onArrayBuffer } from '../../base/bytes.ts';
import { systemClock, type Clock } from '../../base/clock.ts';
import { ProtocolError, Unavailable } from '../../base/errors.ts';
import { MessageSize, SMALL_MESSAGE_BYTES } from '../../base/message-size.ts';
import { MIB } from '../../base/units.ts';
import type { PeerSocket, PeerSocketListener } from '../../torrent/ports.ts';
import type { ByteChannel } from './byte-channel.ts';

const SEND_PAUSE_BYTES = 4 * MIB;
const SEND_RESUME_BYTES = MIB;
/** Above it `send` throws in Chromium; a writer that ignores `false` for so long is broken. */
const SEND_LIMIT_BYTES = 16 * MIB;
/** Channels cannot be held back: a peer that sends more than this while we pause breaks the request window. */
const RECEIVE_LIMIT_BYTES = 16 * MIB;

interface Outgoing {
  readonly bytes: Uint8Array;
  readonly released: (() => void) | undefined;
}

export class ChannelSocket implements PeerSocket {
  readonly transport = 'webrtc';
  readonly remote = undefined;
  readonly #channel: ByteChannel;
  readonly #ended: () => void;
  readonly #clock: Clock;
  readonly #messageSize: MessageSize;
  /** Until it is known what the other side takes. */
  #takenBytes = SMALL_MESSAGE_BYTES;
  #listener: PeerSocketListener | undefined;
  #outgoing: Outgoing[] = [];
  #outgoingBytes = 0;
  #incoming: Uint8Array[] = [];
  #incomingBytes = 0;
  #paused = false;
  #writerWaits = false;
  #closed: { readonly cause: Error | undefined } | undefined;
  #told = false;

  /** `ended` is called once, when the socket is over on either side; for whoever owns the peer connection. */
  constructor(channel: ByteChannel, ended: () => void = () => undefined, clock: Clock = systemClock) {
    this.#channel = channel;
    this.#ended = ended;
    this.#clock = clock;
    this.#messageSize = new MessageSize(clock.monotonicMs());
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = SEND_RESUME_BYTES;
    channel.addEventListener('open', () => this.#opened());
    channel.addEventListener('message', (event) => this.#message(event));
    channel.addEventListener('bufferedamountlow', () => this.#drainedIfLow());
    channel.addEventListener('close', () => this.#finish(undefined));
    channel.addEventListener('error', () => this.#finish(new Unavailable('the data channel failed')));
    if (channel.readyState === 'closing' || channel.readyState === 'closed') this.#finish(undefined);
  }

  listen(listener: PeerSocketListener): void {
    this.#listener = listener;
    // Whoever listens is still being set up: what came before, the end included, is told after this call.
    queueMicrotask(() => this.#deliver());
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    if (this.#closed !== undefined) {
      released?.();
      return false;
    }
    if (this.#backlogBytes() + bytes.length > SEND_LIMIT_BYTES) {
      released?.();
      this.#finish(new Unavailable('the peer does not take bytes as fast as they are written'));
      return false;
    }
    // Bytes can arrive before `open`, and the answer to them must wait: `send` still throws.
    if (this.#channel.readyState === 'open') this.#send({ bytes, released });
    else this.#enqueue({ bytes, released });
    this.#writerWaits = this.#backlogBytes() >= SEND_PAUSE_BYTES;
    return !this.#writerWaits;
  }

  /** The other side takes messages of so many bytes; only the page that holds the connection knows. */
  allowMessages(maxBytes: number): void {
    this.#takenBytes = maxBytes;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#deliver();
  }

  close(): void {
    this.#finish(undefined);
  }

  #backlogBytes(): number {
    return this.#outgoingBytes + this.#channel.bufferedAmount;
  }

  #enqueue(outgoing: Outgoing): void {
    this.#outgoing.push(outgoing);
    this.#outgoingBytes += outgoing.bytes.length;
  }

  #send({ bytes, released }: Outgoing): void {
    const view = onArrayBuffer(bytes);
    try {
      for (let at = 0; at < view.length;) {
        const { bufferedAmount } = this.#channel;
        const maxBytes = this.#messageSize.next(this.#clock.monotonicMs(), bufferedAmount, this.#takenBytes);
        const message = view.subarray(at, at + maxBytes);
        this.#channel.send(message);
        this.#messageSize.sent(message.length);
        at += message.length;
      }
    } catch (error) {
      this.#finish(new Unavailable('the data channel refused bytes', {}, { cause: error }));
    } finally {
      released?.();
    }
  }

  #opened(): void {
    const waiting = this.#outgoing;
    this.#outgoing = [];
    this.#outgoingBytes = 0;
    for (const outgoing of waiting) {
      if (this.#closed === undefined) this.#send(outgoing);
      else outgoing.released?.();
    }
    this.#drainedIfLow();
  }

  #drainedIfLow(): void {
    if (!this.#writerWaits || this.#backlogBytes() > SEND_RESUME_BYTES) return;
    this.#writerWaits = false;
    this.#listener?.drained();
  }

  #message(event: Event): void {
    if (this.#closed !== undefined) return;
    const received: unknown = event instanceof MessageEvent ? event.data : undefined;
    if (!(received instanceof ArrayBuffer)) return this.#finish(new ProtocolError('a peer sent text, not bytes'));
    this.#incoming.push(new Uint8Array(received));
    this.#incomingBytes += received.byteLength;
    this.#deliver();
    if (this.#incomingBytes > RECEIVE_LIMIT_BYTES)
      this.#finish(new ProtocolError('a peer sent far more than it was asked for'));
  }

  /** In order, stopping as soon as the listener pauses; `closed` last. */
  #deliver(): void {
    const listener = this.#listener;
    if (listener === undefined) return;
    while (!this.#paused && this.#incoming.length > 0) {
      const bytes = this.#incoming.shift();
      if (bytes === undefined) break;
      this.#incomingBytes -= bytes.length;
      listener.received(bytes);
    }
    if (this.#closed === undefined || this.#told) return;
    this.#told = true;
    listener.closed(this.#closed.cause);
  }

  #finish(cause: Error | undefined): void {
    if (this.#closed !== undefined) return;
    this.#closed = { cause };
    for (const { released } of this.#outgoing) released?.();
    this.#outgoing = [];
    this.#outgoingBytes = 0;
    this.#channel.close();
    this.#ended();
    // Not from inside the caller's own call: a writer does not expect to be told while it writes.
    queueMicrotask(() => this.#deliver());
  }
}
