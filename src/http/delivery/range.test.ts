import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chooseRange } from './range.ts';

describe('a Range header on 1,000 bytes', () => {
  test.each([
    ['bytes=0-0', 0, 1],
    ['bytes=0-499', 0, 500],
    ['bytes=500-', 500, 1000],
    ['bytes=0-', 0, 1000],
    ['bytes=999-999', 999, 1000],
    ['bytes=900-5000', 900, 1000],
    ['bytes=-1', 999, 1000],
    ['bytes=-1000', 0, 1000],
    ['bytes=-5000', 0, 1000],
    ['BYTES=1-2', 1, 3],
    ['bytes= 1-2 ', 1, 3],
    ['bytes=0-99999999999999999999999999', 0, 1000],
  ])('%s selects [%d, %d)', (header, start, endExclusive) => {
    expect(chooseRange(header, 1000)).toEqual({ start, endExclusive });
  });

  test.each(['bytes=1000-', 'bytes=1000-1001', 'bytes=-0', 'bytes=99999999999999999999999-'])(
    '%s cannot be satisfied',
    (header) => expect(chooseRange(header, 1000)).toBe('unsatisfiable'),
  );

  test.each([
    undefined,
    '',
    'bytes',
    'bytes=',
    'bytes=-',
    'bytes=5-4',
    'bytes=a-b',
    'bytes=0x1-2',
    'bytes=1.5-2',
    'bytes=--1',
    'items=0-1',
    'bytes=0-1,5-6',
    `bytes=0-1${',5-6'.repeat(1000)}`,
    `bytes=${'0'.repeat(200)}-1`,
  ])('%s is ignored and the whole is sent', (header) => expect(chooseRange(header, 1000)).toBe('whole'));
});

test.each(['bytes=0-', 'bytes=-5', 'bytes=0-0'])('an empty blob satisfies no range: %s', (header) => {
  expect(chooseRange(header, 0)).toBe('unsatisfiable');
});

test('whatever the header, the chosen range lies inside the representation and is not empty', () => {
  const number = fc.oneof(
    fc.nat(2000).map(String),
    fc.constant(''),
    fc.bigInt({ min: 0n, max: 10n ** 30n }).map(String),
  );
  fc.assert(
    fc.property(number, number, fc.nat(1500), (first, last, sizeBytes) => {
      const range = chooseRange(`bytes=${first}-${last}`, sizeBytes);
      if (typeof range === 'string') return;
      expect(range.start).toBeGreaterThanOrEqual(0);
      expect(range.endExclusive).toBeGreaterThan(range.start);
      expect(range.endExclusive).toBeLessThanOrEqual(sizeBytes);
    }),
  );
});
