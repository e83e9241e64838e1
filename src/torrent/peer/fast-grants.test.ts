import { expect, test } from 'vitest';
import { FastGrants } from './fast-grants.ts';

test('what was promised is given twice over, and to a peer that has ten pieces no more', () => {
  const grants = new FastGrants();
  grants.add(5, 32);
  expect([1, 2, 3, 4].map(() => grants.take(5, 16, 9))).toEqual([true, true, true, true]);
  expect([grants.take(5, 16, 9), grants.take(6, 16, 0)]).toEqual([false, false]);
  grants.add(7, 32);
  expect([grants.take(7, 16, 10), grants.take(7, 65, 0), grants.take(7, 16, 0)]).toEqual([false, false, true]);
});
