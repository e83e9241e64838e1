import { expect, test } from 'vitest';
import { RateWindow } from './rate-window.ts';

test('a steady flow reads as its rate, a first look and a standstill as nothing', () => {
  const rate = new RateWindow();
  expect(rate.sample(500, 0)).toBe(0);
  const seen: number[] = [];
  for (let quarter = 1; quarter <= 40; quarter++) seen.push(rate.sample(500 + quarter * 250, quarter * 250));
  expect(new Set(seen)).toEqual(new Set([1_000]));
  for (let quarter = 41; quarter <= 52; quarter++) rate.sample(10_500, quarter * 250);
  expect(rate.sample(10_500, 13_250)).toBe(0);
});
