import { expect, test } from 'vitest';
import { Punctuality } from './punctuality.ts';

/** For how long it is tardy from `nowMs` on, in seconds. */
const pauseS = (punctuality: Punctuality, nowMs: number): number =>
  [1, 2, 4, 8, 16, 32].find((seconds) => !punctuality.isTardy(nowMs + seconds * 1_000)) ?? Number.POSITIVE_INFINITY;

test('who is late again and again pauses twice as long each time, and never more than 16 s', () => {
  const punctuality = new Punctuality();
  let nowMs = 5_000;
  const pauses = Array.from({ length: 7 }, () => {
    punctuality.late(nowMs);
    const seconds = pauseS(punctuality, nowMs);
    nowMs += seconds * 1_000;
    return seconds;
  });
  expect(pauses).toEqual([1, 2, 4, 8, 16, 16, 16]);
});

test('while a pause lasts, being late is no news', () => {
  const punctuality = new Punctuality();
  for (let atMs = 0; atMs < 1_000; atMs += 100) punctuality.late(atMs);
  expect([punctuality.isTardy(999), punctuality.isTardy(1_000), punctuality.isInDoubt]).toEqual([true, false, true]);
});

test('a block makes all of it good', () => {
  const punctuality = new Punctuality();
  for (const atMs of [0, 1_000, 3_000]) punctuality.late(atMs);
  punctuality.delivered();
  expect([punctuality.isTardy(3_001), punctuality.isInDoubt]).toEqual([false, false]);
  punctuality.late(4_000);
  expect(pauseS(punctuality, 4_000)).toBe(1);
});
