/**
 * The readers of one torrent and what they need together. Invariant: a reader is in the set from its first byte to its
 * end, and no other.
 */
import { Reader, type ReaderHost, type ReadOptions } from './reader.ts';
import { ReadingWindow } from './reading-window.ts';

export class Readers {
  readonly #host: Pick<ReaderHost, 'store' | 'nowMs' | 'windowMoved'>;
  readonly #readers = new Set<Reader>();

  constructor(host: Pick<ReaderHost, 'store' | 'nowMs' | 'windowMoved'>) {
    this.#host = host;
  }

  get count(): number {
    return this.#readers.size;
  }

  /** @throws InvalidInput for a range outside the torrent, Cancelled when the signal is aborted. */
  open(options: ReadOptions): Reader {
    const closed = (reader: Reader): void => {
      if (this.#readers.delete(reader)) this.#host.windowMoved(true);
    };
    const { store, nowMs, windowMoved } = this.#host;
    const reader = new Reader({ store, nowMs, windowMoved, closed }, options);
    this.#readers.add(reader);
    return reader;
  }

  /** What they need from here on; `leadMsAt` says how early the piece at a position should be asked for. */
  window(leadMsAt: (position: number) => number): ReadingWindow {
    return new ReadingWindow([...this.#readers].map((reader) => reader.window(leadMsAt)));
  }

  /** Whether one of them has yet to read from the piece. */
  need(piece: number): boolean {
    for (const reader of this.#readers) if (reader.needs(piece)) return true;
    return false;
  }

  /** More of some piece can be read. */
  pieceReadable(piece: number): void {
    for (const reader of this.#readers) reader.pieceReadable(piece);
  }

  /** Ends those for which some bytes are missing. */
  failLacking(error: Error): void {
    for (const reader of this.#readers) if (reader.lacksAny()) reader.fail(error);
  }

  failAll(error: Error): void {
    for (const reader of this.#readers) reader.fail(error);
  }
}
