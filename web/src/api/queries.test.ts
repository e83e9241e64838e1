import { expect, test } from 'vitest';
import { ApiFailed } from './http.ts';
import { isWorthRetrying } from './queries.ts';

test.each([
  { status: 0, failures: 0, again: true },
  { status: 503, failures: 1, again: true },
  { status: 503, failures: 2, again: false },
  { status: 404, failures: 0, again: false },
  { status: 401, failures: 0, again: false },
])('after $failures failures an answer of $status is asked for again: $again', ({ status, failures, again }) => {
  expect(isWorthRetrying(failures, new ApiFailed(status, 'x', 'x'))).toBe(again);
});
