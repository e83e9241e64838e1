import { expect, test } from 'vitest';
import { chooseStalled } from './stalled-readers.ts';

const readers = (...stalledS: number[]): { reader: number; stalledMs: number }[] =>
  stalledS.map((seconds, reader) => ({ reader, stalledMs: seconds * 1_000 }));

test.each([
  ['nobody has stopped', [0, 5, 19], true, []],
  ['some are slow and nobody waits', [21, 59, 120], false, []],
  ['some are slow and others wait: the slowest', [21, 59, 40], true, [1]],
  ['some have stopped for good: all of them', [121, 59, 150], false, [0, 2]],
  ['some have stopped for good and others wait: they are enough', [121, 59, 150], true, [0, 2]],
])('where %s', (_case, stalledS, othersWait, expected) => {
  expect(chooseStalled(readers(...stalledS), othersWait)).toEqual(expected);
});
