import { describe, expect, test } from 'vitest';
import { BARE_SDP, FOREIGN, ICE, id, KEY, SDP, SERVER, world } from '../../test/support/signalling.ts';
import type { SwarmKey } from '../base/ids.ts';
import { MINUTE_MS } from '../base/units.ts';
import type { AnswerSink, OwnAnswerer, RemoteOffer } from './ports.ts';
import { DEFAULT_LIMITS } from './registry.ts';

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
    expect(server.offers).toEqual([
      { swarmKey: KEY, peerId: ours.peerId, sdp: BARE_SDP, trickle: true, remoteHost: '192.0.2.1' },
    ]);
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
