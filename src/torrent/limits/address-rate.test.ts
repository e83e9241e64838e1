import { expect, test } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { AddressRate } from './address-rate.ts';

const clock = new FakeClock();
/** The test's own time begins with it. */
let startedAtMs = 0;

function at(nowMs: number): void {
  clock.advance(startedAtMs + nowMs - clock.monotonicMs());
}

function knocks(rate: AddressRate, host: string, count: number, nowMs: number): number {
  at(nowMs);
  return Array.from({ length: count }, () => rate.admits(host)).filter(Boolean).length;
}

function newRate(): AddressRate {
  startedAtMs = clock.monotonicMs();
  return new AddressRate({ perSecond: 10, burst: 40, maxAddresses: 100, loopbackWeight: 10 }, clock);
}

test('after a burst an address gets its rate and no more', () => {
  const rate = newRate();
  expect(knocks(rate, '192.0.2.1', 100, 0)).toBe(40);
  expect(knocks(rate, '192.0.2.1', 100, 1_000)).toBe(10);
  expect(knocks(rate, '192.0.2.1', 100, 1_050)).toBe(0);
  expect(knocks(rate, '192.0.2.1', 100, 3_600_000)).toBe(40);
});

test.each([
  { other: '192.0.2.2', base: '192.0.2.1', together: false },
  { other: '2001:db8:0:1::5', base: '2001:db8::1', together: true },
  { other: '2001:db8:1::1', base: '2001:db8::1', together: false },
  { other: '::ffff:192.0.2.1', base: '192.0.2.1', together: true },
])('$base and $other count together: $together', ({ base, other, together }) => {
  const rate = newRate();
  knocks(rate, base, 40, 0);
  expect(rate.admits(other)).toBe(!together);
});

test('all of loopback together may knock as often as several addresses', () => {
  const rate = newRate();
  const admitted = ['127.0.0.1', '127.9.9.9', '::1'].map((host) => knocks(rate, host, 300, 0));
  expect(admitted).toEqual([300, 100, 0]);
  expect(knocks(rate, '::1', 300, 1_000)).toBe(100);
  expect(rate.size).toBe(1);
});

test('no more addresses are remembered than allowed, the latest ones', () => {
  const rate = newRate();
  for (let one = 0; one < 500; one++) knocks(rate, `10.0.${one >> 8}.${one & 255}`, 40, one);
  expect(rate.size).toBe(100);
  expect(rate.admits('10.0.1.243')).toBe(false);
  expect(rate.admits('10.0.0.1')).toBe(true);
});
