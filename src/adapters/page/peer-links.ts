/**
 * All WebRTC connections of the leading tab, of every torrent. Invariants: never more than the caps, at most one
 * connection per torrent and peer (see `glare.ts`), and each link ends: unanswered, unopened, closed or released.
 */
import type { LinkId } from '../browser/link-messages.ts';
import type { Cancel, Clock } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import type { SwarmKey } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import type { IceCandidate, LatinId, WsOffer } from '../../codec/tracker-ws.ts';
import { type ExistingLink, onAnswer, onOffer } from './glare.ts';
import type { LinkEvents, RtcLink } from './rtc-link.ts';

export const MAX_LINKS_PER_TORRENT = 10;
export const MAX_LINKS = 40;
/** The tracker drops offers after this too. */
const OFFER_LIFE_MS = 50_000;
const OPEN_TIMEOUT_MS = 15_000;
const MAX_EARLY_CANDIDATES = 64;

export interface PeerLinksPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly ownId: LatinId;
  newOfferId(): LatinId;
  connect(events: LinkEvents): Pick<RtcLink, 'offer' | 'answer' | 'accept' | 'addCandidate' | 'close'>;
  /** Moves the channel to the worker; called in the task that made it. */
  deliver(link: LinkId, key: SwarmKey, channel: RTCDataChannel): void;
  /** The other side takes messages of so many bytes. */
  opened(link: LinkId, maxMessageBytes: number): void;
  /** The link is over. */
  ended(link: LinkId): void;
  sendAnswer(key: SwarmKey, to: LatinId, offerId: LatinId, sdp: string): void;
  /** `to` is undefined while an offer of ours is unanswered: the tracker knows whom it gave it to. */
  sendCandidate(key: SwarmKey, to: LatinId | undefined, offerId: LatinId, candidate: IceCandidate): void;
  changed(): void;
}

interface Link {
  readonly id: LinkId;
  readonly key: SwarmKey;
  readonly offerId: LatinId;
  readonly role: ExistingLink['role'];
  readonly rtc: ReturnType<PeerLinksPorts['connect']>;
  /** Undefined while an offer of ours waits for whoever gets it. */
  peer: { readonly id: LatinId; readonly trickles: boolean; readonly sinceMs: number } | undefined;
  isOpen: boolean;
  /** Local candidates found before our description was on its way; undefined from then on. */
  early: IceCandidate[] | undefined;
  timeout: Cancel;
}

export class PeerLinks {
  readonly #ports: PeerLinksPorts;
  readonly #links = new Map<LinkId, Link>();
  #lastId: LinkId = 0;

  constructor(ports: PeerLinksPorts) {
    this.#ports = ports;
  }

  get openLinks(): number {
    return this.#links.values().reduce((open, link) => open + (link.isOpen ? 1 : 0), 0);
  }

  /** Room for further links of this torrent, under both caps. */
  room(key: SwarmKey): number {
    const own = this.#of(key).length;
    return Math.max(0, Math.min(MAX_LINKS_PER_TORRENT - own, MAX_LINKS - this.#links.size));
  }

  /** Links of this torrent that are open or on their way to a known peer. */
  live(key: SwarmKey): number {
    return this.#of(key).filter(({ peer }) => peer !== undefined).length;
  }

  /** Makes up to `count` fresh offers for `announce`; their candidates follow it. Offers that nobody took make room. */
  async offer(key: SwarmKey, count: number, announce: (offers: readonly WsOffer[]) => Promise<void>): Promise<void> {
    if (count > 0) for (const link of this.#of(key)) if (link.peer === undefined) this.#close(link);
    const wanted = Math.min(count, this.room(key));
    const offered = await Promise.all(Array.from({ length: wanted }, () => this.#offer(key)));
    await announce(offered.flatMap(({ link, sdp }) => (sdp === undefined ? [] : [{ offerId: link.offerId, sdp }])));
    for (const { link } of offered) this.#described(link);
  }

  /** A peer offers; it is answered unless glare or a cap forbids. */
  takeOffer(key: SwarmKey, peerId: LatinId, offerId: LatinId, sdp: string, trickles: boolean): void {
    if (peerId === this.#ports.ownId) return;
    const existing = this.#with(key, peerId);
    const decision = onOffer(this.#ports.ownId < peerId, existing && this.#asExisting(existing));
    if (decision === 'ignore') return;
    if (decision === 'replace' && existing !== undefined) this.#close(existing);
    if (this.room(key) === 0 && !this.#dropUnansweredOffer(key)) return;
    const link = this.#open(key, offerId, 'answerer', OPEN_TIMEOUT_MS);
    link.peer = { id: peerId, trickles, sinceMs: this.#ports.clock.monotonicMs() };
    this.#attempt(link, async () => {
      const answer = await link.rtc.answer(sdp, trickles);
      this.#ports.sendAnswer(key, peerId, offerId, answer);
      this.#described(link);
    });
  }

  /** A peer answers an offer of ours. */
  takeAnswer(key: SwarmKey, peerId: LatinId, offerId: LatinId, sdp: string, trickles: boolean): void {
    const link = this.#of(key).find((each) => each.role === 'offerer' && each.offerId === offerId);
    if (link === undefined || link.peer !== undefined || peerId === this.#ports.ownId) return;
    const existing = this.#with(key, peerId);
    const decision = onAnswer(this.#ports.ownId < peerId, existing && this.#asExisting(existing));
    if (decision === 'drop') return this.#close(link);
    if (decision === 'replace' && existing !== undefined) this.#close(existing);
    link.peer = { id: peerId, trickles, sinceMs: this.#ports.clock.monotonicMs() };
    this.#expire(link, OPEN_TIMEOUT_MS);
    this.#attempt(link, () => link.rtc.accept(sdp));
  }

  takeCandidate(key: SwarmKey, peerId: LatinId, offerId: LatinId, candidate: IceCandidate): void {
    const link = this.#of(key).find((each) => each.offerId === offerId && each.peer?.id === peerId);
    link?.rtc.addCandidate(candidate);
  }

  /** The worker is done with the link. */
  close(id: LinkId): void {
    const link = this.#links.get(id);
    if (link !== undefined) this.#close(link);
  }

  /** All links of one torrent, or of all. */
  closeAll(key?: SwarmKey): void {
    for (const link of this.#links.values()) if (key === undefined || link.key === key) this.#close(link);
  }

  async #offer(key: SwarmKey): Promise<{ readonly link: Link; readonly sdp?: string }> {
    const link = this.#open(key, this.#ports.newOfferId(), 'offerer', OFFER_LIFE_MS);
    try {
      return { link, sdp: await link.rtc.offer() };
    } catch (error) {
      this.#failed(link, error);
      return { link };
    }
  }

  #open(key: SwarmKey, offerId: LatinId, role: Link['role'], lifeMs: number): Link {
    const id = ++this.#lastId;
    const rtc = this.#ports.connect({
      candidate: (candidate) => this.#found(id, candidate),
      channel: (channel) => this.#ports.deliver(id, key, channel),
      open: (maxMessageBytes) => this.#opened(id, maxMessageBytes),
      closed: () => this.close(id),
    });
    const link: Link = { id, key, offerId, role, rtc, peer: undefined, isOpen: false, early: [], timeout: noop };
    this.#links.set(id, link);
    this.#expire(link, lifeMs);
    return link;
  }

  #found(id: LinkId, candidate: IceCandidate): void {
    const link = this.#links.get(id);
    if (link === undefined) return;
    if (link.early === undefined) this.#sendCandidate(link, candidate);
    else if (link.early.length < MAX_EARLY_CANDIDATES) link.early.push(candidate);
  }

  /** Our description has left: candidates may follow it. */
  #described(link: Link): void {
    const early = link.early ?? [];
    link.early = undefined;
    for (const candidate of early) this.#sendCandidate(link, candidate);
  }

  #sendCandidate({ key, offerId, peer }: Link, candidate: IceCandidate): void {
    if (peer?.trickles !== false) this.#ports.sendCandidate(key, peer?.id, offerId, candidate);
  }

  #opened(id: LinkId, maxMessageBytes: number): void {
    const link = this.#links.get(id);
    if (link === undefined || link.isOpen) return;
    link.isOpen = true;
    link.timeout();
    this.#ports.opened(id, maxMessageBytes);
    this.#ports.changed();
  }

  /** Runs a step of the handshake; a failure ends the link. */
  #attempt(link: Link, step: () => Promise<void>): void {
    step().catch((error: unknown) => this.#failed(link, error));
  }

  #failed(link: Link, error: unknown): void {
    this.#ports.log.debug('rtc.failed', {
      key: link.key,
      error: error instanceof AppError ? error.code : error,
    });
    this.#close(link);
  }

  #expire(link: Link, lifeMs: number): void {
    link.timeout();
    link.timeout = this.#ports.clock.after(lifeMs, () => this.#close(link));
  }

  #of(key: SwarmKey): Link[] {
    return [...this.#links.values()].filter((link) => link.key === key);
  }

  #with(key: SwarmKey, peerId: LatinId): Link | undefined {
    return this.#of(key).find(({ peer }) => peer?.id === peerId);
  }

  #asExisting({ role, isOpen, peer }: Link): ExistingLink {
    return { role, isOpen, ageMs: this.#ports.clock.monotonicMs() - (peer?.sinceMs ?? 0) };
  }

  /** A peer that is there is worth more than an offer that may find nobody. */
  #dropUnansweredOffer(key: SwarmKey): boolean {
    const waiting = this.#of(key).find(({ peer }) => peer === undefined);
    if (waiting !== undefined) this.#close(waiting);
    return this.room(key) > 0;
  }

  #close(link: Link): void {
    if (!this.#links.delete(link.id)) return;
    link.timeout();
    link.rtc.close();
    this.#ports.ended(link.id);
    this.#ports.changed();
  }
}

const noop = (): void => undefined;
