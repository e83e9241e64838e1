import { expect, test } from 'vitest';
import { KIB, MIB } from '../../base/units.ts';
import { Geometry } from '../geometry.ts';
import { leadTimeMs, readingWindow, ReadingWindow, type ReadingLayout, type ReadingState } from './reading-window.ts';

const NOW_MS = 50_000;
const whole: ReadingLayout = { geometry: new Geometry(1000 * MIB, MIB), isBlockwise: () => false };

/** A reader of 1 MiB/s that waits for its first byte, from sources that need a 2 s lead. */
const at = (state: Partial<ReadingState>): ReadingState => ({
  nowMs: NOW_MS,
  position: 0,
  endExclusive: 1000 * MIB,
  neededAtMs: NOW_MS,
  sequentialBytes: 0,
  bytesPerSecond: MIB,
  leadMs: 2_000,
  ...state,
});

const pieces = (state: Partial<ReadingState>, layout = whole): number[] =>
  readingWindow(at(state), layout).map(({ piece }) => piece);

test('a fresh reader wants what it will need within the lead, in order and by when, and nothing behind', () => {
  const window = readingWindow(at({ position: 10.5 * MIB }), whole);
  expect(window.map(({ piece }) => piece)).toEqual([10, 11, 12]);
  expect(window.map(({ dueAtMs }) => dueAtMs - NOW_MS)).toEqual([0, 500, 1500]);
  expect(window).toMatchObject([0, 1, 2].map(() => ({ fromBlock: 0, untilBlock: 64, isUrgent: true })));
});

test.each([
  { case: 'nobody has delivered yet', pieceArrivalMs: Number.POSITIVE_INFINITY, leadMs: 2_000 },
  { case: 'a piece takes a moment', pieceArrivalMs: 20, leadMs: 500 },
  { case: 'a piece takes 300 ms', pieceArrivalMs: 300, leadMs: 900 },
  { case: 'a piece takes five seconds', pieceArrivalMs: 5_000, leadMs: 15_000 },
  { case: 'a piece takes for ever', pieceArrivalMs: 900_000, leadMs: 25_000 },
])('when $case, pieces are asked for $leadMs ms before their need', ({ pieceArrivalMs, leadMs }) => {
  expect(leadTimeMs(pieceArrivalMs)).toBe(leadMs);
});

test.each([
  { readBytes: 0, aheadPieces: 2 },
  { readBytes: 8 * MIB, aheadPieces: 2 },
  { readBytes: 12 * MIB, aheadPieces: 4 },
  { readBytes: 24 * MIB, aheadPieces: 10 },
  { readBytes: 500 * MIB, aheadPieces: 25 },
])('after $readBytes bytes in a row it looks $aheadPieces s ahead, 25 at most', ({ readBytes, aheadPieces }) => {
  expect(pieces({ position: 100 * MIB, sequentialBytes: readBytes })).toHaveLength(aheadPieces);
});

test.each([
  { readBytes: 0, aheadPieces: 4 },
  { readBytes: 8 * MIB, aheadPieces: 16 },
  { readBytes: 900 * MIB, aheadPieces: 32 },
])('without a bitrate, after $readBytes bytes it looks $aheadPieces MiB ahead', ({ readBytes, aheadPieces }) => {
  expect(pieces({ sequentialBytes: readBytes, bytesPerSecond: undefined })).toHaveLength(aheadPieces);
});

test('the window ends with the range, also for an urgent piece', () => {
  expect(pieces({ position: 5 * MIB, endExclusive: 5 * MIB + 10 })).toEqual([5]);
  expect(pieces({ position: 5, endExclusive: 5 })).toEqual([]);
});

test('only what is due within two seconds is urgent', () => {
  const window = readingWindow(at({ leadMs: 10_000 }), whole);
  expect(window.map(({ isUrgent }) => isUrgent)).toEqual([...Array(3).fill(true), ...Array(7).fill(false)]);
});

test('who has waited for its byte needs it since then, and what follows from now on', () => {
  const window = readingWindow(at({ neededAtMs: NOW_MS - 700 }), whole);
  expect(window.map(({ dueAtMs }) => dueAtMs - NOW_MS)).toEqual([-700, 1000]);
});

test('a reader that needs its bytes later wants the same, later, and nothing of it is urgent', () => {
  const window = readingWindow(at({ neededAtMs: NOW_MS + 60_000 }), whole);
  expect(window.map(({ dueAtMs }) => dueAtMs - NOW_MS)).toEqual([60_000, 61_000]);
  expect(window.some(({ isUrgent }) => isUrgent)).toBe(false);
});

test('tiny pieces do not make the list endless', () => {
  const tiny = { geometry: new Geometry(1000 * MIB, 16 * KIB), isBlockwise: () => false };
  expect(pieces({ bytesPerSecond: 100 * MIB, sequentialBytes: 500 * MIB }, tiny)).toHaveLength(512);
});

const large = { geometry: new Geometry(1000 * MIB, 16 * MIB), isBlockwise: () => true };

test('where blocks are verified one by one, only those from the position on are wanted, 256 KiB at a time', () => {
  const window = readingWindow(at({ position: 21.25 * MIB + 128 * KIB }), large);
  expect(window.slice(0, 3)).toMatchObject([
    { piece: 1, fromBlock: 344, untilBlock: 352, dueAtMs: NOW_MS },
    { piece: 1, fromBlock: 352, untilBlock: 368, dueAtMs: NOW_MS + 125 },
    { piece: 1, fromBlock: 368, untilBlock: 384, dueAtMs: NOW_MS + 375 },
  ]);
  const acrossBorder = readingWindow(at({ position: 31.75 * MIB }), large);
  expect(acrossBorder.slice(0, 2).map(({ piece, fromBlock }) => [piece, fromBlock])).toEqual([
    [1, 1008],
    [2, 0],
  ]);
});

/** The first of two pieces ends after seven blocks. */
const padded = {
  geometry: new Geometry(8 * MIB, 4 * MIB, { padded: new Map([[0, 100 * KIB]]), isPaddedBehind: true }),
  isBlockwise: () => true,
};

test('padding at the end of a v2 piece is never wanted', () => {
  const window = readingWindow(at({ endExclusive: 8 * MIB, leadMs: 25_000 }), padded);
  expect(window.filter(({ piece }) => piece === 0)).toMatchObject([{ fromBlock: 0, untilBlock: 7 }]);
  expect(window.filter(({ piece }) => piece === 1)).toHaveLength(16);
});

test.each([
  { where: 'where the padding begins', position: 100 * KIB },
  { where: 'deep in the padding', position: 3 * MIB },
])('a reader that begins $where wants the last block before it, which makes the padding readable', ({ position }) => {
  const [first, next] = readingWindow(at({ position, endExclusive: 8 * MIB, leadMs: 25_000 }), padded);
  expect(first).toMatchObject({ piece: 0, fromBlock: 6, untilBlock: 7 });
  expect(next).toMatchObject({ piece: 1, fromBlock: 0 });
});

test('several readers share one list: each piece once, by its earliest need', () => {
  const one = readingWindow(at({ position: 2 * MIB, leadMs: 4_000 }), whole);
  const two = readingWindow(at({ position: 4 * MIB, neededAtMs: NOW_MS - 10 }), whole);
  const joined = new ReadingWindow([one, two]);
  expect(joined.spans.map(({ piece }) => piece)).toEqual([4, 2, 3, 5]);
  expect(joined.spanOf(4, 63)).toMatchObject({ dueAtMs: NOW_MS - 10 });
  expect(joined.hasPiece(6)).toBe(false);
});

test('readers at different places of one large piece share its spans', () => {
  const one = readingWindow(at({ position: 640 * KIB, leadMs: 100 }), large);
  const two = readingWindow(at({ position: 544 * KIB, leadMs: 100, neededAtMs: NOW_MS + 5 }), large);
  expect(new ReadingWindow([one, two]).spans).toMatchObject([
    { piece: 0, fromBlock: 34, untilBlock: 48, dueAtMs: NOW_MS },
  ]);
});

test("a block outside every span is nobody's need", () => {
  const window = new ReadingWindow([readingWindow(at({ position: 21.25 * MIB, leadMs: 500 }), large)]);
  expect(window.spanOf(1, 335)).toBeUndefined();
  expect(window.spanOf(1, 336)).toBeDefined();
  expect(window.spanOf(1, 384)).toBeUndefined();
});
