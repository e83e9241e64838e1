import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { fromLatin1 } from '../base/bytes.ts';
import { RateLimited, StorageFailed } from '../base/errors.ts';
import { parseSwarmKey, type SwarmKey } from '../base/ids.ts';
import { silentLog, type Log } from '../base/log.ts';
import { MINUTE_MS } from '../base/units.ts';
import {
  decodeWsServerMessage,
  encodeWsClientMessage,
  latinIdOf,
  type LatinId,
  type WsClientMessage,
  type WsServerMessage,
} from '../codec/tracker-ws.ts';
import type { AnswerSink, OwnAnswerer, RemoteOffer, SignalSocket } from './ports.ts';
import { DEFAULT_LIMITS, SwarmRegistry, type RegistryLimits } from './registry.ts';
import { SignalHub, type SignalLimits } from './signal-hub.ts';
import type { SignalSession } from './signal-session.ts';

const KEY = parseSwarmKey('c12fe1c06bba254a9dc9f519b335aa7c1367a88a');
const FOREIGN = parseSwarmKey('0'.repeat(40));
const id = (name: string): LatinId => latinIdOf(fromLatin1(name.padEnd(20, '.')));
const SERVER = id('-SB0100-server');
const SDP = 'v=0\r\na=candidate:1 1 UDP 1 192.0.2.1 9 typ host\r\n';
const BARE_SDP = 'v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n';
const ICE = { candidate: 'candidate:1 1 UDP 1 192.0.2.1 9 typ host', sdpMid: '0' };

/** A browser's end of a socket that exists only in memory. */
class Browser implements SignalSocket {
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

function world(
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

describe('stock WebTorrent clients', () => {
  test('are introduced to each other: offer, answer, nothing else', () => {
    const { browser } = world();
    const [seeder, leecher] = [browser('seeder'), browser('leecher')];
    seeder.announce({ leftBytes: 0 });
    leecher.offer();
    expect(seeder.of('offer')).toEqual([
      { type: 'offer', swarmKey: KEY, peerId: leecher.peerId, offerId: id('o1'), sdp: SDP, trickle: false },
    ]);
    seeder.answer(leecher);
    expect(leecher.of('answer')).toEqual([
      { type: 'answer', swarmKey: KEY, peerId: seeder.peerId, offerId: id('o1'), sdp: SDP, trickle: false },
    ]);
    expect(leecher.of('announced')).toEqual([
      { type: 'announced', swarmKey: KEY, intervalSec: 120, seeders: 1, leechers: 1 },
    ]);
    expect(leecher.heard).toHaveLength(2);
  });

  test('never hear a word outside their protocol, whatever our own peers do', () => {
    const { browser } = world();
    const [stock, ours] = [browser('stock'), browser('ours')];
    stock.announce();
    ours.offer(2, { trickle: true });
    ours.candidate(stock.peerId);
    ours.candidate();
    stock.answer(ours);
    ours.candidate(stock.peerId);
    expect(stock.heard.map((message) => message.type)).toEqual(['announced', 'offer']);
    for (const text of stock.raw) expect(text).not.toContain('trickle');
  });

  test('get an offer of ours as soon as it is complete, and answer it like any other', () => {
    const { browser } = world();
    const [stock, ours] = [browser('stock'), browser('ours')];
    stock.announce();
    ours.offer(1, { trickle: true }, BARE_SDP);
    ours.candidate();
    expect(stock.of('offer')).toEqual([]);
    ours.noMoreCandidates();
    const sdp = `${BARE_SDP}a=${ICE.candidate}\r\na=end-of-candidates\r\n`;
    expect(stock.of('offer')).toEqual([
      { type: 'offer', swarmKey: KEY, peerId: ours.peerId, offerId: id('o1'), sdp, trickle: false },
    ]);
    stock.answer(ours);
    expect(ours.of('answer')).toMatchObject([{ peerId: stock.peerId, trickle: false }]);
    ours.candidate();
    expect(stock.heard).toHaveLength(2);
  });

  test('get it after 1.5 s where nobody says that it is complete, and never without a candidate', () => {
    const { browser, clock } = world();
    const [stock, other, ours] = [browser('stock'), browser('other'), browser('ours')];
    stock.announce();
    other.announce();
    ours.offer(2, { trickle: true }, BARE_SDP);
    ours.candidate(undefined, id('o1'));
    clock.advance(1_500);
    expect([...stock.of('offer'), ...other.of('offer')].map(({ offerId }) => offerId)).toEqual([id('o1')]);
  });

  test('get no line smuggled into a description, and nothing from a peer that has left', () => {
    const { browser, clock } = world();
    const [stock, ours, gone] = [browser('stock'), browser('ours'), browser('gone')];
    stock.announce();
    ours.offer(1, { trickle: true }, BARE_SDP);
    ours.candidate(undefined, id('o1'), { candidate: `${ICE.candidate}\r\na=ice-ufrag:x`, sdpMid: '0' });
    gone.offer(1, { trickle: true }, BARE_SDP);
    gone.candidate();
    gone.leave();
    clock.advance(1_500);
    expect(stock.of('offer')).toEqual([]);
  });
});

describe('our own peers', () => {
  test('trickle candidates to each other, before the answer by offer and after it by peer', () => {
    const { browser } = world();
    const [a, b] = [browser('a'), browser('b')];
    a.announce({ trickle: true });
    b.offer(1, { trickle: true }, BARE_SDP);
    expect(a.of('offer')).toMatchObject([{ trickle: true, peerId: b.peerId }]);
    b.candidate();
    a.answer(b);
    a.candidate(b.peerId);
    b.candidate(a.peerId);
    expect(a.of('candidate')).toMatchObject([{ peerId: b.peerId, candidate: ICE }, { peerId: b.peerId }]);
    expect(b.of('answer')).toMatchObject([{ trickle: true }]);
    expect(b.of('candidate')).toEqual([
      { type: 'candidate', swarmKey: KEY, peerId: a.peerId, offerId: id('o1'), candidate: ICE },
    ]);
  });
});

describe('offers', () => {
  test('go to one peer each, at most ten', () => {
    const { browser } = world();
    const others = Array.from({ length: 12 }, (_, at) => browser(`peer${at}`));
    for (const other of others) other.announce();
    browser('new').offer(10);
    expect(others.map((other) => other.of('offer').length).filter((count) => count === 1)).toHaveLength(10);
    expect(new Set(others.flatMap((other) => other.of('offer').map((offer) => offer.offerId)))).toHaveProperty(
      'size',
      10,
    );
  });

  test('of a seeder go to leechers only', () => {
    const { browser } = world();
    const [seeder, leecher] = [browser('seeder'), browser('leecher')];
    seeder.announce({ leftBytes: 0 });
    leecher.announce();
    browser('another').offer(2, { leftBytes: 0 });
    expect([seeder.of('offer').length, leecher.of('offer').length]).toEqual([0, 1]);
  });

  test('pass by a peer whose socket is congested', () => {
    const { browser } = world();
    const [slow, quick] = [browser('slow'), browser('quick')];
    slow.announce();
    quick.announce();
    slow.bufferedBytes = 2 << 20;
    browser('new').offer();
    expect([slow.of('offer').length, quick.of('offer').length]).toEqual([0, 1]);
  });

  test('do not come back to the one who offered', () => {
    const { browser } = world();
    const alone = browser('alone');
    alone.offer(5);
    alone.offer(5);
    expect(alone.of('offer')).toEqual([]);
  });
});

describe('the server’s own seeder', () => {
  function answerer(takes: (offer: RemoteOffer) => boolean = () => true): {
    port: OwnAnswerer;
    offers: RemoteOffer[];
    sinks: AnswerSink[];
    candidates: unknown[];
  } {
    const record = { offers: [] as RemoteOffer[], sinks: [] as AnswerSink[], candidates: [] as unknown[] };
    const port: OwnAnswerer = {
      answer(offer, sink) {
        record.offers.push(offer);
        record.sinks.push(sink);
        return takes(offer) ? { addCandidate: (candidate) => record.candidates.push(candidate) } : undefined;
      },
    };
    return { port, ...record };
  }

  test('answers a browser’s first offer, and trickles with those that do', () => {
    const server = answerer();
    const { browser } = world({ answerer: server.port });
    const ours = browser('ours');
    ours.offer(1, { trickle: true }, BARE_SDP);
    expect(server.offers).toEqual([{ swarmKey: KEY, peerId: ours.peerId, sdp: BARE_SDP, trickle: true }]);
    ours.candidate();
    expect(server.candidates).toEqual([ICE]);
    server.sinks[0]?.answer(SDP);
    server.sinks[0]?.candidate(ICE);
    const signal = { swarmKey: KEY, peerId: SERVER, offerId: id('o1') };
    expect(ours.heard.slice(1)).toEqual([
      { type: 'answer', ...signal, sdp: SDP, trickle: true },
      { type: 'candidate', ...signal, candidate: ICE },
    ]);
  });

  test('gives a stock client one answer and no candidates', () => {
    const server = answerer();
    const { browser } = world({ answerer: server.port });
    const stock = browser('stock');
    stock.offer();
    server.sinks[0]?.answer(SDP);
    server.sinks[0]?.candidate(ICE);
    expect(stock.heard.map((message) => message.type)).toEqual(['announced', 'answer']);
    expect(stock.raw[1]).not.toContain('trickle');
  });

  test('leaves the other offers to the swarm, and all of them when it does not want the peer', () => {
    const server = answerer((offer) => offer.peerId === id('wanted'));
    const { browser } = world({ answerer: server.port });
    const peer = browser('peer');
    peer.announce();
    browser('wanted').offer(2);
    expect(peer.of('offer').map((offer) => offer.offerId)).toEqual([id('o2')]);
    browser('unwanted').offer(1);
    expect(peer.of('offer')).toHaveLength(2);
  });

  test('is not bothered by other seeders, and speaks to nobody who has left', () => {
    const server = answerer();
    const { browser } = world({ answerer: server.port });
    browser('seeder').offer(1, { leftBytes: 0 });
    expect(server.offers).toEqual([]);
    const gone = browser('gone');
    gone.offer();
    gone.leave();
    server.sinks[0]?.answer(SDP);
    expect(gone.of('answer')).toEqual([]);
  });
});

describe('nobody speaks for others', () => {
  test('an answer to an offer that went to somebody else is dropped', () => {
    const { browser } = world();
    const [a, thief, b] = [browser('a'), browser('thief'), browser('b')];
    a.announce();
    b.offer();
    thief.announce();
    thief.answer(b);
    expect(b.of('answer')).toEqual([]);
    a.answer(b);
    expect(b.of('answer')).toHaveLength(1);
  });

  test('a candidate to somebody who never offered nor was offered to is dropped', () => {
    const { browser } = world();
    const [a, b] = [browser('a'), browser('b')];
    a.announce({ trickle: true });
    b.announce({ trickle: true });
    b.candidate(a.peerId);
    expect(a.of('candidate')).toEqual([]);
  });

  test('signals under another’s id, or from outside the swarm, are dropped', () => {
    const { browser } = world();
    const [a, b, outsider] = [browser('a'), browser('b'), browser('outsider')];
    a.announce();
    b.offer();
    outsider.tell({ type: 'answer', swarmKey: KEY, peerId: a.peerId, toPeerId: b.peerId, offerId: id('o1'), sdp: SDP });
    expect(b.of('answer')).toEqual([]);
  });

  test('a peer id that is taken is refused to another address, and given back after a reconnect', () => {
    const { browser, registry } = world();
    const first = browser('same', '192.0.2.1');
    first.announce();
    const stranger = browser('same', '192.0.2.2');
    stranger.announce();
    expect(stranger.of('failed')).toMatchObject([{ reason: 'this peer id is taken', swarmKey: KEY }]);
    const again = browser('same', '192.0.2.1');
    again.announce();
    first.leave();
    browser('new').offer();
    expect(again.of('offer')).toHaveLength(1);
    expect(registry.counts(KEY).leechers).toBe(2);
  });
});

describe('the swarm', () => {
  test('counts browsers with all others, and forgets them when they stop, leave or fall silent', () => {
    const { browser, registry, clock } = world();
    const [a, b, c] = [browser('a'), browser('b'), browser('c')];
    for (const peer of [a, b, c]) peer.announce();
    a.announce({ leftBytes: 0, event: 'completed' });
    expect(registry.counts(KEY)).toEqual({ seeders: 1, leechers: 2, completed: 1 });
    b.announce({ event: 'stopped' });
    a.leave();
    expect(registry.counts(KEY)).toEqual({ seeders: 0, leechers: 1, completed: 1 });
    clock.advance(DEFAULT_LIMITS.peerLifetimeMs + 3 * MINUTE_MS);
    expect(registry.swarmCount).toBe(0);
    c.announce();
    expect(registry.counts(KEY).leechers).toBe(1);
  });

  test('a scrape tells the counts', () => {
    const { browser } = world();
    const a = browser('a');
    a.announce();
    a.tell({ type: 'scrape', swarmKeys: [KEY, FOREIGN] });
    expect(a.of('scraped')[0]?.files.get(KEY)).toEqual({ seeders: 0, leechers: 1, completed: 0 });
    expect(a.of('scraped')[0]?.files.get(FOREIGN)).toEqual({ seeders: 0, leechers: 0, completed: 0 });
  });

  test('a foreign torrent is refused under its name', () => {
    const { browser, registry } = world();
    const a = browser('a');
    a.announce({ swarmKey: FOREIGN });
    expect(a.heard).toEqual([{ type: 'failed', swarmKey: FOREIGN, reason: 'this torrent is not tracked here' }]);
    expect(registry.swarmCount).toBe(0);
  });

  test('a leecher’s announce raises interest', () => {
    const { browser, registry } = world();
    const interests: SwarmKey[] = [];
    registry.events.on('interest', ({ swarmKey }) => interests.push(swarmKey));
    browser('seeder').announce({ leftBytes: 0 });
    expect(interests).toEqual([]);
    browser('leecher').announce();
    expect(interests).toEqual([KEY]);
  });
});

describe('limits', () => {
  test('a socket is in at most so many swarms', () => {
    const { browser } = world({ admits: () => true, limits: { maxSwarmsPerSocket: 2 } });
    const a = browser('a');
    for (const digit of ['1', '2', '3']) a.announce({ swarmKey: parseSwarmKey(digit.repeat(40)) });
    expect(a.of('failed')).toMatchObject([{ reason: 'too many torrents on one socket' }]);
  });

  test('a page that announces 1,000 torrents at once is served', () => {
    const { browser } = world({ admits: () => true });
    const page = browser('page');
    for (let at = 0; at < 1_000; at++) page.offer(2, { swarmKey: parseSwarmKey(at.toString(16).padStart(40, '0')) });
    expect(page.of('announced')).toHaveLength(1_000);
    expect(page.closedWith).toBeUndefined();
  });

  test('a flood of messages closes the socket, a steady stream does not', () => {
    const { browser, clock, hub } = world({ limits: { messages: { capacity: 20, perSecond: 10 } } });
    const steady = browser('steady');
    for (let second = 0; second < 60; second++) {
      for (let at = 0; at < 10; at++) steady.announce();
      clock.advance(1_000);
    }
    expect(steady.closedWith).toBeUndefined();
    const flood = browser('flood');
    for (let at = 0; at < 21; at++) flood.announce();
    expect(flood.closedWith).toBe(1_008);
    expect(hub.sockets).toBe(1);
  });

  test('a frame above 64 KiB closes the socket', () => {
    const { browser } = world();
    const a = browser('a');
    a.say('x'.repeat(65_537));
    expect(a.closedWith).toBe(1_009);
  });

  test('an address has at most so many sockets', () => {
    const { browser } = world({ limits: { maxSocketsPerAddress: 2 } });
    const first = browser('1');
    browser('2');
    expect(() => browser('3')).toThrow(RateLimited);
    expect(() => browser('4', '192.0.2.9')).not.toThrow();
    first.leave();
    first.leave();
    expect(() => browser('5')).not.toThrow();
    expect(() => browser('6')).toThrow(RateLimited);
  });

  test('nonsense is answered with its reason, and too much of it closes the socket', () => {
    const { browser } = world();
    const a = browser('a');
    a.say('{');
    expect(a.of('failed')).toEqual([{ type: 'failed', reason: 'not JSON' }]);
    for (let at = 0; at < 100; at++) a.say('{');
    expect(a.closedWith).toBe(1_008);
  });
});

test('a failure of ours closes that socket with 1011, is logged, and hurts nobody else', () => {
  const events: string[] = [];
  const log = { ...silentLog, error: (event: string) => events.push(event) };
  const admits = (key: SwarmKey): boolean => {
    if (key === FOREIGN) throw new StorageFailed('the database is away');
    return true;
  };
  const { browser } = world({ admits, log });
  const [a, b] = [browser('a'), browser('b')];
  a.announce({ swarmKey: FOREIGN });
  b.announce();
  expect([a.closedWith, b.closedWith]).toEqual([1_011, undefined]);
  expect(events).toEqual(['tracker.message_failed']);
});

test('whatever sockets say, the counts are those of the members, and all is gone when they are', () => {
  const step = fc.record({
    who: fc.nat(3),
    act: fc.constantFrom('announce', 'stop', 'offer', 'answer', 'candidate', 'leave', 'noise'),
    whom: fc.nat(3),
    isSeeder: fc.boolean(),
    trickle: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { browser, registry, hub } = world();
      const all = Array.from({ length: 4 }, (_, at) => browser(`peer${at}`));
      const model = new Map<Browser, boolean>();
      const gone = new Set<Browser>();
      for (const { who, act, whom, isSeeder, trickle } of steps) {
        const [peer, other] = [all[who], all[whom]];
        if (peer === undefined || other === undefined) continue;
        const changes = { leftBytes: isSeeder ? 0 : 1, trickle };
        if (act === 'announce') peer.announce(changes);
        else if (act === 'offer') peer.offer(3, changes);
        else if (act === 'stop') peer.announce({ event: 'stopped' });
        else if (act === 'answer') peer.answer(other);
        else if (act === 'candidate') peer.candidate(other.peerId);
        else if (act === 'leave') peer.leave();
        else peer.say('{"action":"announce"}');
        if (act === 'leave') gone.add(peer);
        if (act === 'leave' || act === 'stop') model.delete(peer);
        else if ((act === 'announce' || act === 'offer') && !gone.has(peer)) model.set(peer, isSeeder);
        const seeders = [...model.values()].filter(Boolean).length;
        expect(registry.counts(KEY)).toMatchObject({ seeders, leechers: model.size - seeders });
      }
      for (const peer of all) peer.leave();
      expect([registry.swarmCount, hub.sockets]).toEqual([0, 0]);
    }),
    { numRuns: 1_000 },
  );
});
