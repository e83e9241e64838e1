/**
 * A WebSocket tracker (WebTorrent protocol): one connection for all torrents, by which browsers and we find each other.
 * We offer while we want peers and answer always; our offers are complete, answers may trickle both ways. Invariants: a
 * message is looked at once and routed by info hash; offers that nobody answered are withdrawn with the next announce.
 */
import { type RawData, WebSocket } from 'ws';
import type { PeerAddress } from '../../base/address.ts';
import type { AddressSource } from '../../base/address-policy.ts';
import type { Clock } from '../../base/clock.ts';
import { randomBytes } from '../../base/bytes.ts';
import { DueQueue } from '../../base/due-queue.ts';
import { AppError, Unavailable } from '../../base/errors.ts';
import type { SwarmKey } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import { sleep, TaskGroup } from '../../base/tasks.ts';
import { MINUTE_MS, SECOND_MS } from '../../base/units.ts';
import type { AnnounceEvent } from '../../codec/announce.ts';
import {
  decodeWsServerMessage,
  encodeWsClientMessage,
  type IceCandidate,
  latinIdOf,
  type LatinId,
  MAX_WS_FRAME_LENGTH,
  type WsClientMessage,
  type WsServerMessage,
} from '../../codec/tracker-ws.ts';
import type { PeerSocket } from '../../torrent/ports.ts';
import { type Guard, pinned } from '../guard/guard.ts';
import { checkTarget, hostOf } from '../guard/target.ts';
import { retryDelayMs } from './announce-schedule.ts';

const OFFERS_PER_ANNOUNCE = 5;
const MAX_MEETINGS = 50;
const HANDSHAKE_TIMEOUT_MS = 10 * SECOND_MS;
const MIN_INTERVAL_MS = 10 * SECOND_MS;
const MAX_INTERVAL_MS = 10 * MINUTE_MS;
const DEFAULT_INTERVAL_MS = MINUTE_MS;
/** Crossing offers may cancel each other out at both ends; who is left alone tries again after so long, then twice as long. */
const ALONE_INTERVAL_MS = 5 * SECOND_MS;

/** Answered offers that came to nothing are made again at once, so many times in a row. */
const MAX_SECOND_TRIES = 3;

/** Between the first announces of two torrents over a fresh connection. */
const SPACING_MS = 20;

/** An offer that waits for an answer. */
export interface PendingOffer extends Meeting {
  readonly sdp: string;
  readonly socket: Promise<PeerSocket>;
  acceptAnswer(sdp: string): void;
  close(): void;
}

/** A connection that is being made. */
export interface Meeting {
  addCandidate(candidate: IceCandidate): void;
}

/** Which addresses a description that this tracker brings may name. */
type AddressFilter = (address: PeerAddress) => boolean;

/** WebRTC, as this client needs it. */
export interface RtcPorts {
  /** A complete description. @throws AppError at its cap */
  offer(signal: AbortSignal, allows: AddressFilter): Promise<PendingOffer>;
  /** The open stream goes to the engine. @throws AppError at its cap or for a broken offer */
  answer(
    offer: { readonly sdp: string; readonly trickle: boolean; readonly allows: AddressFilter },
    sink: { answer(sdp: string): void; candidate(candidate: IceCandidate): void },
  ): Meeting;
}

/** One torrent at this tracker. */
export interface WebSwarm {
  readonly key: SwarmKey;
  readonly describe: () => {
    readonly uploadedBytes: number;
    readonly downloadedBytes: number;
    readonly leftBytes?: number;
  };
  /** `none`: no offers; `more`: with each announce; `first`: nobody is there yet, so announce again soon. */
  readonly wantedPeers: () => 'none' | 'more' | 'first';
  /** A stream that our offer led to. */
  readonly connected: (socket: PeerSocket) => void;
}

export interface WebTrackerOptions {
  readonly url: string;
  /** Who named the URL. */
  readonly source: AddressSource;
  /** The way out. */
  readonly guard: Guard;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  readonly rtc: RtcPorts;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
}

interface Member {
  readonly swarm: WebSwarm;
  readonly offers: Map<LatinId, PendingOffer>;
  /** Meetings under way, by offer id: where late candidates go. The oldest make room. */
  readonly meetings: Map<LatinId, Meeting>;
  intervalMs: number;
  hasStarted: boolean;
  isComplete: boolean;
  /** Announces in a row while alone. */
  lonely: number;
  /** Answered offers in a row that came to nothing. */
  failures: number;
}

export class WebTracker {
  readonly #options: WebTrackerOptions;
  readonly #peerId: LatinId;
  readonly #tasks: TaskGroup;
  readonly #members = new Map<SwarmKey, Member>();
  readonly #due: DueQueue<Member>;
  #socket: WebSocket | undefined;
  /** IP literal of the tracker, while connected. */
  #trackerHost: string | undefined;

  constructor(options: WebTrackerOptions) {
    this.#options = options;
    this.#peerId = latinIdOf(options.peerId);
    this.#tasks = new TaskGroup(options.log);
    this.#due = new DueQueue(options.clock, (member) => this.#announceDue(member));
    this.#tasks.run('web_tracker', (signal) => this.#stayConnected(signal));
  }

  /** Announces the torrent from now on; one of a key at a time. */
  join(swarm: WebSwarm): void {
    const member = newMember(swarm);
    this.#members.set(swarm.key, member);
    if (this.#socket !== undefined) this.#due.set(member, this.#nowMs());
  }

  /** Says goodbye for the torrent and withdraws its offers. */
  leave(key: SwarmKey): void {
    const member = this.#members.get(key);
    if (member === undefined) return;
    this.#announce(member, 'stopped', []);
    withdraw(member);
    this.#due.delete(member);
    this.#members.delete(key);
  }

  /** The torrent is complete: said once, with the next announce at once. */
  completed(key: SwarmKey): void {
    const member = this.#members.get(key);
    if (member === undefined || member.isComplete) return;
    member.isComplete = true;
    this.#announce(member, 'completed', []);
  }

  /** Says goodbye for all torrents, withdraws offers, closes. */
  async stop(): Promise<void> {
    for (const key of this.#members.keys()) this.leave(key);
    this.#due.clear();
    this.#socket?.close(1000);
    await this.#tasks.stop();
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }

  async #stayConnected(signal: AbortSignal): Promise<void> {
    for (let failures = 1; !signal.aborted; failures++) {
      const wasOpen = await this.#connection(signal);
      if (wasOpen) failures = 1;
      await sleep(this.#options.clock, retryDelayMs(failures, this.#options.random()), signal).catch(() => undefined);
    }
  }

  /** What the tracker's peers may name depends on where it was reached, as in peer lists. */
  readonly #allows = (address: PeerAddress): boolean => {
    const { policy } = this.#options.guard;
    if (this.#trackerHost === undefined) return policy.allowsPeer(address, 'told');
    return policy.allowsPeerFrom(this.#trackerHost, address);
  };

  /** Where the tracker may be dialled; undefined where it may not, or has no address. */
  async #addresses(signal: AbortSignal): Promise<readonly string[] | undefined> {
    const { url, source, guard, log } = this.#options;
    try {
      const target = new URL(url);
      checkTarget(target, source);
      return await guard.addressesOf(hostOf(target), source, signal);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      log.info('tracker.failed', { tracker: url, error });
      return undefined;
    }
  }

  /** One connection from opening to close; resolves with whether it was open. */
  async #connection(signal: AbortSignal): Promise<boolean> {
    const addresses = await this.#addresses(signal);
    if (addresses === undefined || signal.aborted) return false;
    const socket = new WebSocket(this.#options.url, {
      lookup: pinned(addresses),
      maxPayload: MAX_WS_FRAME_LENGTH * 4,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      followRedirects: false,
      perMessageDeflate: false,
    });
    let wasOpen = false;
    const abort = (): void => socket.terminate();
    signal.addEventListener('abort', abort, { once: true });
    await new Promise<void>((resolve) => {
      socket.on('error', (error) => this.#options.log.info('tracker.failed', { tracker: this.#options.url, error }));
      socket.on('close', () => resolve());
      socket.on('message', (message, isBinary) => {
        if (!isBinary) this.#receive(textOf(message));
      });
      socket.on('upgrade', ({ socket: { remoteAddress } }) => (this.#trackerHost = remoteAddress));
      socket.on('open', () => {
        wasOpen = true;
        this.#socket = socket;
        this.#announceAll();
      });
    });
    signal.removeEventListener('abort', abort);
    this.#socket = undefined;
    this.#trackerHost = undefined;
    this.#due.clear();
    for (const member of this.#members.values()) member.hasStarted = false;
    return wasOpen;
  }

  /** One after the other, so that the tracker gets no burst. */
  #announceAll(): void {
    let dueAtMs = this.#nowMs();
    for (const member of this.#members.values()) {
      this.#due.set(member, dueAtMs);
      dueAtMs += SPACING_MS;
    }
  }

  #announceDue(member: Member): void {
    this.#tasks.run('web_tracker.announce', async (signal) => {
      const wanted = member.swarm.wantedPeers();
      const offers = wanted === 'none' ? [] : await this.#makeOffers(member, signal);
      if (this.#socket === undefined || this.#members.get(member.swarm.key) !== member) {
        withdraw(member); // nobody will hear of them
        return;
      }
      this.#announce(member, member.hasStarted ? 'update' : 'started', offers);
      member.hasStarted = true;
      member.lonely = wanted === 'first' ? member.lonely + 1 : 0;
      const aloneMs = member.lonely === 0 ? Number.POSITIVE_INFINITY : ALONE_INTERVAL_MS * 2 ** (member.lonely - 1);
      this.#due.set(member, this.#nowMs() + Math.min(member.intervalMs, aloneMs));
    });
  }

  /** Fresh offers in place of those nobody took. */
  async #makeOffers(member: Member, signal: AbortSignal): Promise<readonly { offerId: LatinId; sdp: string }[]> {
    withdraw(member);
    const made = await Promise.allSettled(
      Array.from({ length: OFFERS_PER_ANNOUNCE }, () => this.#options.rtc.offer(signal, this.#allows)),
    );
    const offers: { offerId: LatinId; sdp: string }[] = [];
    for (const result of made) {
      if (result.status === 'rejected') continue; // at the cap: fewer offers
      const offerId = latinIdOf(randomBytes(20));
      member.offers.set(offerId, result.value);
      result.value.socket.then(
        (socket) => {
          member.failures = 0;
          member.swarm.connected(socket);
        },
        (error: unknown) => this.#offerEnded(member, offerId, error),
      );
      offers.push({ offerId, sdp: result.value.sdp });
    }
    return offers;
  }

  /** A peer that answered is there: some 1 in 20 offers fail for no reason of theirs (see `webrtc/offerer.ts`). */
  #offerEnded(member: Member, offerId: LatinId, error: unknown): void {
    this.#options.log.debug('web_tracker.offer_ended', { error });
    const wasAnswered = member.meetings.has(offerId);
    const isCurrent = this.#members.get(member.swarm.key) === member && this.#socket !== undefined;
    if (!wasAnswered || !isCurrent || !(error instanceof Unavailable)) return;
    if (++member.failures <= MAX_SECOND_TRIES && member.swarm.wantedPeers() !== 'none')
      this.#due.set(member, this.#nowMs());
  }

  #announce(member: Member, event: AnnounceEvent, offers: readonly { offerId: LatinId; sdp: string }[]): void {
    const { swarm } = member;
    this.#send({
      type: 'announce',
      swarmKey: swarm.key,
      peerId: this.#peerId,
      event,
      offers,
      trickle: true,
      ...swarm.describe(),
    });
  }

  #send(message: WsClientMessage): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(encodeWsClientMessage(message));
  }

  #receive(text: string): void {
    try {
      const message = decodeWsServerMessage(text);
      if (message !== undefined) this.#handle(message);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#options.log.debug('web_tracker.message_refused', { code: error.code });
    }
  }

  #handle(message: WsServerMessage): void {
    if (message.type === 'failed') {
      this.#options.log.info('tracker.refused', { tracker: this.#options.url, reason: message.reason });
      return;
    }
    if (message.type === 'scraped') return;
    const member = this.#members.get(message.swarmKey);
    if (member === undefined) return;
    switch (message.type) {
      case 'announced':
        member.intervalMs = clampInterval(message.intervalSec);
        break;
      case 'offer':
        this.#answer(member, message);
        break;
      case 'answer':
        this.#accept(member, message);
        break;
      case 'candidate':
        (member.offers.get(message.offerId) ?? member.meetings.get(message.offerId))?.addCandidate(message.candidate);
        break;
    }
  }

  #answer(member: Member, offer: Extract<WsServerMessage, { type: 'offer' | 'answer' }>): void {
    const { swarmKey, offerId } = offer;
    if (offer.peerId === this.#peerId) return;
    const head = { swarmKey, offerId, peerId: this.#peerId, toPeerId: offer.peerId };
    const { sdp: offered, trickle } = offer;
    const answering = this.#options.rtc.answer(
      { sdp: offered, trickle, allows: this.#allows },
      {
        answer: (sdp) => this.#send({ type: 'answer', ...head, sdp }),
        candidate: (candidate) => this.#send({ type: 'candidate', ...head, candidate }),
      },
    );
    remember(member, offerId, answering);
  }

  #accept(member: Member, answer: { readonly offerId: LatinId; readonly sdp: string }): void {
    const offer = member.offers.get(answer.offerId);
    if (offer === undefined) return;
    offer.acceptAnswer(answer.sdp);
    member.offers.delete(answer.offerId); // answered: no longer withdrawn
    remember(member, answer.offerId, offer);
  }
}

function newMember(swarm: WebSwarm): Member {
  const isComplete = swarm.describe().leftBytes === 0;
  return {
    swarm,
    offers: new Map(),
    meetings: new Map(),
    intervalMs: DEFAULT_INTERVAL_MS,
    hasStarted: false,
    isComplete,
    lonely: 0,
    failures: 0,
  };
}

function withdraw(member: Member): void {
  for (const offer of member.offers.values()) offer.close();
  member.offers.clear();
}

function remember(member: Member, offerId: LatinId, meeting: Meeting): void {
  member.meetings.set(offerId, meeting);
  const [oldest] = member.meetings.keys();
  if (member.meetings.size > MAX_MEETINGS && oldest !== undefined) member.meetings.delete(oldest);
}

function clampInterval(intervalSec: number): number {
  return Math.min(Math.max(intervalSec * SECOND_MS, MIN_INTERVAL_MS), MAX_INTERVAL_MS);
}

function textOf(message: RawData): string {
  return Array.isArray(message) ? Buffer.concat(message).toString() : Buffer.from(message as Buffer).toString();
}
