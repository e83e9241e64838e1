/**
 * One WebSocket peer of the tracker. Invariants: it speaks only under peer ids that it has announced, an answer is
 * relayed only to the peer whose offer was handed to the answerer, candidates only to peers that trickle, and after
 * `closed` it is in no swarm.
 */
import { parseIp } from '../base/address.ts';
import { InvalidInput } from '../base/errors.ts';
import type { SwarmKey } from '../base/ids.ts';
import { TokenBucket } from '../base/token-bucket.ts';
import {
  decodeWsClientMessage,
  encodeWsServerMessage,
  MAX_WS_FRAME_LENGTH,
  type LatinId,
  type WsClientMessage,
  type WsOffer,
  type WsServerMessage,
} from '../codec/tracker-ws.ts';
import { HeldOffers } from './held-offers.ts';
import type { Member } from './members.ts';
import { OfferRoutes } from './offer-routes.ts';
import type { AnswerSink, SignalSocket } from './ports.ts';
import { NOT_TRACKED } from './registry.ts';
import type { SignalHub } from './signal-hub.ts';
import type { Swarm } from './swarm.ts';

type Message<Type extends WsClientMessage['type']> = Extract<WsClientMessage, { type: Type }>;

/** A message costs 1 and 1 for each so many characters. */
const CHARS_PER_TOKEN = 4_096;
const INVALID_COST = 50;
/** RFC 6455 §7.4.1. */
const POLICY_VIOLATION = 1_008;
const MESSAGE_TOO_BIG = 1_009;
const INTERNAL_ERROR = 1_011;
/** Members looked at for each offer that seeks a peer. */
const LOOKS_PER_OFFER = 8;

interface Membership {
  readonly swarm: Swarm;
  readonly member: SessionMember;
}

interface SessionMember extends Member {
  readonly session: SignalSession;
}

export class SignalSession {
  readonly routes = new OfferRoutes();
  readonly #hub: SignalHub;
  readonly #socket: SignalSocket;
  readonly #ip: Uint8Array;
  readonly #bucket: TokenBucket;
  readonly #held: HeldOffers;
  readonly #released: () => void;
  readonly #memberships = new Map<SwarmKey, Membership>();
  #isClosed = false;

  /** Made by `SignalHub.connect`; `released` is called once, when the socket has closed. */
  constructor(hub: SignalHub, socket: SignalSocket, released: () => void) {
    this.#hub = hub;
    this.#socket = socket;
    this.#ip = parseIp(socket.remoteHost);
    this.#released = released;
    this.#bucket = new TokenBucket(hub.limits.messages, hub.clock);
    this.#held = new HeldOffers(hub.clock);
  }

  /** Takes one text frame. Never throws: a failure of ours is logged and closes the socket. */
  receive(text: string): void {
    if (this.#isClosed) return;
    if (text.length > MAX_WS_FRAME_LENGTH) {
      this.#socket.close(MESSAGE_TOO_BIG, 'message too long');
      return;
    }
    if (!this.#pay(1 + Math.floor(text.length / CHARS_PER_TOKEN))) return;
    try {
      this.#handle(decodeWsClientMessage(text));
    } catch (error) {
      this.#refuse(error);
    }
  }

  #refuse(error: unknown): void {
    if (!(error instanceof InvalidInput)) {
      this.#hub.log.error('tracker.message_failed', { error });
      this.#socket.close(INTERNAL_ERROR, 'internal error');
    } else if (this.#pay(INVALID_COST)) this.#send({ type: 'failed', reason: error.message });
  }

  /** The socket has closed, whoever closed it. */
  closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const key of this.#memberships.keys()) this.#leave(key);
    this.routes.clear();
    this.#held.clear();
    this.#released();
  }

  /** False when the bucket is empty: the socket is closed then. */
  #pay(cost: number): boolean {
    if (this.#bucket.take(cost)) return true;
    this.#socket.close(POLICY_VIOLATION, 'too many messages');
    return false;
  }

  #handle(message: WsClientMessage): void {
    switch (message.type) {
      case 'announce':
        return this.#announce(message);
      case 'answer':
        return this.#relayAnswer(message);
      case 'candidate':
        return this.#relayCandidate(message);
      case 'scrape':
        return this.#scrape(message);
    }
  }

  #scrape(message: Message<'scrape'>): void {
    const host = this.#socket.remoteHost;
    const counts = message.swarmKeys.map((key) => [key, this.#hub.registry.publicCounts(key, host)] as const);
    this.#send({ type: 'scraped', files: new Map(counts) });
  }

  #announce(message: Message<'announce'>): void {
    const { swarmKey } = message;
    if (message.event === 'stopped') this.#leave(swarmKey);
    else {
      const refusal = this.#join(message);
      if (refusal !== undefined) {
        this.#send({ type: 'failed', swarmKey, reason: refusal });
        return;
      }
    }
    this.#tellCounts(swarmKey);
    const membership = this.#memberships.get(swarmKey);
    if (membership === undefined) return;
    if (!membership.member.isSeeder) this.#hub.registry.events.emit('interest', { swarmKey });
    this.#handOut(membership, swarmKey, message.offers);
  }

  #tellCounts(swarmKey: SwarmKey): void {
    const { seeders, leechers } = this.#hub.registry.publicCounts(swarmKey, this.#socket.remoteHost);
    const intervalSec = this.#hub.registry.limits.webIntervalSec;
    this.#send({ type: 'announced', swarmKey, intervalSec, seeders, leechers });
  }

  /** Joins or renews; returns why not. */
  #join(message: Message<'announce'>): string | undefined {
    const { swarmKey, peerId, trickle } = message;
    const known = this.#memberships.get(swarmKey);
    if (known !== undefined && known.member.peerId !== peerId) this.#leave(swarmKey);
    const isSeeder = message.leftBytes === 0;
    const membership = this.#memberships.get(swarmKey);
    if (membership === undefined) return this.#enter(swarmKey, peerId, isSeeder, trickle);
    const { swarm, member } = membership;
    if (message.event === 'completed' && isSeeder && !member.isSeeder) swarm.completed++;
    swarm.ensureMembers().setSeeder(member, isSeeder);
    member.trickle = trickle;
    member.expiryTick = this.#hub.registry.expiryTick();
    return undefined;
  }

  #enter(swarmKey: SwarmKey, peerId: LatinId, isSeeder: boolean, trickle: boolean): string | undefined {
    const { registry, limits } = this.#hub;
    if (this.#memberships.size >= limits.maxSwarmsPerSocket) return 'too many torrents on one socket';
    const swarm = registry.admit(swarmKey, this.#ip);
    if (swarm === undefined) return NOT_TRACKED;
    const remoteHost = this.#socket.remoteHost;
    const holder = swarm.members?.get(peerId);
    // A peer that reconnects takes its old place over; a stranger may not, since ids travel with every offer.
    if (holder !== undefined && holder.remoteHost !== remoteHost) return 'this peer id is taken';
    if (swarm.size >= registry.limits.maxPeersPerSwarm) return 'this swarm is full';
    holder?.expired();
    const member: SessionMember = {
      session: this,
      peerId,
      remoteHost,
      isSeeder,
      trickle,
      expiryTick: registry.expiryTick(),
      send: (relayed) => this.#relay(relayed),
      expired: () => this.#memberships.delete(swarmKey),
    };
    swarm.ensureMembers().set(member);
    this.#memberships.set(swarmKey, { swarm, member });
    registry.settle(swarmKey, swarm);
    return undefined;
  }

  #leave(swarmKey: SwarmKey): void {
    const membership = this.#memberships.get(swarmKey);
    if (membership === undefined) return;
    this.#memberships.delete(swarmKey);
    membership.swarm.members?.delete(membership.member.peerId);
    this.#hub.registry.settle(swarmKey, membership.swarm);
  }

  /** Each offer goes to one peer: the first to our own seeder where it wants it, the others to members by chance. */
  #handOut(membership: Membership, swarmKey: SwarmKey, offers: readonly WsOffer[]): void {
    const { member, swarm } = membership;
    const [first, ...others] = offers.slice(0, this.#hub.registry.limits.maxPeersPerAnswer);
    if (first === undefined) return;
    const isTaken = !member.isSeeder && this.#offerToServer(member, swarmKey, first);
    const open = isTaken ? others : [first, ...others];
    const members = swarm.members;
    if (members === undefined) return;
    const start = Math.floor(this.#hub.random() * members.size);
    for (const peer of members.from(start, open.length * LOOKS_PER_OFFER)) {
      const offer = open[0];
      if (offer === undefined) return;
      if (peer === member || (member.isSeeder && peer.isSeeder)) continue;
      if (this.#offerTo(peer, member, swarmKey, offer)) open.shift();
    }
  }

  /** False when this peer cannot take the offer: somebody else may. */
  #offerTo(peer: Member, member: SessionMember, swarmKey: SwarmKey, { offerId, sdp }: WsOffer): boolean {
    const trickle = member.trickle && peer.trickle;
    const deliver = (offered: string): boolean => {
      this.routes.set(swarmKey, offerId, { kind: 'peer', peerId: peer.peerId });
      return peer.send({ type: 'offer', swarmKey, peerId: member.peerId, offerId, sdp: offered, trickle });
    };
    const isComplete = !member.trickle || sdp.includes('a=candidate:');
    if (trickle || isComplete) return deliver(sdp);
    return this.#held.hold(swarmKey + offerId, sdp, (complete) => void deliver(complete));
  }

  #offerToServer(member: SessionMember, swarmKey: SwarmKey, { offerId, sdp }: WsOffer): boolean {
    const { answerer, ownPeerId } = this.#hub;
    const { peerId, trickle } = member;
    const reply = { swarmKey, peerId: ownPeerId, offerId };
    const sink: AnswerSink = {
      answer: (answerSdp) => this.#relay({ type: 'answer', ...reply, sdp: answerSdp, trickle }),
      candidate: (candidate) => trickle && this.#relay({ type: 'candidate', ...reply, candidate }),
    };
    const answering = answerer?.answer({ swarmKey, peerId, sdp, trickle, remoteHost: this.#socket.remoteHost }, sink);
    if (answering === undefined) return false;
    this.routes.set(swarmKey, offerId, { kind: 'server', answering });
    return true;
  }

  /** The other end of a signal, when this session is in that swarm under that id and the other is too. */
  #partner(swarmKey: SwarmKey, peerId: LatinId, toPeerId: LatinId): SessionMember | undefined {
    const membership = this.#memberships.get(swarmKey);
    if (membership?.member.peerId !== peerId) return undefined;
    const partner = membership.swarm.members?.get(toPeerId);
    // Every member of a swarm was put there by a session.
    return partner as SessionMember | undefined;
  }

  /** True when `offerId` is an offer of `offerer` that was handed to `answererId`. */
  #wasOffered(offerer: SessionMember, swarmKey: SwarmKey, offerId: LatinId, answererId: LatinId): boolean {
    const target = offerer.session.routes.get(swarmKey, offerId);
    return target?.kind === 'peer' && target.peerId === answererId;
  }

  #relayAnswer(message: Message<'answer'>): void {
    const { swarmKey, peerId, toPeerId, offerId, sdp } = message;
    const offerer = this.#partner(swarmKey, peerId, toPeerId);
    if (offerer === undefined || !this.#wasOffered(offerer, swarmKey, offerId, peerId)) return;
    const trickle = offerer.trickle && (this.#memberships.get(swarmKey)?.member.trickle ?? false);
    offerer.send({ type: 'answer', swarmKey, peerId, offerId, sdp, trickle });
  }

  #relayCandidate(message: Message<'candidate'>): void {
    const { swarmKey, peerId, offerId, candidate } = message;
    if (this.#held.add(swarmKey + offerId, candidate)) return;
    const target = this.routes.get(swarmKey, offerId);
    if (target?.kind === 'server') {
      target.answering.addCandidate(candidate);
      return;
    }
    const toPeerId = message.toPeerId ?? target?.peerId;
    const partner = toPeerId === undefined ? undefined : this.#partner(swarmKey, peerId, toPeerId);
    if (partner === undefined || !partner.trickle) return;
    const isOurs = target?.peerId === partner.peerId;
    if (!isOurs && !this.#wasOffered(partner, swarmKey, offerId, peerId)) return;
    partner.send({ type: 'candidate', swarmKey, peerId, offerId, candidate });
  }

  #relay(message: WsServerMessage): boolean {
    if (this.#isClosed || this.#socket.bufferedBytes > this.#hub.limits.maxBufferedBytes) return false;
    this.#send(message);
    return true;
  }

  #send(message: WsServerMessage): void {
    if (!this.#isClosed) this.#socket.send(encodeWsServerMessage(message));
  }
}
