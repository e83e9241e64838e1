/**
 * Finds peers for torrents: HTTP, UDP and WebSocket trackers, the DHT, the local network, each shared by all torrents. Every address comes judged:
 * what a tracker may name depends on where it was reached. After `stop` nothing is left.
 */
import type { Guard } from '../../adapters/guard/guard.ts';
import type { LocalDiscovery } from '../../adapters/lsd/local-discovery.ts';
import { type AnnouncedSwarm, Announcer } from '../../adapters/tracker-client/announcer.ts';
import type { TrackerClient } from '../../adapters/tracker-client/client.ts';
import { HttpTracker } from '../../adapters/tracker-client/http-tracker.ts';
import { UdpTrackers } from '../../adapters/tracker-client/udp-trackers.ts';
import type { WebSwarm } from '../../adapters/tracker-client/web-tracker.ts';
import type { RtcAnswerer } from '../../adapters/webrtc/answerer.ts';
import type { RtcOfferer } from '../../adapters/webrtc/offerer.ts';
import type { AddressSource } from '../../base/address-policy.ts';
import type { Clock } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import type { SwarmKey } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import { TaskGroup } from '../../base/tasks.ts';
import type { Torrent } from '../../torrent/index.ts';
import { announcedTiers } from './announced-tiers.ts';
import type { Dht } from './dht.ts';
import type { Finding } from './finding.ts';
import { findLocally } from './local-search.ts';
import { WebTrackers, webUrlsOf } from './web-trackers.ts';

/** From so many on, no WebRTC offers are made. */
const ENOUGH_PEERS = 10;

export interface PeerFinderOptions {
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  /** Where peers reach us over TCP. */
  readonly listenPort: number;
  readonly guard: Guard;
  /** Undefined where this system has no WebRTC: WebSocket trackers are left out. */
  readonly rtc: { readonly answerer: RtcAnswerer; readonly offerer: RtcOfferer } | undefined;
  /** Undefined where it is switched off. */
  readonly dht: Dht | undefined;
  /** Undefined where it is switched off. */
  readonly lsd: LocalDiscovery | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** Where one torrent is announced. */
interface Trackers {
  readonly clients: readonly (readonly TrackerClient[])[];
  readonly webUrls: readonly string[];
  readonly source: AddressSource;
}

/** The search under one of a torrent's keys. */
interface Search extends Finding {
  /** The torrent is complete: trackers hear of it. */
  completed(): void;
}

export class PeerFinder {
  readonly #options: PeerFinderOptions;
  readonly #announcer: Announcer;
  readonly #udp: UdpTrackers;
  /** Undefined where this system has no WebRTC. */
  readonly #web: WebTrackers | undefined;
  /** Goodbyes of torrents that stopped. */
  readonly #tasks: TaskGroup;
  #isStopped = false;

  constructor(options: PeerFinderOptions) {
    const { clock, log, guard } = options;
    this.#options = options;
    this.#announcer = new Announcer({ clock, log, random: Math.random });
    this.#udp = new UdpTrackers(guard);
    this.#web = openWebTrackers(options);
    this.#tasks = new TaskGroup(log);
  }

  /** Looks for peers from now on, until the torrent stops. `named`: tiers of tracker URLs (BEP 12), `source`: by whom. */
  find(torrent: Torrent, named: readonly (readonly string[])[], source: AddressSource): Finding {
    const tiers = announcedTiers(named, source);
    const leftOut = new Set(named.flat()).size - tiers.flat().length;
    if (leftOut > 0) this.#options.log.warn('tracker.left_out', { trackers: leftOut, code: 'too_many' });
    const clients = tiers.map((tier) => tier.flatMap((url) => this.#clientOf(url, source) ?? []));
    const trackers = { clients, webUrls: webUrlsOf(tiers, source), source };
    const searches = new Map<SwarmKey, Search>();
    const seek = (): void => {
      if (this.#isStopped) return;
      for (const key of torrent.keys) if (!searches.has(key)) searches.set(key, this.#search(torrent, key, trackers));
    };
    seek();
    const listeners = [
      // A hybrid that was added by its v2 hash has the rest of its swarm under the other, which the metadata tells.
      torrent.events.on('metadata', seek),
      torrent.events.on('done', () => {
        if (!torrent.isComplete) return; // some files only: trackers count whole copies (BEP 21)
        for (const search of searches.values()) search.completed();
      }),
      torrent.events.on('stopped', () => this.#tasks.run('finder.leave', stop)),
    ];
    const stop = async (): Promise<void> => {
      for (const off of listeners) off();
      await Promise.all(Array.from(searches.values(), (search) => search.stop()));
    };
    return { stop };
  }

  /** Says goodbye everywhere, then closes everything. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([this.#announcer.stop(), this.#web?.stop()]);
    await this.#tasks.stop();
    this.#udp.close();
  }

  #search(torrent: Torrent, key: SwarmKey, { clients, webUrls, source }: Trackers): Search {
    const { dht, lsd, listenPort } = this.#options;
    const announcing = this.#announcer.add(this.#announced(torrent, key, clients));
    const web = webUrls.flatMap((url) => this.#web?.join(url, source, webSwarm(torrent, key)) ?? []);
    const leaveDht = dht?.find(torrent, listenPort, [key]);
    const leaveLsd = lsd && findLocally(lsd, torrent, [key]);
    return {
      completed: () => {
        announcing.completed();
        for (const tracker of web) tracker.completed();
      },
      stop: async () => {
        leaveDht?.();
        leaveLsd?.();
        await Promise.all([announcing.stop(), ...web.map((tracker) => tracker.leave())]);
      },
    };
  }

  #announced(torrent: Torrent, key: SwarmKey, tiers: readonly (readonly TrackerClient[])[]): AnnouncedSwarm {
    const { peerId, listenPort: port } = this.#options;
    return {
      key,
      tiers,
      describe: () => ({ peerId, port, ...transfer(torrent) }),
      found: (peers) => torrent.addPeers(peers, 'judged'),
    };
  }

  #clientOf(url: string, source: AddressSource): TrackerClient | undefined {
    try {
      if (/^https?:/i.test(url)) return new HttpTracker(url, this.#options.guard, source);
      return /^udp:/i.test(url) ? this.#udp.client(url, source) : undefined;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#options.log.warn('tracker.refused', { tracker: url, code: error.code });
      return undefined;
    }
  }
}

function openWebTrackers({ rtc, peerId, guard, clock, log }: PeerFinderOptions): WebTrackers | undefined {
  if (rtc === undefined) return undefined;
  const { offerer, answerer } = rtc;
  return new WebTrackers({
    guard,
    peerId,
    rtc: {
      offer: (signal, allows) => offerer.offer(signal, allows),
      answer: (offer, sink) => answerer.answer(offer, sink),
    },
    clock,
    log,
    random: Math.random,
  });
}

function webSwarm(torrent: Torrent, key: SwarmKey): WebSwarm {
  return {
    key,
    describe: () => transfer(torrent),
    wantedPeers: () => {
      if (torrent.isComplete || torrent.peerCount >= ENOUGH_PEERS) return 'none';
      return torrent.peerCount === 0 ? 'first' : 'more';
    },
    connected: (socket) => torrent.attach(socket, { foundBy: key }),
  };
}

function transfer(torrent: Torrent): { uploadedBytes: number; downloadedBytes: number; leftBytes?: number } {
  const stats = torrent.stats();
  const downloadedBytes = stats.bytesFromPeers + stats.bytesFromHttp;
  const { totalBytes } = stats;
  return {
    uploadedBytes: stats.uploadedBytes,
    downloadedBytes,
    ...(totalBytes === undefined ? {} : { leftBytes: Math.round(totalBytes * (1 - stats.progress)) }),
  };
}
