/** One tracker as a client sees it, whichever protocol it speaks. */
import type { SwarmKey } from '../../base/ids.ts';
import { SECOND_MS } from '../../base/units.ts';
import type { Announce, AnnounceAnswer, SwarmCounts } from '../../codec/announce.ts';

/** One request, tries included. */
export const REQUEST_TIMEOUT_MS = 15 * SECOND_MS;

export interface TrackerClient {
  readonly url: string;
  /** @throws Unavailable with the tracker's reason, TimedOut, InvalidInput for a broken answer, Cancelled */
  announce(announce: Announce, signal: AbortSignal): Promise<AnnounceAnswer>;
  /** Counts of the torrents the tracker knows. @throws as `announce`; Unavailable where it does not scrape */
  scrape(keys: readonly SwarmKey[], signal: AbortSignal): Promise<ReadonlyMap<SwarmKey, SwarmCounts>>;
}
