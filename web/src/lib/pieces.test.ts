import { expect, test } from 'vitest';
import { countPieces, hasPiece, pieceRuns } from './pieces.ts';

const bits = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/.{1,8}/g) ?? [], (byte) => Number.parseInt(byte.padEnd(8, '0'), 2));

test('pieces are read most significant bit first', () => {
  const field = bits('1000000001');
  expect([0, 1, 8, 9, 10].map((index) => hasPiece(field, index))).toEqual([true, false, false, true, false]);
  expect(countPieces(field, 10)).toBe(2);
});

test('spare bits at the end never count', () => {
  expect(countPieces(Uint8Array.of(0xff), 3)).toBe(3);
});

test.each([
  { field: '00000000', count: 8, buckets: 8, want: [] },
  { field: '11111111', count: 8, buckets: 8, want: [{ start: 0, end: 1, held: 1 }] },
  {
    field: '11001111',
    count: 8,
    buckets: 8,
    want: [
      { start: 0, end: 0.25, held: 1 },
      { start: 0.5, end: 1, held: 1 },
    ],
  },
  {
    field: '10100000',
    count: 8,
    buckets: 2,
    want: [{ start: 0, end: 0.5, held: 0.5 }],
  },
])('$field in $buckets buckets is drawn as $want', ({ field, count, buckets, want }) => {
  expect(pieceRuns(bits(field), count, buckets)).toEqual(want);
});

test('a torrent of no pieces draws nothing', () => {
  expect(pieceRuns(new Uint8Array(), 0, 100)).toEqual([]);
});
