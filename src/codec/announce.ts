/** What peers tell trackers and trackers tell peers, whichever protocol carries it (BEP 3, 7, 15, 21, 23, 48). */
import type { PeerAddress } from '../base/address.ts';
import type { SwarmKey } from '../base/ids.ts';

/** Why a peer announces; `update` is the regular one, `paused` is BEP 21. */
export type AnnounceEvent = 'update' | 'started' | 'completed' | 'stopped' | 'paused';

/** Text form of an event; the empty string is a plain update. Undefined for words nobody defined. */
export function parseAnnounceEvent(text: string): AnnounceEvent | undefined {
  switch (text) {
    case '':
    case 'empty':
    case 'update':
      return 'update';
    case 'started':
    case 'completed':
    case 'stopped':
    case 'paused':
      return text;
    default:
      return undefined;
  }
}

/** One announce over HTTP or UDP. */
export interface Announce {
  readonly swarmKey: SwarmKey;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  /** TCP port the peer listens on, 1 to 65,535. */
  readonly port: number;
  readonly uploadedBytes: number;
  readonly downloadedBytes: number;
  /** Absent when the peer does not know, as before it has the metadata. 0 = seeder. */
  readonly leftBytes?: number;
  readonly event: AnnounceEvent;
  /** Peers asked for; absent = as the tracker likes. */
  readonly numWant?: number;
}

/** How many are in a swarm. */
export interface SwarmCounts {
  readonly seeders: number;
  readonly leechers: number;
  /** Peers that have announced `completed`. */
  readonly completed: number;
}

/** A tracker's answer to an announce, as a client reads it. */
export interface AnnounceAnswer {
  readonly kind: 'answer';
  readonly intervalSec: number;
  readonly minIntervalSec?: number;
  readonly seeders?: number;
  readonly leechers?: number;
  readonly warning?: string;
  /** For the guard to judge before anybody is dialled. */
  readonly peers: readonly PeerAddress[];
}

/** A tracker's refusal. */
export interface TrackerFailure {
  readonly kind: 'failure';
  readonly reason: string;
  /** BEP 31. */
  readonly retryInMinutes?: number | 'never';
}

/** Most info hashes in one scrape (BEP 15). */
export const MAX_SCRAPE_KEYS = 74;
/** Most peers taken from one answer of a tracker. */
export const MAX_ANSWER_PEERS = 1_000;
