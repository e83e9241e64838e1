import { expect, test } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { parseIp } from '../base/address.ts';
import { AddressBudget } from './address-budget.ts';

test('an address spends its own budget, each second anew', () => {
  const clock = new FakeClock();
  const budget = new AddressBudget(2, clock);
  const greedy = parseIp('192.0.2.1');
  const others = Array.from({ length: 9 }, (_, at) => parseIp(`198.51.100.${at}`));
  budget.spend(greedy);
  expect(budget.hasLeft(greedy)).toBe(true);
  budget.spend(greedy);
  expect(budget.hasLeft(greedy)).toBe(false);
  // Any one of them might share the counter, not all.
  expect(others.some((other) => budget.hasLeft(other))).toBe(true);
  clock.advance(1_000);
  expect(budget.hasLeft(greedy)).toBe(true);
});

test('an IPv6 /48 has one budget, however many addresses it uses', () => {
  const budget = new AddressBudget(3, new FakeClock());
  for (const host of ['2001:db8:1::1', '2001:db8:1:2::1', '2001:db8:1:ffff::9']) budget.spend(parseIp(host));
  expect(budget.hasLeft(parseIp('2001:db8:1:7777::1'))).toBe(false);
});
