import { expect, test } from 'vitest';
import { KIB, MIB } from './units.ts';
import { MessageSize } from './message-size.ts';

/** A line that always has something to send. */
class BusyLine {
  readonly #sizes = new MessageSize(0);
  readonly #takenBytes: number;
  #nowMs = 0;
  #bufferedBytes = 0;

  constructor(takenBytes = 256 * KIB) {
    this.#takenBytes = takenBytes;
  }

  /** The sizes of the messages sent in that time. */
  run(mbit: number, forMs: number): Set<number> {
    const seen = new Set<number>();
    for (const untilMs = this.#nowMs + forMs; this.#nowMs < untilMs; this.#nowMs++) {
      this.#bufferedBytes = Math.max(0, this.#bufferedBytes - (mbit * 1_000_000) / 8 / 1_000);
      while (this.#bufferedBytes < 4 * MIB) seen.add(this.#send());
    }
    return seen;
  }

  #send(): number {
    const sizeBytes = this.#sizes.next(this.#nowMs, this.#bufferedBytes, this.#takenBytes);
    this.#sizes.sent(sizeBytes);
    this.#bufferedBytes += sizeBytes;
    return sizeBytes;
  }
}

test.each([
  { mbit: 1, largest: 64 * KIB },
  { mbit: 8, largest: 64 * KIB },
  { mbit: 100, largest: 64 * KIB },
  { mbit: 400, largest: 256 * KIB },
])('on a line of $mbit Mbit/s messages are $largest bytes at most', ({ mbit, largest }) => {
  expect(Math.max(...new BusyLine().run(mbit, 1_000))).toBe(largest);
});

test('messages are small until the speed is known, and again when the line becomes slow', () => {
  const line = new BusyLine();
  expect(line.run(400, 90)).toEqual(new Set([64 * KIB]));
  expect(line.run(400, 500)).toContain(256 * KIB);
  line.run(8, 5_000); // what was buffered leaves
  expect(line.run(8, 1_000)).toEqual(new Set([64 * KIB]));
});

test.each([
  { what: 'no limit', takenBytes: Number.POSITIVE_INFINITY, largest: 256 * KIB },
  { what: '100,000 bytes', takenBytes: 100_000, largest: 100_000 },
  { what: 'a single byte, which would keep us busy', takenBytes: 1, largest: 16 * KIB },
])('to a peer that takes $what, messages are $largest bytes at most', ({ takenBytes, largest }) => {
  expect(Math.max(...new BusyLine(takenBytes).run(400, 1_000))).toBe(largest);
});
