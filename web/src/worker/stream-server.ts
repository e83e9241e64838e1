/**
 * Answers the service worker's streams from running torrents: one port a stream, one chunk a pull, a word at least every
 * HEARTBEAT_MS while a pull is unanswered, and a cancel that reaches the scheduler in the same turn.
 */
import type { Cancel, Clock } from '../../../src/base/clock.ts';
import { AppError, throwIfAborted } from '../../../src/base/errors.ts';
import type { ByteRange } from '../../../src/base/range.ts';
import { HEARTBEAT_MS, type StreamOffer, type StreamReply, type StreamRequest } from '../swarm/stream-protocol.ts';

/** A torrent that can be read. */
export interface Readable {
  readonly sizeBytes: number;
  /** MIME type. */
  readonly type: string;
  read(range: ByteRange): ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** Finds what a stream asks for; undefined when this browser does not have it open. May wait for metadata. */
export type FindReadable = (offer: StreamOffer, signal: AbortSignal) => Promise<Readable | undefined>;

/** More than a browser opens at once; beyond it streams come from the server. */
const MAX_STREAMS = 64;

export class StreamServer {
  readonly #find: FindReadable;
  readonly #clock: Clock;
  readonly #streams = new Set<Stream>();

  constructor(find: FindReadable, clock: Clock) {
    this.#find = find;
    this.#clock = clock;
  }

  /** Streams now open. */
  get size(): number {
    return this.#streams.size;
  }

  accept(offer: StreamOffer): void {
    if (this.#streams.size >= MAX_STREAMS) {
      offer.port.postMessage({ kind: 'unknown' } satisfies StreamReply);
      return offer.port.close();
    }
    const stream = new Stream(offer, this.#clock, () => this.#streams.delete(stream));
    this.#streams.add(stream);
    stream.open(this.#find);
  }

  closeAll(): void {
    for (const stream of this.#streams) stream.fail();
  }
}

class Stream {
  readonly #offer: StreamOffer;
  readonly #clock: Clock;
  readonly #closed: () => void;
  readonly #abort = new AbortController();
  #readable: Readable | undefined;
  #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined;
  #stopHeartbeat: Cancel | undefined;

  constructor(offer: StreamOffer, clock: Clock, closed: () => void) {
    this.#offer = offer;
    this.#clock = clock;
    this.#closed = closed;
  }

  open(find: FindReadable): void {
    this.#offer.port.addEventListener('message', ({ data }: MessageEvent<StreamRequest>) => this.#hear(data));
    this.#offer.port.start();
    this.#whileWaiting(async () => {
      const readable = await find(this.#offer, this.#abort.signal);
      throwIfAborted(this.#abort.signal);
      this.#readable = readable;
      if (readable === undefined) return this.#end({ kind: 'unknown' });
      this.#say({ kind: 'opened', sizeBytes: readable.sizeBytes, type: readable.type });
    });
  }

  fail(): void {
    this.#end({ kind: 'failed' });
  }

  #hear(request: StreamRequest): void {
    switch (request.kind) {
      case 'read':
        return this.#read(request);
      case 'pull':
        return this.#pull();
      case 'cancel':
        return this.#end();
    }
  }

  #read(range: ByteRange): void {
    if (this.#readable === undefined || this.#reader !== undefined) return this.fail();
    try {
      this.#reader = this.#readable.read(range).getReader();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.fail();
    }
  }

  #pull(): void {
    const reader = this.#reader;
    if (reader === undefined) return this.fail();
    this.#whileWaiting(async () => {
      const { value } = await reader.read();
      if (value === undefined) return this.fail();
      const bytes = value.byteLength === value.buffer.byteLength ? value.buffer : value.slice().buffer;
      this.#say({ kind: 'bytes', bytes }, [bytes]);
    });
  }

  /** Runs a step, says `waiting` meanwhile; a step that fails ends the stream. */
  #whileWaiting(step: () => Promise<void>): void {
    const beat = (): void => {
      this.#stopHeartbeat = this.#clock.after(HEARTBEAT_MS, () => {
        this.#say({ kind: 'waiting' });
        beat();
      });
    };
    beat();
    const done = step().finally(() => this.#stopHeartbeat?.());
    // Whatever the reason, the service worker goes on with the server.
    done.catch(() => this.fail());
  }

  #say(reply: StreamReply, transfer: Transferable[] = []): void {
    if (!this.#abort.signal.aborted) this.#offer.port.postMessage(reply, transfer);
  }

  #end(lastWord?: StreamReply): void {
    if (this.#abort.signal.aborted) return;
    if (lastWord !== undefined) this.#say(lastWord);
    this.#abort.abort();
    this.#stopHeartbeat?.();
    // Withdraws the reader's wishes before this turn ends; the outcome is of no interest.
    this.#reader?.cancel().catch(() => undefined);
    this.#offer.port.close();
    this.#closed();
  }
}
