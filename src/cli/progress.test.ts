import { describe, expect, test } from 'vitest';
import { type Progress, progressLine, rateMeter, remainingMs } from './progress.ts';

const HALF: Progress = {
  label: 'downloading film',
  doneBytes: 1 << 20,
  totalBytes: 2 << 20,
  bytesPerSecond: 1 << 19,
  peers: 3,
};

describe('the progress line', () => {
  test('says what, how far, how fast, how long and with whom', () => {
    expect(progressLine(HALF)).toBe(
      'downloading film  ▕████████████            ▏   50 %  1.0 MiB of 2.0 MiB  512 KiB/s  2 s left  3 peers',
    );
  });

  test.each<[string, Partial<Progress>, string]>([
    ['nothing is known yet', { totalBytes: undefined, doneBytes: 0 }, 'downloading film  0 B  512 KiB/s  3 peers'],
    ['there is one peer', { totalBytes: undefined, peers: 1 }, 'downloading film  1.0 MiB  512 KiB/s  1 peer'],
  ])('is honest when %s', (_when, change, line) => {
    expect(progressLine({ ...HALF, ...change })).toBe(line);
  });

  test('never wraps: it ends at the edge of the terminal', () => {
    expect(progressLine(HALF, 20)).toBe('downloading film  ▕█');
  });
});

test.each<[Partial<Progress>, number | undefined]>([
  [{}, 2_000],
  [{ bytesPerSecond: 0 }, undefined],
  [{ totalBytes: undefined }, undefined],
  [{ doneBytes: 2 << 20 }, undefined],
  [{ bytesPerSecond: 1 << 30 }, 1_000],
])('with %o the time left is %s ms', (change, leftMs) => {
  expect(remainingMs({ ...HALF, ...change })).toBe(leftMs);
});

test('the rate is bytes over time since the start', () => {
  let nowMs = 1_000;
  const rate = rateMeter(() => nowMs);
  nowMs = 3_000;
  expect(rate(4_000)).toBe(2_000);
});
