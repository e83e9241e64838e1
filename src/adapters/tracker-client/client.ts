/** One tracker as a client sees it, whichever protocol it speaks. */
import { AppError } from '../../base/errors.ts';
import type { SwarmKey } from '../../base/ids.ts';
import { SECOND_MS } from '../../base/units.ts';
import type { Announce, AnnounceAnswer, SwarmCounts, TrackerFailure } from '../../codec/announce.ts';

/** One request over HTTP, redirects included. */
export const REQUEST_TIMEOUT_MS = 15 * SECOND_MS;

/** The tracker answered, and does not want us: another torrent may fare better there. */
export class TrackerRefused extends AppError {
  override readonly code = 'tracker_refused';
  /** BEP 31. */
  readonly retryInMinutes: number | 'never' | undefined;

  constructor({ reason, retryInMinutes }: TrackerFailure) {
    super(`the tracker refused: ${reason}`, { retryInMinutes });
    this.retryInMinutes = retryInMinutes;
  }
}

export interface TrackerClient {
  readonly url: string;
  /** Peers come back judged. @throws TrackerRefused; Unavailable, TimedOut, InvalidInput when it is out of order; Cancelled */
  announce(announce: Announce, signal: AbortSignal): Promise<AnnounceAnswer>;
  /** Counts of the torrents the tracker knows. @throws as `announce`; Unavailable where it does not scrape */
  scrape(keys: readonly SwarmKey[], signal: AbortSignal): Promise<ReadonlyMap<SwarmKey, SwarmCounts>>;
}

/** The answer. @throws TrackerRefused */
export function accepted<Answer extends { readonly kind: 'answer' }>(answer: Answer | TrackerFailure): Answer {
  if (isFailure(answer)) throw new TrackerRefused(answer);
  return answer;
}

function isFailure(answer: { readonly kind: string }): answer is TrackerFailure {
  return answer.kind === 'failure';
}
