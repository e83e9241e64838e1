/**
 * Announces and scrapes over HTTP (BEP 3, 7, 23, 48), through the guard: bounded answers, few connections per tracker,
 * kept open between announces. Peers come back judged.
 */
import type { AddressSource } from '../../base/address-policy.ts';
import { Unavailable } from '../../base/errors.ts';
import type { SwarmKey } from '../../base/ids.ts';
import { MIB } from '../../base/units.ts';
import type { Announce, AnnounceAnswer, SwarmCounts } from '../../codec/announce.ts';
import { decodeHttpAnswer, decodeHttpScrape, formatHttpAnnounce, formatHttpScrape } from '../../codec/tracker-http.ts';
import { guardedFetch, type Fetched } from '../guard/fetch.ts';
import { FetchFailed } from '../guard/fetch-failed.ts';
import type { Guard } from '../guard/guard.ts';
import { accepted, REQUEST_TIMEOUT_MS, type TrackerClient, TrackerRefused } from './client.ts';

const MAX_ANSWER_BYTES = MIB;

export class HttpTracker implements TrackerClient {
  readonly url: string;
  readonly #guard: Guard;
  readonly #source: AddressSource;

  /** `source`: who named the URL. */
  constructor(url: string, guard: Guard, source: AddressSource) {
    this.url = url;
    this.#guard = guard;
    this.#source = source;
  }

  async announce(announce: Announce, signal: AbortSignal): Promise<AnnounceAnswer> {
    const url = formatHttpAnnounce(this.url, { ...announce, compact: true, noPeerId: true });
    const { bytes, address } = await this.#get(url, signal);
    const answer = accepted(decodeHttpAnswer(bytes));
    const { policy } = this.#guard;
    return { ...answer, peers: answer.peers.filter((peer) => policy.allowsPeerFrom(address, peer)) };
  }

  async scrape(keys: readonly SwarmKey[], signal: AbortSignal): Promise<ReadonlyMap<SwarmKey, SwarmCounts>> {
    const url = formatHttpScrape(this.url, keys);
    if (url === undefined) throw new Unavailable('this tracker does not scrape');
    const answer = decodeHttpScrape((await this.#get(url, signal)).bytes);
    if ('kind' in answer) throw new TrackerRefused(answer);
    return answer;
  }

  /** Trackers put their reasons into bodies of any status. */
  async #get(url: string, signal: AbortSignal): Promise<Fetched> {
    const limits = { maxBytes: MAX_ANSWER_BYTES, deadlineMs: REQUEST_TIMEOUT_MS, graceMs: REQUEST_TIMEOUT_MS };
    try {
      const fetched = await guardedFetch(this.#guard, url, {
        ...limits,
        source: this.#source,
        signal,
        anyStatus: true,
      });
      if (fetched.bytes.length > 0 || fetched.statusCode === 200) return fetched;
      throw new FetchFailed('status', { statusCode: fetched.statusCode });
    } catch (error) {
      if (!(error instanceof FetchFailed)) throw error;
      const { reason, statusCode } = error;
      const facts = { tracker: URL.parse(this.url)?.host, reason, statusCode };
      throw new Unavailable('the tracker cannot be reached', facts, { cause: error });
    }
  }
}
