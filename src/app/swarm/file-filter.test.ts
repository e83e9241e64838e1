import { expect, test } from 'vitest';
import { chooseFiles, parseFileRanges } from './file-filter.ts';

const PATHS = ['Season 1/E01.mkv', '.pad/10', 'Season 1/E02.mkv', 'Season 1/E02.srt', 'Extras/making of.MKV', 'readme'];
const info = {
  files: PATHS.map((path, at) => ({
    path: path.split('/'),
    lengthBytes: 10,
    offsetBytes: at * 10,
    isPad: path.startsWith('.pad'),
  })),
};

test.each([
  ['0', [[0, 0]]],
  [
    '0,2-4',
    [
      [0, 0],
      [2, 4],
    ],
  ],
  [
    ' 5 , 1-1 ',
    [
      [5, 5],
      [1, 1],
    ],
  ],
])('the files %j are read as ranges', (text, ranges) => {
  expect(parseFileRanges(text)).toEqual(ranges.map(([first, last]) => ({ first, last })));
});

test.each(['', ',', '1-', '-1', '3-2', 'a', '1,,2', '1.5', '9999999999'])('%j names no files', (text) => {
  expect(() => parseFileRanges(text)).toThrow(expect.objectContaining({ code: 'invalid_input' }));
});

test.each([
  {
    ranges: [[0, 2]],
    patterns: [],
    chosen: [
      [0, 0],
      [2, 2],
    ],
    why: 'pad files are never meant',
  },
  { ranges: [[4, 99]], patterns: [], chosen: [[4, 5]], why: 'a range may end beyond the last file' },
  {
    ranges: [],
    patterns: ['*.mkv'],
    chosen: [
      [0, 0],
      [2, 2],
      [4, 4],
    ],
    why: 'case does not count, folders are passed',
  },
  {
    ranges: [],
    patterns: ['season 1/*'],
    chosen: [
      [0, 0],
      [2, 3],
    ],
    why: 'a folder can be named',
  },
  {
    ranges: [],
    patterns: ['E0?.srt', 'README'],
    chosen: [
      [3, 3],
      [5, 5],
    ],
    why: 'a name stands for itself in any folder',
  },
  {
    ranges: [[5, 5]],
    patterns: ['*01*'],
    chosen: [
      [0, 0],
      [5, 5],
    ],
    why: 'both ways together',
  },
  {
    ranges: [],
    patterns: ['*'],
    chosen: [
      [0, 0],
      [2, 5],
    ],
    why: 'a star is everything',
  },
])('$ranges and $patterns mean $chosen: $why', ({ ranges, patterns, chosen }) => {
  const filter = { ranges: ranges.map(([first = 0, last = 0]) => ({ first, last })), patterns };
  expect(chooseFiles(info, filter)).toEqual(chosen.map(([first, last]) => ({ first, last })));
});

test('without a filter nothing is left out', () => {
  expect(chooseFiles(info, undefined)).toEqual([]);
});

test.each([
  { ranges: [{ first: 6, last: 9 }], patterns: [] },
  { ranges: [{ first: 1, last: 1 }], patterns: [] },
  { ranges: [], patterns: ['*.avi', 'E01', ''] },
])('a filter that means no file is refused: %j', (filter) => {
  expect(() => chooseFiles(info, filter)).toThrow(/no such file/);
});

test('a pattern of many stars is quick on a long name', () => {
  const files = [{ path: ['a'.repeat(5_000)], lengthBytes: 1, offsetBytes: 0, isPad: false }];
  expect(() => chooseFiles({ files }, { ranges: [], patterns: ['*a'.repeat(200) + 'b'] })).toThrow(/no such file/);
});
