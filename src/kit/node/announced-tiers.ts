/** How many of the trackers that a torrent names are announced to: all tiers announce at once (BEP 12). */
import type { AddressSource } from '../../base/address-policy.ts';

/** What strangers may name for one torrent; the longest lists that people share have some eighty trackers. */
export const TOLD_TRACKERS = { tiers: 50, trackers: 100 } as const;

/** The tiers to announce to, each tracker once: all that are judged, and of a stranger's the first so many. */
export function announcedTiers(tiers: readonly (readonly string[])[], source: AddressSource): string[][] {
  const known = new Set<string>();
  const distinct = tiers.map((tier) =>
    tier.filter((url) => {
      const isNew = !known.has(url);
      if (isNew && (source === 'judged' || known.size < TOLD_TRACKERS.trackers)) known.add(url);
      return isNew && known.has(url);
    }),
  );
  const named = distinct.filter((tier) => tier.length > 0);
  return source === 'judged' ? named : named.slice(0, TOLD_TRACKERS.tiers);
}
