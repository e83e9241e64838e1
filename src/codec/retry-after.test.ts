import { expect, test } from 'vitest';
import { HOUR_MS, SECOND_MS } from '../base/units.ts';
import { parseRetryAfterMs } from './retry-after.ts';

/** RFC 9110 §5.6.7 gives this moment in all three formats. */
const THEN_MS = Date.UTC(1994, 10, 6, 8, 49, 37);

test.each([
  ['120', 120 * SECOND_MS],
  [' 0 ', 0],
  ['86400', HOUR_MS],
  ['9999999999', HOUR_MS],
  ['Sun, 06 Nov 1994 08:49:37 GMT', 90 * SECOND_MS],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 90 * SECOND_MS],
  ['Sun Nov  6 08:49:37 1994', 90 * SECOND_MS],
  ['Sun, 06 Nov 1994 07:00:00 GMT', 0],
  ['Tue, 06 Nov 2035 07:00:00 GMT', HOUR_MS],
])('Retry-After: %s, ninety seconds before that date, means %i ms', (header, waitMs) => {
  expect(parseRetryAfterMs(header, THEN_MS - 90 * SECOND_MS)).toBe(waitMs);
});

test.each([
  undefined,
  null,
  '',
  'soon',
  '-5',
  '1.5',
  '12345678901',
  'Sun, 06 Nov 1994 08:49:37',
  '1994-11-06',
  'Sun, 99 Xxx 1994 08:49:37 GMT',
])('Retry-After: %s says nothing', (header) => {
  expect(parseRetryAfterMs(header, THEN_MS)).toBeUndefined();
});
