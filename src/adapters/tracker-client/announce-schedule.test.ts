import { assert, float, integer, nat, property } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { announceAgainMs, type Outcome, retryDelayMs, TierSchedule } from './announce-schedule.ts';

const MINUTE_MS = 60_000;

describe('the next announce', () => {
  test.each([
    { intervalSec: 1_800, phase: 0, nowMs: 0, want: 30 * MINUTE_MS },
    { intervalSec: 1_800, phase: 0.5, nowMs: 0, want: 22.5 * MINUTE_MS },
    { intervalSec: 1_800, phase: 0.5, nowMs: 22.5 * MINUTE_MS, want: 30 * MINUTE_MS }, // it keeps its place
    { intervalSec: 0, phase: 0, nowMs: 0, want: 30 * MINUTE_MS }, // none given
    { intervalSec: 1, phase: 0, nowMs: 0, want: 30_000 },
    { intervalSec: 1e9, phase: 0, nowMs: 0, want: 180 * MINUTE_MS },
    { intervalSec: 1_800, minIntervalSec: 1_500, phase: 0, nowMs: 0, want: 30 * MINUTE_MS },
    { intervalSec: 1_800, minIntervalSec: 1_801, phase: 0, nowMs: 0, want: 45 * MINUTE_MS },
  ])(
    'at $nowMs ms, with $intervalSec s asked for and phase $phase, comes after $want ms',
    ({ nowMs, phase, want, ...wanted }) => {
      expect(announceAgainMs(nowMs, wanted, phase, 0)).toBe(want);
    },
  );

  test('is never before the minimum interval or half the interval, nor later than the interval and a jitter', () => {
    const input = [
      nat(1e9),
      integer({ min: 60, max: 7_200 }),
      nat(3_600),
      float({ min: 0, max: Math.fround(0.999), noNaN: true }),
    ] as const;
    assert(
      property(
        ...input,
        float({ min: 0, max: Math.fround(0.999), noNaN: true }),
        (nowMs, intervalSec, minIntervalSec, phase, random) => {
          const delayMs = announceAgainMs(nowMs, { intervalSec, minIntervalSec }, phase, random);
          const earliestMs = Math.max(intervalSec * 500, minIntervalSec * 1_000);
          expect(delayMs).toBeGreaterThanOrEqual(earliestMs - 1);
          expect(delayMs).toBeLessThanOrEqual(earliestMs + intervalSec * 500 + 10_001);
        },
      ),
    );
  });

  test('of thousands that started together spreads over the interval', () => {
    const perMinute = new Map<number, number>();
    for (let torrent = 0; torrent < 6_000; torrent++) {
      const delayMs = announceAgainMs(0, { intervalSec: 1_800 }, (torrent * 0.618_034) % 1, 0);
      perMinute.set(Math.floor(delayMs / MINUTE_MS), (perMinute.get(Math.floor(delayMs / MINUTE_MS)) ?? 0) + 1);
    }
    expect(Math.max(...perMinute.values())).toBeLessThan(450); // 6,000 over 15 minutes are 400 a minute
    expect(perMinute.size).toBeGreaterThanOrEqual(15);
  });
});

test.each([
  [1, 0, 15_000],
  [2, 0, 30_000],
  [2, 0.5, 33_000],
  [30, 0, 3_600_000],
  [30, 1, 3_660_000],
])('after %i failures and a draw of %f a tracker is left alone for %i ms', (failures, random, delayMs) => {
  expect(retryDelayMs(failures, random)).toBe(delayMs);
});

describe('a tier', () => {
  const answered = { kind: 'answered', intervalSec: 1_800 } as const;
  const unreachable = (notBeforeMs: number): Outcome => ({ kind: 'unreachable', notBeforeMs });
  const refused = (retryInMinutes?: number | 'never'): Outcome => ({ kind: 'refused', retryInMinutes });
  /** 0.99 keeps the order of the trackers; then draws of 0. */
  function tier(trackers: number): TierSchedule {
    let draws = 0;
    return new TierSchedule(trackers, 0, () => (draws++ < trackers - 1 ? 0.99 : 0));
  }

  test('says started once to each tracker, completed once, and updates between', () => {
    const schedule = tier(1);
    expect(schedule.next(0)).toEqual({ tracker: 0, event: 'started' });
    schedule.took(0, 'started', answered, 0);
    expect(schedule.next(0)?.event).toBe('update');
    schedule.completed();
    expect(schedule.next(0)?.event).toBe('completed');
    schedule.took(0, 'completed', answered, 0);
    expect(schedule.next(0)?.event).toBe('update');
    expect(schedule.farewells()).toEqual([0]);
  });

  test('that completes while it says started is due again at once', () => {
    const schedule = tier(1);
    schedule.next(0);
    schedule.completed();
    expect(schedule.took(0, 'started', answered, 5_000)).toBe(5_000);
    expect(schedule.next(5_000)?.event).toBe('completed');
  });

  test('goes on to the next tracker when one is unreachable, and keeps the one that answers (BEP 12)', () => {
    const schedule = tier(3);
    expect(schedule.next(0)?.tracker).toBe(0);
    expect(schedule.took(0, 'started', unreachable(15_000), 0)).toBe(0);
    expect(schedule.next(0)?.tracker).toBe(1);
    schedule.took(1, 'started', answered, 0);
    expect(schedule.next(60_000)).toEqual({ tracker: 1, event: 'update' });
    expect(schedule.farewells()).toEqual([1]);
  });

  test('of which all are unreachable waits for the first that may be asked again', () => {
    const schedule = tier(2);
    schedule.took(0, 'started', unreachable(15_000), 0);
    expect(schedule.took(1, 'started', unreachable(40_000), 100)).toBe(15_000);
    expect(schedule.next(14_999)).toBeUndefined();
    expect(schedule.next(15_000)).toEqual({ tracker: 0, event: 'started' });
  });

  test.each([
    ['no time', undefined, 15_000],
    ['10 minutes', 10, 600_000],
    ['0 minutes', 0, 15_000],
    ['never', 'never', 30 * 24 * 3_600_000],
    ['a time beyond reason', 1e12, 30 * 24 * 3_600_000],
  ] as const)('that is refused with %s (BEP 31) comes back as told', (_what, retryInMinutes, dueAtMs) => {
    expect(tier(1).took(0, 'started', refused(retryInMinutes), 0)).toBe(dueAtMs);
  });

  test('that is refused again and again comes less and less', () => {
    const schedule = tier(1);
    expect(schedule.took(0, 'started', refused(), 0)).toBe(15_000);
    expect(schedule.took(0, 'started', refused(), 15_000)).toBe(45_000);
    schedule.took(0, 'started', answered, 45_000);
    expect(schedule.took(0, 'update', refused(), 50_000)).toBe(65_000);
  });

  test('is shuffled once, so that not all clients ask the same tracker', () => {
    const firsts = new Set(
      Array.from({ length: 10 }, (_, at) => new TierSchedule(3, 0, () => at / 10).next(0)?.tracker),
    );
    expect(firsts).toEqual(new Set([0, 1, 2]));
  });
});
