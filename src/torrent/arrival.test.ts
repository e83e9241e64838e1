import { expect, test } from 'vitest';
import { isTimely, jointArrivalMs } from './arrival.ts';

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
  { case: 'it is in time', ownMs: 900, othersMs: 10, dueInMs: 1_000, take: true },
  { case: 'the others would be done long before', ownMs: 900, othersMs: 100, dueInMs: 0, take: false },
  { case: 'the others need as long', ownMs: 900, othersMs: 700, dueInMs: 0, take: true },
  { case: 'there are no others', ownMs: 90_000, othersMs: Infinity, dueInMs: 0, take: true },
])('when $case, an urgent block is taken: $take', ({ take, ownMs, othersMs, dueInMs }) => {
  expect(isTimely({ ownMs, othersMs, dueInMs })).toBe(take);
});
