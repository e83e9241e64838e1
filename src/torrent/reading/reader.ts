/**
 * A reader of verified bytes as a web stream. It pulls, so a slow consumer holds only its window and one chunk; its
 * window moves with its position; cancelling it (or its signal) withdraws its wishes at once.
 */
import { Cancelled, InvalidInput, StorageFailed, throwIfAborted } from '../../base/errors.ts';
import { checkKeys, checkSignal, type OptionKeys } from '../../base/options.ts';
import type { ByteRange } from '../../base/range.ts';
import { KIB } from '../../base/units.ts';
import type { PieceStore } from '../pieces/piece-store.ts';
import { readingWindow, type WantedSpan } from './reading-window.ts';

/** Largest chunk handed out at once. */
const CHUNK_BYTES = 256 * KIB;

/** What to read, [start, endExclusive) of the torrent's bytes, and how soon it is needed. */
export interface ReadOptions extends ByteRange {
  /** Aborting ends the stream with Cancelled and withdraws all its requests. */
  readonly signal?: AbortSignal;
  /** Average consumption (file size / duration), which sizes the windows; above 0. Left out where it is not known. */
  readonly bytesPerSecond?: number;
  /**
   * When its first byte is needed, in ms from now; default 0. The readers of a torrent are served by deadline: one that
   * needs its bytes later waits behind all that is needed sooner, but does not wait for its time where sources idle.
   */
  readonly deadlineMs?: number;
}

export interface ReaderHost {
  readonly store: PieceStore;
  nowMs(): number;
  /** The window moved by reading on; `isJump` when it appeared or vanished. */
  windowMoved(isJump: boolean): void;
  closed(reader: Reader): void;
}

const READ_KEYS: OptionKeys<ReadOptions> = {
  start: true,
  endExclusive: true,
  deadlineMs: true,
  bytesPerSecond: true,
  signal: true,
};

/** Whether it is an object with no other keys than those of `ReadOptions`. @throws InvalidInput */
export function checkReadKeys(options: unknown): void {
  checkKeys('read', options, READ_KEYS);
}

function checkReading(options: ReadOptions, totalBytes: number): void {
  checkReadKeys(options);
  checkSignal(options.signal);
  const { start, endExclusive, bytesPerSecond, deadlineMs } = options;
  const isRange = Number.isSafeInteger(start) && Number.isSafeInteger(endExclusive);
  if (!(isRange && start >= 0 && start < endExclusive && endExclusive <= totalBytes))
    throw new InvalidInput('range outside the torrent', { start, endExclusive, totalBytes });
  if (deadlineMs !== undefined && !(Number.isFinite(deadlineMs) && deadlineMs >= 0))
    throw new InvalidInput('deadlineMs is a number of ms from now, 0 or more', { deadlineMs });
  if (bytesPerSecond !== undefined && !(Number.isFinite(bytesPerSecond) && bytesPerSecond > 0))
    throw new InvalidInput('bytesPerSecond is a number above 0, or left out where it is not known', { bytesPerSecond });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new StorageFailed('reading failed', {}, { cause: error });
}

export class Reader {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #host: ReaderHost;
  readonly #options: ReadOptions;
  readonly #abort = (): void =>
    this.fail(new Cancelled('reading was cancelled', {}, { cause: this.#options.signal?.reason }));
  #position: number;
  /** When the byte at the position is needed. */
  #neededAtMs: number;
  #controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined;
  #wake: (() => void) | undefined;
  /** The consumer waits for bytes. */
  #isPulling = false;
  #isClosed = false;

  /** @throws InvalidInput for options that `ReadOptions` does not allow, Cancelled when the signal is aborted. */
  constructor(host: ReaderHost, options: ReadOptions) {
    checkReading(options, host.store.geometry.totalBytes);
    const { start, signal, deadlineMs = 0 } = options;
    throwIfAborted(signal);
    this.#host = host;
    this.#options = options;
    this.#position = start;
    this.#neededAtMs = host.nowMs() + deadlineMs;
    signal?.addEventListener('abort', this.#abort, { once: true });
    this.stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#pull().catch((error: unknown) => this.fail(asError(error))),
        cancel: () => this.#close(),
      },
      { highWaterMark: 0 },
    );
  }

  /** What it needs from here on; empty once closed. `leadMsAt` says how early the piece at a position should be asked for. */
  window(leadMsAt: (position: number) => number): WantedSpan[] {
    if (this.#isClosed) return [];
    const nowMs = this.#host.nowMs();
    return readingWindow(
      {
        nowMs,
        position: this.#position,
        endExclusive: this.#options.endExclusive,
        // One that has enough for now needs the next byte now at the soonest.
        neededAtMs: this.#isPulling ? this.#neededAtMs : Math.max(this.#neededAtMs, nowMs),
        sequentialBytes: this.#position - this.#options.start,
        bytesPerSecond: this.#options.bytesPerSecond,
        leadMs: leadMsAt(this.#position),
      },
      this.#host.store,
    );
  }

  /** Whether a piece of its range is not readable yet. */
  lacksAny(): boolean {
    const { geometry } = this.#host.store;
    const last = geometry.pieceAt(this.#options.endExclusive - 1);
    for (let piece = geometry.pieceAt(this.#position); piece <= last; piece++)
      if (!this.#host.store.isReadable(piece)) return true;
    return false;
  }

  /** Whether it has yet to read from the piece. */
  needs(piece: number): boolean {
    const { geometry } = this.#host.store;
    return (
      !this.#isClosed &&
      piece >= geometry.pieceAt(this.#position) &&
      piece <= geometry.pieceAt(this.#options.endExclusive - 1)
    );
  }

  /** More of some piece became readable. */
  pieceReadable(piece: number): void {
    if (this.#host.store.geometry.pieceAt(this.#position) === piece) this.#wake?.();
  }

  /** Ends the stream with an error. */
  fail(error: Error): void {
    if (this.#isClosed) return;
    this.#controller?.error(error);
    this.#close();
  }

  async #pull(): Promise<void> {
    const { store } = this.#host;
    this.#isPulling = true;
    this.#neededAtMs = Math.max(this.#neededAtMs, this.#host.nowMs());
    while (!this.#isClosed && store.readableUntil(this.#position) === this.#position)
      await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#wake = undefined;
    if (this.#isClosed) return;
    const readableEnd = store.readableUntil(this.#position);
    const end = Math.min(readableEnd, this.#options.endExclusive, this.#position + CHUNK_BYTES);
    const chunk = await store.read(this.#position, end - this.#position);
    if (this.#isClosed) return;
    this.#isPulling = false;
    this.#advance(end);
    this.#controller?.enqueue(chunk);
    if (end === this.#options.endExclusive) this.#finish();
  }

  #advance(position: number): void {
    const { geometry } = this.#host.store;
    const hasCrossed = geometry.pieceAt(position) !== geometry.pieceAt(this.#position);
    this.#position = position;
    if (hasCrossed) this.#host.windowMoved(false);
  }

  #finish(): void {
    this.#controller?.close();
    this.#close();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#wake?.();
    this.#host.closed(this);
  }
}
