import { expect, test } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { TokenBucket } from './token-bucket.ts';

test('at once its capacity passes, then its rate, and a long silence saves no more than the capacity', () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket({ capacity: 5, perSecond: 2 }, clock);
  const taken = (): number => Array.from({ length: 20 }, () => bucket.take(1)).filter(Boolean).length;
  expect(taken()).toBe(5);
  clock.advance(1_500);
  expect(taken()).toBe(3);
  clock.advance(3_600_000);
  expect(taken()).toBe(5);
});

test('what costs more than there is takes nothing', () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket({ capacity: 5, perSecond: 2 }, clock);
  expect([bucket.take(6), bucket.take(4), bucket.take(2), bucket.take(1)]).toEqual([false, true, false, true]);
  clock.advance(500);
  expect(bucket.take(1)).toBe(true);
});
