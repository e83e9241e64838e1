/**
 * Meets the peers of each joined torrent at the tracker: announces, hands offers out while pieces are wanted, answers
 * always. A browser that only seeds never offers: whoever wants pieces does.
 */
import type { SwarmWish } from '../browser/link-messages.ts';
import type { Cancel, Clock } from '../../base/clock.ts';
import type { SwarmKey } from '../../base/ids.ts';
import { MINUTE_MS, SECOND_MS } from '../../base/units.ts';
import type { AnnounceEvent } from '../../codec/announce.ts';
import type { LatinId, WsClientMessage, WsOffer, WsServerMessage } from '../../codec/tracker-ws.ts';
import type { PeerLinks } from './peer-links.ts';

/** Offers made while the tracker could not be reached are worth sending for so long. */
const FRESH_MS = 10 * SECOND_MS;
/** Enough for the server's own seeder and a few browsers; every offer costs the page a connection object. */
const OFFERS_PER_ANNOUNCE = 4;
const FIRST_RETRY_MS = 2 * SECOND_MS;
const MIN_INTERVAL_MS = 15 * SECOND_MS;
const MAX_INTERVAL_MS = 15 * MINUTE_MS;
const DEFAULT_INTERVAL_MS = 2 * MINUTE_MS;

export interface RendezvousPorts {
  readonly clock: Clock;
  readonly random: () => number;
  readonly ownId: LatinId;
  readonly links: Pick<
    PeerLinks,
    'offer' | 'live' | 'room' | 'takeOffer' | 'takeAnswer' | 'takeCandidate' | 'closeAll'
  >;
  send(message: WsClientMessage): void;
}

interface Joined {
  wish: SwarmWish;
  intervalMs: number;
  /** Announces in a row that brought nobody. */
  attempts: number;
  /** Announces in a row that the tracker refused. */
  refusals: number;
  /** An announce is being made, or waits for the connection. */
  isPrepared: boolean;
  /** What happened meanwhile and must be told after it. */
  next: AnnounceEvent | undefined;
  cancel: Cancel;
}

/** Time until the next announce: soon and then less often while pieces are wanted and nobody is there. */
export function nextAnnounceMs(
  { intervalMs, attempts }: { intervalMs: number; attempts: number },
  isLonely: boolean,
  random: number,
): number {
  const pauseMs = isLonely ? Math.min(intervalMs, FIRST_RETRY_MS * 2 ** Math.min(attempts, 16)) : intervalMs;
  return pauseMs * (0.9 + 0.2 * random);
}

export class Rendezvous {
  readonly #ports: RendezvousPorts;
  readonly #joined = new Map<SwarmKey, Joined>();
  /** Resolved while the tracker can be reached. */
  #connection = Promise.withResolvers<void>();
  #isConnected = false;

  constructor(ports: RendezvousPorts) {
    this.#ports = ports;
  }

  get isEmpty(): boolean {
    return this.#joined.size === 0;
  }

  /** Joins the swarm, or tells what changed: new wants and completion are announced at once. */
  wish(key: SwarmKey, wish: SwarmWish): void {
    const joined = this.#joined.get(key);
    if (joined === undefined) {
      this.#joined.set(key, {
        wish,
        intervalMs: DEFAULT_INTERVAL_MS,
        attempts: 0,
        refusals: 0,
        isPrepared: false,
        next: undefined,
        cancel: () => undefined,
      });
      return this.#announce(key, 'started');
    }
    const before = joined.wish;
    joined.wish = wish;
    if (wish.leftBytes === 0 && before.leftBytes !== 0)
      return this.#announce(key, before.leftBytes === undefined ? 'update' : 'completed');
    if (wish.wantsPeers && !before.wantsPeers) {
      joined.attempts = 0;
      this.#announce(key, 'update');
    }
  }

  leave(key: SwarmKey): void {
    const joined = this.#joined.get(key);
    if (joined === undefined) return;
    joined.cancel();
    this.#joined.delete(key);
    this.#ports.send(this.#message(key, joined, 'stopped', []));
    this.#ports.links.closeAll(key);
  }

  leaveAll(): void {
    for (const key of this.#joined.keys()) this.leave(key);
  }

  /** The tracker can be reached (again): what was prepared leaves, everything else is announced anew. */
  connected(): void {
    this.#isConnected = true;
    this.#connection.resolve();
    for (const [key, { isPrepared }] of this.#joined) if (!isPrepared) this.#announce(key, 'started');
  }

  disconnected(): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    this.#connection = Promise.withResolvers();
  }

  receive(message: WsServerMessage): void {
    const { links } = this.#ports;
    switch (message.type) {
      case 'announced':
        return this.#announced(message.swarmKey, message.intervalSec * SECOND_MS);
      case 'offer':
        if (!this.#joined.has(message.swarmKey)) return;
        return links.takeOffer(message.swarmKey, message.peerId, message.offerId, message.sdp, message.trickle);
      case 'answer':
        return links.takeAnswer(message.swarmKey, message.peerId, message.offerId, message.sdp, message.trickle);
      case 'candidate':
        return links.takeCandidate(message.swarmKey, message.peerId, message.offerId, message.candidate);
      case 'failed':
        return message.swarmKey === undefined ? undefined : this.#refused(message.swarmKey);
      case 'scraped':
        return;
    }
  }

  #announced(key: SwarmKey, intervalMs: number): void {
    const joined = this.#joined.get(key);
    if (joined === undefined) return;
    joined.intervalMs = Math.min(MAX_INTERVAL_MS, Math.max(MIN_INTERVAL_MS, intervalMs));
    joined.refusals = 0;
  }

  /** The tracker may learn of a torrent a moment after us: an upload that has just begun. */
  #refused(key: SwarmKey): void {
    const joined = this.#joined.get(key);
    if (joined === undefined) return;
    joined.cancel();
    const { intervalMs, refusals } = joined;
    const pauseMs = nextAnnounceMs({ intervalMs, attempts: refusals }, true, this.#ports.random());
    joined.refusals++;
    joined.cancel = this.#ports.clock.after(pauseMs, () => this.#announce(key, 'started'));
  }

  /** Offers are made while the connection is, so that they leave with its first message. */
  #announce(key: SwarmKey, event: AnnounceEvent): void {
    const joined = this.#joined.get(key);
    if (joined === undefined) return;
    if (joined.isPrepared) {
      joined.next = event;
      return;
    }
    joined.isPrepared = true;
    joined.cancel();
    const { links, clock } = this.#ports;
    const startMs = clock.monotonicMs();
    const tell = async (offers: readonly WsOffer[]): Promise<void> => {
      if (!this.#isConnected) await this.#connection.promise;
      joined.isPrepared = false;
      if (this.#joined.get(key) !== joined) return;
      const isStale = clock.monotonicMs() - startMs > FRESH_MS;
      const next = isStale ? event : joined.next;
      joined.next = undefined;
      if (!isStale) this.#ports.send(this.#message(key, joined, event, offers));
      this.#schedule(key, joined);
      if (next !== undefined) this.#announce(key, next);
    };
    const count = joined.wish.wantsPeers && links.room(key) > 0 ? OFFERS_PER_ANNOUNCE : 0;
    // Offers that cannot be made are left out by `offer` itself; it does not fail.
    void links.offer(key, count, tell);
  }

  #schedule(key: SwarmKey, joined: Joined): void {
    joined.cancel();
    const isLonely = joined.wish.wantsPeers && this.#ports.links.live(key) === 0;
    const pauseMs = nextAnnounceMs(joined, isLonely, this.#ports.random());
    joined.attempts = isLonely ? joined.attempts + 1 : 0;
    joined.cancel = this.#ports.clock.after(pauseMs, () => this.#announce(key, 'update'));
  }

  #message(swarmKey: SwarmKey, { wish }: Joined, event: AnnounceEvent, offers: readonly WsOffer[]): WsClientMessage {
    const { leftBytes, downloadedBytes, uploadedBytes } = wish;
    return {
      type: 'announce',
      swarmKey,
      peerId: this.#ports.ownId,
      event,
      uploadedBytes,
      downloadedBytes,
      ...(leftBytes !== undefined && { leftBytes }),
      offers,
      trickle: true,
    };
  }
}
