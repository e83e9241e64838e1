import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Bitfield } from '../../codec/bitfield.ts';
import type { TorrentFile } from '../../codec/torrent-files.ts';
import { checkSelection, onlyFiles, Wishes, type FileChoice, type FilePriority } from './wishes.ts';

const PIECE = 100;

function filesOf(...lengths: (number | `pad ${number}`)[]): TorrentFile[] {
  let offsetBytes = 0;
  return lengths.map((length, at) => {
    const isPad = typeof length === 'string';
    const lengthBytes = isPad ? Number(length.slice(4)) : length;
    const file = { path: [`${at}`], lengthBytes, offsetBytes, isPad };
    offsetBytes += lengthBytes;
    return file;
  });
}

function wishesOver(files: TorrentFile[], choices: readonly FileChoice[] = [], held: readonly number[] = []): Wishes {
  const totalBytes = files.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  const pieceCount = Math.ceil(totalBytes / PIECE);
  const have = new Bitfield(pieceCount);
  for (const piece of held) have.set(piece);
  return new Wishes({ info: { files, totalBytes, pieceLengthBytes: PIECE, pieceCount }, have, mode: 'all', choices });
}

function wantedBy(wishes: Wishes, pieceCount: number): number[] {
  return Array.from({ length: pieceCount }, (_, piece) => piece).filter((piece) => wishes.wants(piece));
}

// Files 0 to 3 lie at 0–250, 250–260, 260–260 (empty) and 260–500: pieces 0–2, 2, none, 2–4.
const BORDERS = [250, 10, 0, 240] as const;

test.each<{ files: [number, number][]; wants: number[] }>([
  { files: [[0, 0]], wants: [0, 1, 2] },
  { files: [[1, 1]], wants: [2] },
  { files: [[2, 2]], wants: [] },
  { files: [[3, 3]], wants: [2, 3, 4] },
  { files: [[1, 3]], wants: [2, 3, 4] },
  {
    files: [
      [0, 0],
      [3, 99],
    ],
    wants: [0, 1, 2, 3, 4],
  },
  { files: [[4, 9_999]], wants: [] },
  { files: [], wants: [] },
])('of the files $files the pieces $wants are wanted, borders included', ({ files, wants }) => {
  const choices = onlyFiles(files.map(([first, last]) => ({ first, last })));
  expect(wantedBy(wishesOver(filesOf(...BORDERS), choices), 5)).toEqual(wants);
});

test('a piece on a border is wanted as much as the most wanted of its files', () => {
  const wishes = wishesOver(filesOf(...BORDERS));
  wishes.prioritize([
    { first: 0, last: 0, priority: 'low' },
    { first: 1, last: 1, priority: 'high' },
    { first: 3, last: 3, priority: 'skip' },
  ]);
  expect([0, 1, 2, 3, 4].map((piece) => wishes.levelOf(piece))).toEqual([1, 1, 3, 0, 0]);
  expect(wishes.priorities).toEqual(['low', 'high', 'normal', 'skip']);
});

test('a pad file wants nothing and counts for nothing', () => {
  const wishes = wishesOver(filesOf(50, 'pad 150', 100), onlyFiles([{ first: 1, last: 1 }]));
  expect(wantedBy(wishes, 3)).toEqual([]);
  expect(wishes.selectedBytes).toBe(0);
  wishes.prioritize([{ first: 0, last: 9, priority: 'normal' }]);
  expect(wishes.selectedBytes).toBe(150);
});

test('only the pieces whose wish changed are named', () => {
  const wishes = wishesOver(filesOf(...BORDERS));
  expect(wishes.prioritize([{ first: 3, last: 3, priority: 'skip' }])).toEqual([3, 4]);
  expect(wishes.prioritize([{ first: 3, last: 3, priority: 'skip' }])).toEqual([]);
  expect(wishes.setMode('on-demand')).toEqual([0, 1, 2]);
  expect(wishes.setPaused(true)).toEqual([]);
  expect(wishes.setMode('all')).toEqual([]);
  expect(wishes.setPaused(false)).toEqual([0, 1, 2]);
});

test('it is satisfied by the selected files alone, and by nothing when nothing is selected', () => {
  const wishes = wishesOver(filesOf(200, 300), onlyFiles([{ first: 0, last: 0 }]), [0]);
  expect(wishes.isSatisfied).toBe(false);
  wishes.held(1);
  expect([wishes.isSatisfied, wishes.fetchesAhead, wishes.heldBytes]).toEqual([true, false, 200]);
  wishes.lost(0);
  expect([wishes.isSatisfied, wishes.fetchesAhead, wishes.heldBytes]).toEqual([false, true, 100]);
  expect(wishesOver(filesOf(200, 300), onlyFiles([])).isSatisfied).toBe(false);
});

test.each<{ what: string; files: [number, number]; isSatisfied: boolean }>([
  { what: 'an empty file', files: [0, 0], isSatisfied: true },
  { what: 'an empty file beside one that is lacking', files: [0, 1], isSatisfied: false },
  { what: 'padding', files: [2, 2], isSatisfied: true },
  { what: 'a file', files: [1, 1], isSatisfied: false },
])('of $what alone it is satisfied from the start: $isSatisfied', ({ files: [first, last], isSatisfied }) => {
  const wishes = wishesOver(filesOf(0, 150, 'pad 50'), onlyFiles([{ first, last }]));
  expect(wishes.isSatisfied).toBe(isSatisfied);
});

test.each<{ ranges: [number, number][]; isFine: boolean }>([
  { ranges: [[1, 1]], isFine: true },
  { ranges: [[2, 99]], isFine: true },
  {
    ranges: [
      [50, 60],
      [0, 0],
    ],
    isFine: true,
  },
  { ranges: [], isFine: true },
  { ranges: [[3, 3]], isFine: false },
  {
    ranges: [
      [1, 1],
      [50, 60],
    ],
    isFine: true,
  },
  {
    ranges: [
      [50, 60],
      [70, 99],
    ],
    isFine: false,
  },
])('a selection of $ranges names some of three files: $isFine', ({ ranges, isFine }) => {
  const check = (): void =>
    checkSelection(
      ranges.map(([first, last]) => ({ first, last })),
      3,
    );
  if (isFine) expect(check).not.toThrow();
  else expect(check).toThrow(expect.objectContaining({ code: 'invalid_input' }));
});

test('somebody is interesting only for a wanted piece that we lack', () => {
  const wishes = wishesOver(filesOf(200, 300), onlyFiles([{ first: 1, last: 1 }]), [2]);
  const theirs = (...pieces: number[]): Bitfield => {
    const have = new Bitfield(5);
    for (const piece of pieces) have.set(piece);
    return have;
  };
  expect(wishes.wantsAnyOf(theirs(0, 1, 2))).toBe(false);
  expect(wishes.wantsAnyOf(theirs(4))).toBe(true);
  wishes.setMode('on-demand');
  expect(wishes.wantsAnyOf(theirs(4))).toBe(false);
});

test.each<{ what: string; choice: FileChoice }>([
  { what: 'counts down', choice: { first: 2, last: 1, priority: 'low' } },
  { what: 'is negative', choice: { first: -1, last: 1, priority: 'low' } },
  { what: 'is no whole number', choice: { first: 0.5, last: 1, priority: 'low' } },
  { what: 'has no such priority', choice: { first: 0, last: 1, priority: 'urgent' as FilePriority } },
])('a choice that $what is refused', ({ choice }) => {
  expect(() => wishesOver(filesOf(1)).prioritize([choice])).toThrow(expect.objectContaining({ code: 'invalid_input' }));
});

test('a range to the end of numbers costs no more than the files there are', () => {
  const wishes = wishesOver(filesOf(100), [{ first: 0, last: Number.MAX_SAFE_INTEGER, priority: 'high' }]);
  expect(wishes.priorities).toEqual(['high']);
});

describe('whatever is chosen, held and lost', () => {
  const length = fc.oneof(
    fc.nat(350),
    fc.nat(80).map((pad): `pad ${number}` => `pad ${pad}`),
  );
  const priority = fc.constantFrom<FilePriority[]>('skip', 'low', 'normal', 'high');
  const step = fc.oneof(
    fc.record({ first: fc.nat(12), count: fc.nat(5), priority }),
    fc.record({ piece: fc.nat(1000) }),
  );
  test('the counts are those of a plain recount', () => {
    fc.assert(
      fc.property(
        fc.array(length, { minLength: 1, maxLength: 10 }),
        fc.array(step, { maxLength: 20 }),
        (lengths, steps) => {
          const files = filesOf(...lengths);
          const totalBytes = files.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
          const pieceCount = Math.ceil(totalBytes / PIECE);
          fc.pre(pieceCount > 0);
          const have = new Bitfield(pieceCount);
          const info = { files, totalBytes, pieceLengthBytes: PIECE, pieceCount };
          const wishes = new Wishes({ info, have, mode: 'all', choices: [] });
          for (const taken of steps) {
            if ('first' in taken)
              wishes.prioritize([{ first: taken.first, last: taken.first + taken.count, priority: taken.priority }]);
            else if (have.set(taken.piece % pieceCount)) wishes.held(taken.piece % pieceCount);
            else {
              have.clear(taken.piece % pieceCount);
              wishes.lost(taken.piece % pieceCount);
            }
          }
          const chosen = files.filter((file, at) => !file.isPad && wishes.priorities[at] !== 'skip');
          const bytes = chosen.flatMap((file) =>
            Array.from({ length: file.lengthBytes }, (_, at) => Math.floor((file.offsetBytes + at) / PIECE)),
          );
          expect(wishes.selectedBytes).toBe(bytes.length);
          expect(wishes.heldBytes).toBe(bytes.filter((piece) => have.has(piece)).length);
          const isPlain = wishes.priorities.every((one) => one === 'normal');
          const lacks = isPlain ? !have.isComplete : bytes.some((piece) => !have.has(piece));
          expect(wishes.fetchesAhead).toBe(lacks);
        },
      ),
    );
  });
});
