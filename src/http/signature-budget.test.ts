import { expect, test } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { RateLimited } from '../base/errors.ts';
import { SignatureBudget } from './signature-budget.ts';

const RATE = { capacity: 3, perSecond: 1 };

test('an address may sign so often at once, then at the rate; others are not concerned', () => {
  const clock = new FakeClock();
  const budget = new SignatureBudget(clock, RATE);
  for (let request = 0; request < 3; request++) budget.spend('192.0.2.1');
  expect(() => budget.spend('192.0.2.1')).toThrow(RateLimited);
  budget.spend('192.0.2.2');
  clock.advance(1_000);
  budget.spend('192.0.2.1');
  expect(() => budget.spend('192.0.2.1')).toThrow(RateLimited);
});

test.each([
  ['2001:db8::1', '2001:db8::2', true],
  ['2001:db8:0:0:1::1', '2001:db8::2', true],
  ['2001:db8:0:1::1', '2001:db8:0:2::1', false],
  ['::1', '::2', true],
])('%s and %s share a budget: %s', (first, second, isShared) => {
  const budget = new SignatureBudget(new FakeClock(), { capacity: 1, perSecond: 0 });
  budget.spend(first);
  const spend = () => budget.spend(second);
  if (isShared) expect(spend).toThrow(RateLimited);
  else spend();
});
