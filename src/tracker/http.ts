/** The tracker over HTTP (BEP 3, 7, 23, 48): query in, bencode out. Refusals are answers too, as trackers do, with status 200. */
import { parseIp } from '../base/address.ts';
import { InvalidInput } from '../base/errors.ts';
import type { SwarmKey } from '../base/ids.ts';
import {
  encodeCompactAnswer,
  encodeDictionaryAnswer,
  encodeHttpFailure,
  encodeHttpScrape,
  parseHttpAnnounce,
  parseHttpScrape,
} from '../codec/tracker-http.ts';
import type { SwarmCounts } from '../codec/announce.ts';
import { addressesOf, NOT_TRACKED, type SwarmRegistry } from './registry.ts';

/** Clients may announce again so soon, for instance when they need peers. */
const MIN_INTERVAL_SEC = 60;

export class HttpTracker {
  readonly #registry: SwarmRegistry;

  constructor(registry: SwarmRegistry) {
    this.#registry = registry;
  }

  /** `query` is what follows `?`; `remoteHost` the caller's IP literal. Never throws for what the caller sent. */
  announce(query: string, remoteHost: string): Uint8Array<ArrayBuffer> {
    return orFailure(() => this.#announce(query, remoteHost));
  }

  /** Counts for up to 74 torrents; unknown ones have none. Never throws for what the caller sent. */
  scrape(query: string, remoteHost: string): Uint8Array<ArrayBuffer> {
    return orFailure(() => {
      const files = new Map<SwarmKey, SwarmCounts>();
      for (const key of parseHttpScrape(query)) files.set(key, this.#registry.publicCounts(key, remoteHost));
      return encodeHttpScrape(files);
    });
  }

  #announce(query: string, remoteHost: string): Uint8Array<ArrayBuffer> {
    const announce = parseHttpAnnounce(query);
    const { swarmKey, event, numWant } = announce;
    const peer = compactPeer(parseIp(remoteHost), announce.port);
    const list = this.#registry.announce({
      swarmKey,
      event,
      numWant,
      peer,
      remoteHost,
      isSeeder: announce.leftBytes === 0,
    });
    if (list === undefined) return encodeHttpFailure(NOT_TRACKED);
    const { seeders, leechers } = list;
    const { intervalSec } = this.#registry.limits;
    const head = { intervalSec, minIntervalSec: Math.min(MIN_INTERVAL_SEC, intervalSec), seeders, leechers };
    if (announce.compact) return encodeCompactAnswer(head, list.v4, list.v6);
    return encodeDictionaryAnswer(
      head,
      addressesOf(list).map((address) => ({ address })),
    );
  }
}

/** IP bytes and port as BEP 23 and BEP 7 write them. */
export function compactPeer(ip: Uint8Array, port: number): Uint8Array<ArrayBuffer> {
  const peer = new Uint8Array(ip.length + 2);
  peer.set(ip);
  peer[ip.length] = port >>> 8;
  peer[ip.length + 1] = port;
  return peer;
}

function orFailure(answer: () => Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  try {
    return answer();
  } catch (error) {
    if (error instanceof InvalidInput) return encodeHttpFailure(error.message);
    throw error;
  }
}
