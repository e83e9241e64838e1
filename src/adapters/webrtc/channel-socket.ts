/**
 * One data channel as a byte stream. Message borders carry no meaning. The native library copies what it sends, so a
 * buffer is released as soon as its last message has been handed over; it offers no back-pressure on receiving, so what
 * arrives while paused is kept here, within a bound. `closed` comes exactly once and last.
 */
import type { DataChannel } from 'node-datachannel';
import type { Clock } from '../../base/clock.ts';
import { ProtocolError, Unavailable } from '../../base/errors.ts';
import { MessageSize } from '../../base/message-size.ts';
import { MIB } from '../../base/units.ts';
import type { PeerAddress, PeerSocket, PeerSocketListener } from '../../torrent/ports.ts';
import type { Guard } from './guard.ts';

const HIGH_WATER_BYTES = 4 * MIB;
const LOW_WATER_BYTES = MIB;
/** An honest peer sends what was asked for, and that is less. */
const MAX_HELD_BYTES = 16 * MIB;

interface Outgoing {
  readonly bytes: Uint8Array;
  readonly released: (() => void) | undefined;
  sentBytes: number;
}

/** What is used of a data channel. */
export type UsedChannel = Pick<
  DataChannel,
  | 'bufferedAmount'
  | 'maxMessageSize'
  | 'onBufferedAmountLow'
  | 'onClosed'
  | 'onError'
  | 'onMessage'
  | 'sendMessageBinary'
  | 'setBufferedAmountLowThreshold'
>;

export interface ChannelSocketParts {
  readonly remote: PeerAddress | undefined;
  readonly clock: Clock;
  readonly guard: Guard;
  /** Lets go of the connection below; called once, never from within a native callback. */
  readonly release: () => void;
}

export class ChannelSocket implements PeerSocket {
  readonly transport = 'webrtc';
  readonly remote: PeerAddress | undefined;
  readonly #channel: UsedChannel;
  readonly #clock: Clock;
  readonly #messageSize: MessageSize;
  readonly #release: () => void;
  readonly #queue: Outgoing[] = [];
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #listener: PeerSocketListener | undefined;
  #paused = true;
  #full = false;
  #over = false;
  #told = false;
  #cause: Error | undefined;

  /** `channel` is open. */
  constructor(channel: UsedChannel, { remote, clock, guard, release }: ChannelSocketParts) {
    this.#channel = channel;
    this.remote = remote;
    this.#clock = clock;
    this.#messageSize = new MessageSize(clock.monotonicMs());
    this.#release = release;
    channel.setBufferedAmountLowThreshold(LOW_WATER_BYTES);
    channel.onBufferedAmountLow(guard('low', () => this.#drain()));
    channel.onClosed(guard('closed', () => this.end(undefined)));
    channel.onError(
      guard('error', (reason: string) => this.end(new Unavailable('the data channel failed', { reason }))),
    );
    channel.onMessage(guard('message', (message: string | Buffer | ArrayBuffer) => this.#receive(message)));
  }

  listen(listener: PeerSocketListener): void {
    this.#listener = listener;
    if (this.#over) this.#tellClosed();
    else this.resume();
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    if (this.#over) {
      released?.();
      return false;
    }
    this.#queue.push({ bytes, released, sentBytes: 0 });
    if (!this.#full) this.#pump();
    return !this.#full;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    while (!this.#paused && !this.#over) {
      const bytes = this.#held.shift();
      if (bytes === undefined) return;
      this.#heldBytes -= bytes.length;
      this.#listener?.received(bytes);
    }
  }

  close(): void {
    this.end(undefined);
  }

  /** The connection is over, for whatever reason; the first one counts. */
  end(cause: Error | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#cause = cause;
    this.#held = [];
    for (const outgoing of this.#queue.splice(0)) outgoing.released?.();
    this.#tellClosed();
    setImmediate(this.#release);
  }

  #tellClosed(): void {
    const listener = this.#listener;
    if (listener === undefined || this.#told) return;
    this.#told = true;
    queueMicrotask(() => listener.closed(this.#cause));
  }

  #pump(): void {
    const takenBytes = this.#channel.maxMessageSize();
    while (!this.#over) {
      const head = this.#queue[0];
      if (head === undefined) return;
      const bufferedBytes = this.#channel.bufferedAmount();
      if (bufferedBytes >= HIGH_WATER_BYTES) {
        this.#full = true; // the low-water event pumps on
        return;
      }
      const maxBytes = this.#messageSize.next(this.#clock.monotonicMs(), bufferedBytes, takenBytes);
      const end = Math.min(head.sentBytes + maxBytes, head.bytes.length);
      if (!this.#send(head.bytes.subarray(head.sentBytes, end))) return;
      this.#messageSize.sent(end - head.sentBytes);
      head.sentBytes = end;
      if (end < head.bytes.length) continue;
      this.#queue.shift();
      head.released?.();
    }
  }

  /** Returns false when the channel turned out to be gone. */
  #send(message: Uint8Array): boolean {
    if (message.length === 0) return true;
    try {
      this.#channel.sendMessageBinary(message); // false only means "buffered"
      return true;
    } catch (error) {
      this.end(new Unavailable('the data channel is gone', {}, { cause: error }));
      return false;
    }
  }

  #drain(): void {
    if (!this.#full || this.#over) return;
    this.#full = false;
    this.#pump();
    if (this.#full || this.#over) return;
    this.#listener?.drained();
  }

  #receive(message: string | Buffer | ArrayBuffer): void {
    if (this.#over) return;
    if (typeof message === 'string') {
      this.end(new ProtocolError('a text message on a byte stream'));
      return;
    }
    const bytes = message instanceof ArrayBuffer ? new Uint8Array(message) : message;
    if (!this.#paused && this.#held.length === 0) {
      this.#listener?.received(bytes);
      return;
    }
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > MAX_HELD_BYTES)
      this.end(new ProtocolError('the peer sent more than it was asked for', { heldBytes: this.#heldBytes }));
  }
}
