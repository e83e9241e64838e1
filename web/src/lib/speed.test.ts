import { expect, test } from 'vitest';
import { noSpeed, sampleSpeed, speedOf, type SpeedMeter } from './speed.ts';

function feed(points: readonly (readonly [number, number])[]): SpeedMeter {
  return points.reduce<SpeedMeter>((meter, [atMs, totalBytes]) => sampleSpeed(meter, { atMs, totalBytes }), noSpeed);
}

test.each([
  { points: [], want: 0 },
  { points: [[0, 500]], want: 0 },
  {
    points: [
      [0, 0],
      [1000, 4096],
    ],
    want: 4096,
  },
  {
    points: [
      [0, 0],
      [1000, 1000],
      [7000, 1000],
    ],
    want: 0,
  },
  {
    points: [
      [0, 9000],
      [1000, 9500],
      [2000, 100],
      [3000, 300],
    ],
    want: 200,
  },
] as const)('readings $points give $want B/s', ({ points, want }) => {
  expect(speedOf(feed(points))).toBe(want);
});

test('a thousand readings a second keep the meter small and the speed right', () => {
  const meter = feed(Array.from({ length: 4000 }, (_, ms) => [ms, ms * 10] as const));
  expect(meter.length).toBeLessThanOrEqual(32);
  expect(speedOf(meter)).toBeCloseTo(10_000, -2);
});
