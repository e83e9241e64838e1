import { expect, test } from 'vitest';
import { MIB } from '../../base/units.ts';
import { chooseStalled } from './stalled-readers.ts';

const readers = (stalledS: readonly number[], takenBytes: number) =>
  stalledS.map((seconds, reader) => ({ reader, stalledMs: seconds * 1_000, takenBytes }));

test.each([
  ['nobody has stopped', [0, 5, 19], true, []],
  ['some are slow and nobody waits', [21, 59, 120], false, []],
  ['some are slow and others wait: the slowest', [21, 59, 40], true, [1]],
  ['some have stopped for good: all of them', [121, 59, 150], false, [0, 2]],
  ['some have stopped for good and others wait: they are enough', [121, 59, 150], true, [0, 2]],
])('of those that took much before, where %s', (_case, stalledS, othersWait, expected) => {
  expect(chooseStalled(readers(stalledS, 64 * MIB), othersWait)).toEqual(expected);
});

test.each([
  ['nobody waits', [6, 21, 119], false, []],
  ['others wait: all after five seconds', [6, 21, 4], true, [0, 1]],
  ['others wait, but these move', [0, 4, 5], true, []],
])('of those that took no more than kernels may hold, where %s', (_case, stalledS, othersWait, expected) => {
  expect(chooseStalled(readers(stalledS, 15 * MIB), othersWait)).toEqual(expected);
});

test('while others wait, those that never showed that they read go before one that is slow', () => {
  const slow = { reader: 9, stalledMs: 60_000, takenBytes: 64 * MIB };
  expect(chooseStalled([slow, ...readers([6], 0)], true)).toEqual([0]);
});
