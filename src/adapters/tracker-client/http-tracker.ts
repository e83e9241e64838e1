/** Announces and scrapes over HTTP (BEP 3, 7, 23, 48). Answers are bounded, redirects are not followed. */
import { type Clock, systemClock } from '../../base/clock.ts';
import { concatBytes } from '../../base/bytes.ts';
import { AppError, Cancelled, ProtocolError, TimedOut, Unavailable } from '../../base/errors.ts';
import type { SwarmKey } from '../../base/ids.ts';
import { MIB } from '../../base/units.ts';
import type { Announce, AnnounceAnswer, SwarmCounts } from '../../codec/announce.ts';
import { decodeHttpAnswer, decodeHttpScrape, formatHttpAnnounce, formatHttpScrape } from '../../codec/tracker-http.ts';
import { REQUEST_TIMEOUT_MS, type TrackerClient } from './client.ts';

const MAX_ANSWER_BYTES = MIB;

export class HttpTracker implements TrackerClient {
  readonly url: string;
  readonly #clock: Clock;

  constructor(url: string, clock: Clock = systemClock) {
    this.url = url;
    this.#clock = clock;
  }

  async announce(announce: Announce, signal: AbortSignal): Promise<AnnounceAnswer> {
    const url = formatHttpAnnounce(this.url, { ...announce, compact: true, noPeerId: true });
    const answer = decodeHttpAnswer(await this.#get(url, signal));
    if (answer.kind === 'failure') throw new Unavailable(`the tracker refused: ${answer.reason}`, refusal(answer));
    return answer;
  }

  async scrape(keys: readonly SwarmKey[], signal: AbortSignal): Promise<ReadonlyMap<SwarmKey, SwarmCounts>> {
    const url = formatHttpScrape(this.url, keys);
    if (url === undefined) throw new Unavailable('this tracker does not scrape');
    const answer = decodeHttpScrape(await this.#get(url, signal));
    if ('kind' in answer) throw new Unavailable(`the tracker refused: ${answer.reason}`, refusal(answer));
    return answer;
  }

  async #get(url: string, signal: AbortSignal): Promise<Uint8Array> {
    const attempt = new AbortController();
    const abort = (): void => attempt.abort(new Cancelled('announcing was cancelled', {}, { cause: signal.reason }));
    const cancelTimeout = this.#clock.after(REQUEST_TIMEOUT_MS, () =>
      attempt.abort(new TimedOut('the tracker did not answer', { tracker: hostOf(this.url) })),
    );
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    try {
      const response = await fetch(url, { signal: attempt.signal, redirect: 'error' });
      return await readBounded(response);
    } catch (error) {
      throw asAppError(attempt.signal.aborted ? attempt.signal.reason : error, this.url);
    } finally {
      cancelTimeout();
      signal.removeEventListener('abort', abort);
    }
  }
}

/** BEP 31 lives in the facts, for whoever schedules the next announce. */
function refusal(failure: { readonly retryInMinutes?: number | 'never' }): {
  retryInMinutes: number | 'never' | undefined;
} {
  return { retryInMinutes: failure.retryInMinutes };
}

/** Trackers put their reasons into bodies of any status. */
async function readBounded(response: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > MAX_ANSWER_BYTES) throw new ProtocolError('the tracker sent too much', { sizeBytes });
    chunks.push(chunk);
  }
  if (!response.ok && sizeBytes === 0) throw new Unavailable('the tracker refused', { statusCode: response.status });
  return concatBytes(chunks);
}

function hostOf(url: string): string {
  return URL.parse(url)?.host ?? '';
}

function asAppError(error: unknown, url: string): AppError {
  if (error instanceof AppError) return error;
  return new Unavailable('the tracker cannot be reached', { tracker: hostOf(url) }, { cause: error });
}
