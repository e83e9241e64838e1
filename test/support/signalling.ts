/**
 * A signalling hub with a registry behind it and browsers in front, all in memory and on a fake clock. Invariant: a
 * browser hears what a real one would, decoded and raw.
 */
import { fromLatin1 } from '../../src/base/bytes.ts';
import { parseSwarmKey, type SwarmKey } from '../../src/base/ids.ts';
import { silentLog, type Log } from '../../src/base/log.ts';
import {
  decodeWsServerMessage,
  encodeWsClientMessage,
  latinIdOf,
  type LatinId,
  type WsClientMessage,
  type WsServerMessage,
} from '../../src/codec/tracker-ws.ts';
import type { OwnAnswerer, SignalSocket } from '../../src/tracker/ports.ts';
import { SwarmRegistry, type RegistryLimits } from '../../src/tracker/registry.ts';
import { SignalHub, type SignalLimits } from '../../src/tracker/signal-hub.ts';
import type { SignalSession } from '../../src/tracker/signal-session.ts';
import { FakeClock } from './fake-clock.ts';

export const KEY = parseSwarmKey('c12fe1c06bba254a9dc9f519b335aa7c1367a88a');
export const FOREIGN = parseSwarmKey('0'.repeat(40));
export const id = (name: string): LatinId => latinIdOf(fromLatin1(name.padEnd(20, '.')));
export const SERVER = id('-SB0100-server');
export const SDP = 'v=0\r\na=candidate:1 1 UDP 1 192.0.2.1 9 typ host\r\n';
export const BARE_SDP = 'v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n';
export const ICE = { candidate: 'candidate:1 1 UDP 1 192.0.2.1 9 typ host', sdpMid: '0' };

/** A browser's end of a socket that exists only in memory. */
export class Browser implements SignalSocket {
  readonly heard: WsServerMessage[] = [];
  readonly raw: string[] = [];
  readonly peerId: LatinId;
  readonly remoteHost: string;
  bufferedBytes = 0;
  closedWith: number | undefined;
  readonly #session: SignalSession;

  constructor(hub: SignalHub, name: string, remoteHost = '192.0.2.1') {
    this.peerId = id(name);
    this.remoteHost = remoteHost;
    this.#session = hub.connect(this);
  }

  send(text: string): void {
    this.raw.push(text);
    const message = decodeWsServerMessage(text);
    if (message !== undefined) this.heard.push(message);
  }

  close(code: number): void {
    this.closedWith = code;
    this.leave();
  }

  leave(): void {
    this.#session.closed();
  }

  say(text: string): void {
    this.#session.receive(text);
  }

  tell(message: WsClientMessage): void {
    this.say(encodeWsClientMessage(message));
  }

  announce(changes: Partial<Extract<WsClientMessage, { type: 'announce' }>> = {}): void {
    const announce = { type: 'announce', swarmKey: KEY, peerId: this.peerId, event: 'started', leftBytes: 1 } as const;
    this.tell({ ...announce, uploadedBytes: 0, downloadedBytes: 0, offers: [], trickle: false, ...changes });
  }

  /** Announces with offers `o1`, `o2`, … */
  offer(count = 1, changes: Parameters<Browser['announce']>[0] = {}, sdp = SDP): void {
    const offers = Array.from({ length: count }, (_, at) => ({ offerId: id(`o${at + 1}`), sdp }));
    this.announce({ offers, ...changes });
  }

  answer(to: Browser, offerId = id('o1')): void {
    this.tell({ type: 'answer', swarmKey: KEY, peerId: this.peerId, toPeerId: to.peerId, offerId, sdp: SDP });
  }

  candidate(toPeerId?: LatinId, offerId = id('o1'), ice = ICE): void {
    const candidate = { type: 'candidate', swarmKey: KEY, peerId: this.peerId, offerId, candidate: ice } as const;
    this.tell({ ...candidate, ...(toPeerId !== undefined && { toPeerId }) });
  }

  noMoreCandidates(): void {
    this.candidate(undefined, id('o1'), { candidate: '', sdpMid: '0' });
  }

  /** The messages of one type heard so far. */
  of<Type extends WsServerMessage['type']>(type: Type): Extract<WsServerMessage, { type: Type }>[] {
    return this.heard.filter((message): message is Extract<WsServerMessage, { type: Type }> => message.type === type);
  }
}

interface World {
  readonly hub: SignalHub;
  readonly registry: SwarmRegistry;
  readonly clock: FakeClock;
  readonly browser: (name: string, remoteHost?: string) => Browser;
}

export function world(
  options: {
    limits?: Partial<SignalLimits>;
    registry?: Partial<RegistryLimits>;
    answerer?: OwnAnswerer;
    admits?: (key: SwarmKey) => boolean;
    log?: Log;
  } = {},
): World {
  const clock = new FakeClock();
  const admission = { admits: options.admits ?? ((key: SwarmKey) => key === KEY) };
  const ownSeed = { addressFor: () => undefined };
  const registry = new SwarmRegistry({ clock, admission, ownSeed, random: () => 0, limits: options.registry ?? {} });
  const { answerer, limits = {}, log = silentLog } = options;
  const hub = new SignalHub({
    registry,
    clock,
    ownPeerId: SERVER,
    random: () => 0,
    limits,
    log,
    ...(answerer && { answerer }),
  });
  return { hub, registry, clock, browser: (name, remoteHost) => new Browser(hub, name, remoteHost) };
}
