import { expect, test } from 'vitest';
import { KIB, MIB } from '../base/units.ts';
import { Geometry } from './geometry.ts';
import { joinWindows, readingWindow, type ReadingState } from './reading-window.ts';

const geometry = new Geometry(1000 * MIB, MIB);

const at = (state: Partial<ReadingState>): ReadingState => ({
  position: 0,
  endExclusive: 1000 * MIB,
  sequentialBytes: 0,
  bytesPerSecond: MIB,
  ...state,
});

test('a fresh reader wants its next pieces urgently and 4 MiB ahead, nothing behind', () => {
  const window = readingWindow(at({ position: 10.5 * MIB }), geometry);
  expect(window.map(({ piece }) => piece)).toEqual([10, 11, 12, 13, 14]);
  expect(window.map(({ isUrgent }) => isUrgent)).toEqual([true, true, true, false, false]);
  expect(window.map(({ dueInMs }) => dueInMs)).toEqual([0, 500, 1500, 2500, 3500]);
});

test.each([
  { readBytes: 1 * MIB, aheadPieces: 4 },
  { readBytes: 4 * MIB, aheadPieces: 8 },
  { readBytes: 8 * MIB, aheadPieces: 16 },
  { readBytes: 500 * MIB, aheadPieces: 25 },
])('after $readBytes bytes in a row it looks $aheadPieces MiB ahead, 25 s at most', ({ readBytes, aheadPieces }) => {
  const window = readingWindow(at({ position: 100 * MIB, sequentialBytes: readBytes }), geometry);
  expect(window).toHaveLength(aheadPieces);
});

test('without a bitrate it looks 32 MiB ahead at most', () => {
  const window = readingWindow(at({ sequentialBytes: 900 * MIB, bytesPerSecond: undefined }), geometry);
  expect(window).toHaveLength(32);
});

test('the window ends with the range, also for an urgent piece', () => {
  const window = readingWindow(at({ position: 5 * MIB, endExclusive: 5 * MIB + 10 }), geometry);
  expect(window.map(({ piece }) => piece)).toEqual([5]);
  expect(readingWindow(at({ position: 5, endExclusive: 5 }), geometry)).toEqual([]);
});

test('two seconds of a high bitrate are urgent even when that is many pieces', () => {
  const small = new Geometry(100 * MIB, 256 * KIB);
  const window = readingWindow(at({ bytesPerSecond: 4 * MIB, endExclusive: 100 * MIB }), small);
  expect(window.filter(({ isUrgent }) => isUrgent)).toHaveLength(32);
});

test('tiny pieces do not make the list endless', () => {
  const tiny = new Geometry(1000 * MIB, 16 * KIB);
  const window = readingWindow(at({ bytesPerSecond: 100 * MIB, sequentialBytes: 500 * MIB }), tiny);
  expect(window).toHaveLength(512);
});

test('several readers share one list: each piece once, with its earliest need, urgent ones first', () => {
  const one = readingWindow(at({ position: 2 * MIB }), geometry);
  const two = readingWindow(at({ position: 4 * MIB }), geometry);
  const joined = joinWindows([one, two]);
  expect(joined.map(({ piece }) => piece)).toEqual([2, 4, 3, 5, 6, 7]);
  expect(joined.find(({ piece }) => piece === 4)).toMatchObject({ dueInMs: 0, isUrgent: true });
});
