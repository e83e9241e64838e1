import { expect, test } from 'vitest';
import { announcedTiers, TOLD_TRACKERS } from './announced-tiers.ts';

/** So many tiers of so many trackers, all different. */
function tiersOf(tiers: number, trackers: number): string[][] {
  return Array.from({ length: tiers }, (_, tier) =>
    Array.from({ length: trackers }, (_tracker, at) => `udp://${tier}-${at}.example:1`),
  );
}

test.each([
  { tiers: 100, trackers: 100, announced: [100] },
  { tiers: 1, trackers: 500, announced: [100] },
  { tiers: 200, trackers: 1, announced: Array.from({ length: 50 }, () => 1) },
  { tiers: 3, trackers: 40, announced: [40, 40, 20] },
  { tiers: 3, trackers: 2, announced: [2, 2, 2] },
])(
  'of a stranger’s $tiers tiers of $trackers trackers, the first are announced to',
  ({ tiers, trackers, announced }) => {
    const named = tiersOf(tiers, trackers);
    const asked = announcedTiers(named, 'told');
    expect(asked.map((tier) => tier.length)).toEqual(announced);
    expect(asked.flat()).toEqual(
      named.flatMap((tier) => tier.slice(0, TOLD_TRACKERS.trackers)).slice(0, asked.flat().length),
    );
  },
);

test('what a person names is announced to, all of it', () => {
  const named = tiersOf(70, 7);
  expect(announcedTiers(named, 'judged')).toEqual(named);
});

test.each(['told', 'judged'] as const)('a tracker that is %s in several tiers is announced to once', (source) => {
  const [one, two] = ['udp://one.example:1', 'udp://two.example:1'];
  expect(announcedTiers([[one, two, one], [two], [], [one]], source)).toEqual([[one, two]]);
});
