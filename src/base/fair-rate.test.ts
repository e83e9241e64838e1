import { expect, test } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { FairRate } from './fair-rate.ts';

const LIMITS = { perNeighbour: 50, all: 500 };

const taken = (rate: FairRate, neighbour: string, times: number): number =>
  Array.from({ length: times }, () => rate.takes(neighbour)).filter(Boolean).length;

test('one neighbour gets its share a second and no more', () => {
  const clock = new FakeClock();
  const rate = new FairRate(clock, LIMITS);
  expect(taken(rate, 'loud', 1_000)).toBe(50);
  expect(taken(rate, 'other', 1)).toBe(1);
  clock.advance(1_000);
  expect(taken(rate, 'loud', 1_000)).toBe(50);
});

test('many loud ones together leave something to those who ask for little', () => {
  const rate = new FairRate(new FakeClock(), LIMITS);
  let loud = 0;
  for (let at = 0; at < 30; at++) loud += taken(rate, `loud ${at}`, 1_000);
  expect(loud).toBeLessThanOrEqual(420); // 300, and a little for each that came later
  for (let at = 0; at < 16; at++) expect(taken(rate, `quiet ${at}`, 5)).toBe(5);
});

test('all together get what all may have and no more', () => {
  const rate = new FairRate(new FakeClock(), LIMITS);
  let all = 0;
  for (let at = 0; at < 2_000; at++) all += taken(rate, `stranger ${at}`, 3);
  expect(all).toBe(500);
});
