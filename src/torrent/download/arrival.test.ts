import { expect, test } from 'vitest';
import { isTimely, isWorthHedging, jointArrivalMs, owedArrivalsMs } from './arrival.ts';

const peer = (bytesPerMs: number, delayMs: number, queuedBytes = 0) => ({
  queuedBytes,
  pipeline: { bytesPerMs, delayMs },
});

test('peers together are as quick as their sum, behind what they have queued', () => {
  expect(jointArrivalMs([peer(100, 50), peer(300, 20)], 40_000)).toBe(20 + 100);
  expect(jointArrivalMs([peer(100, 50, 10_000), peer(300, 20, 30_000)], 40_000)).toBe(20 + 200);
});

test('nobody delivers nothing, ever', () => {
  expect(jointArrivalMs([], 1)).toBe(Number.POSITIVE_INFINITY);
});

test.each([
  { case: 'it is early', ownMs: 500, othersMs: 10, dueInMs: 1_000, take: true },
  {
    case: 'it is in time, but only just, and others are quicker',
    ownMs: 600,
    othersMs: 10,
    dueInMs: 1_000,
    take: false,
  },
  { case: 'the others would be done long before', ownMs: 900, othersMs: 100, dueInMs: 0, take: false },
  { case: 'the others need as long', ownMs: 900, othersMs: 900, dueInMs: 0, take: true },
  { case: 'the others would be done a little sooner', ownMs: 900, othersMs: 890, dueInMs: 0, take: false },
  { case: 'there are no others', ownMs: 90_000, othersMs: Infinity, dueInMs: 0, take: true },
])('when $case, a block a reader needs is taken: $take', ({ take, ownMs, othersMs, dueInMs }) => {
  expect(isTimely({ ownMs, othersMs, dueInMs })).toBe(take);
});

test.each([
  { case: 'as quick', arrivesInMs: 100, secondMs: 100, worth: false },
  { case: 'a little quicker', arrivesInMs: 100, secondMs: 60, worth: false },
  { case: 'much quicker', arrivesInMs: 200, secondMs: 60, worth: true },
  { case: 'quicker by milliseconds', arrivesInMs: 20, secondMs: 2, worth: false },
  { case: 'absent', arrivesInMs: 60_000, secondMs: Infinity, worth: false },
])('a second source that is $case is worth its bytes: $worth', ({ arrivesInMs, secondMs, worth }) => {
  expect(isWorthHedging(arrivesInMs, secondMs)).toBe(worth);
});

test('a source that is behind its estimate is expected to be as late again, and so is all that follows', () => {
  const first = (headInMs: number): number[] => [...owedArrivalsMs(headInMs, 16).take(3)];
  expect(first(40)).toEqual([40, 56, 72]);
  expect(first(-300)).toEqual([300, 316, 332]);
});

test('a block is not divided: many together bring it no sooner than the quickest of them alone', () => {
  const many = Array.from({ length: 30 }, () => peer(100, 50));
  expect(jointArrivalMs(many, 10_000)).toBe(50 + 100);
});
