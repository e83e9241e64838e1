import { expect, test } from 'vitest';
import { RateMeter, TokenBucket } from './rate.ts';

test.each([500, 3_000, 60_000])(
  'a steady 1,000 bytes per 100 ms reads as 10,000 per second after %i ms',
  (durationMs) => {
    const meter = new RateMeter(0);
    for (let nowMs = 100; nowMs <= durationMs; nowMs += 100) meter.add(1_000, nowMs);
    expect(meter.bytesPerSecond(durationMs)).toBeGreaterThan(9_000);
    expect(meter.bytesPerSecond(durationMs)).toBeLessThan(11_500);
    expect(meter.totalBytes).toBe(durationMs * 10);
  },
);

test('a meter forgets: half a minute of silence is nearly zero', () => {
  const meter = new RateMeter(0);
  meter.add(1_000_000, 100);
  expect(meter.bytesPerSecond(30_000)).toBeLessThan(50);
});

test('one byte right at the start does not read as a huge speed', () => {
  const meter = new RateMeter(0);
  meter.add(1, 0);
  expect(meter.bytesPerSecond(0)).toBeLessThanOrEqual(12);
});

test('a bucket lets its rate through over time, whatever the size of the bites', () => {
  const bucket = new TokenBucket(100_000, 0);
  let passed = 0;
  for (let nowMs = 0; nowMs <= 10_000; nowMs += 10)
    if (bucket.available(nowMs) > 0) {
      bucket.take(16_384);
      passed += 16_384;
    }
  expect(passed).toBeGreaterThan(970_000);
  expect(passed).toBeLessThan(1_060_000);
});

test('a bucket that nobody uses saves no more than a quarter second', () => {
  const bucket = new TokenBucket(1_000_000, 0);
  expect(bucket.available(60_000)).toBe(250_000);
});

test('what is given back may be used again, but not saved beyond the burst', () => {
  const bucket = new TokenBucket(1_000_000, 0);
  bucket.take(200_000);
  bucket.take(-200_000);
  bucket.take(-200_000);
  expect(bucket.available(0)).toBe(250_000);
});

test('without a limit everything passes; a limit set later holds from then on; lifted again, it is gone', () => {
  const bucket = new TokenBucket(Number.POSITIVE_INFINITY, 0);
  bucket.take(1e12);
  expect(bucket.available(0)).toBe(Number.POSITIVE_INFINITY);
  bucket.limit(1_000_000, 0);
  expect(bucket.available(0)).toBe(250_000);
  bucket.take(250_000);
  expect(bucket.available(0)).toBe(0);
  bucket.limit(Number.POSITIVE_INFINITY, 0);
  expect(bucket.available(0)).toBe(Number.POSITIVE_INFINITY);
});

test('a limit of 0 lets nothing pass, ever', () => {
  const bucket = new TokenBucket(1_000_000, 0);
  bucket.limit(0, 0);
  expect([bucket.available(0), bucket.available(60_000)]).toEqual([0, 0]);
});
