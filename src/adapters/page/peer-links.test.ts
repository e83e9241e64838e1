import { describe, expect, test } from 'vitest';
import { parseSwarmKey } from '../../base/ids.ts';
import { silentLog } from '../../base/log.ts';
import { latinIdOf, type WsOffer } from '../../codec/tracker-ws.ts';
import { utf8 } from '../../base/bytes.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { MAX_LINKS, MAX_LINKS_PER_TORRENT, PeerLinks, type PeerLinksPorts } from './peer-links.ts';
import type { LinkEvents } from './rtc-link.ts';

const film = parseSwarmKey('ab'.repeat(20));
const hashOf = (index: number): typeof film => parseSwarmKey(String(index).padStart(40, '0'));
const id = (name: string): ReturnType<typeof latinIdOf> => latinIdOf(utf8(name));
const OWN = id('5'.repeat(20));
const LOWER = id('1'.repeat(20));
const HIGHER = id('9'.repeat(20));
const X = id('x');
const Y = id('y');
const OUR_OFFER = id('offer-1');

/** A browser whose connections do what the test says, and a tracker that writes down what it is told. */
function setUp(): { links: PeerLinks; clock: FakeClock; said: string[]; events: LinkEvents[]; closed: number[] } {
  const clock = new FakeClock();
  const said: string[] = [];
  const events: LinkEvents[] = [];
  const closed: number[] = [];
  let offers = 0;
  const ports: PeerLinksPorts = {
    clock,
    log: silentLog,
    ownId: OWN,
    newOfferId: () => id(`offer-${++offers}`),
    connect: (listener) => {
      events.push(listener);
      return {
        offer: () => Promise.resolve('our offer'),
        answer: (sdp) => (sdp === 'broken' ? Promise.reject(new Error('bad sdp')) : Promise.resolve('our answer')),
        accept: () => Promise.resolve(),
        addCandidate: ({ candidate }) => said.push(`adds ${candidate}`),
        close: () => {},
      };
    },
    deliver: () => {},
    opened: (link, maxMessageBytes) => said.push(`link ${link} takes ${maxMessageBytes}`),
    ended: (link) => closed.push(link),
    sendAnswer: (_, to, offerId) => said.push(`answers ${to[0]} ${offerId}`),
    sendCandidate: (_, to, offerId, { candidate }) =>
      said.push(`candidate ${candidate} to ${to?.[0] ?? 'whoever'} ${offerId}`),
    changed: () => {},
  };
  return { links: new PeerLinks(ports), clock, said, events, closed };
}

/** The offers that were announced. */
async function offer(links: PeerLinks, key: typeof film, count: number): Promise<readonly WsOffer[]> {
  let announced: readonly WsOffer[] = [];
  await links.offer(key, count, async (offers) => void (announced = offers));
  return announced;
}

const candidate = (name: string): { candidate: string; sdpMid: string } => ({ candidate: name, sdpMid: '0' });

describe('the connections of a tab', () => {
  test('an answer leaves before its candidates, and candidates only to peers that take them', async () => {
    const { links, clock, said, events } = setUp();
    links.takeOffer(film, HIGHER, X, 'sdp', true);
    links.takeOffer(film, LOWER, Y, 'sdp', false);
    events[0]?.candidate(candidate('early'));
    events[1]?.candidate(candidate('never'));
    await clock.advanceAsync(0);
    events[0]?.candidate(candidate('late'));
    expect(said).toEqual(['answers 9 x', 'candidate early to 9 x', 'answers 1 y', 'candidate late to 9 x']);
  });

  test('an offer leaves at once, its candidates follow it to whoever got it, unless that peer cannot take them', async () => {
    const { links, said, events } = setUp();
    const offering = links.offer(film, 1, async (offers) => {
      said.push(`announces ${offers.map(({ offerId }) => offerId).join()}`);
    });
    events[0]?.candidate(candidate('a'));
    await offering;
    events[0]?.candidate(candidate('b'));
    links.takeAnswer(film, HIGHER, OUR_OFFER, 'sdp', true);
    events[0]?.candidate(candidate('c'));
    await links.offer(film, 1, () => Promise.resolve());
    links.takeAnswer(film, LOWER, id('offer-2'), 'sdp', false);
    events[1]?.candidate(candidate('d'));
    expect(said).toEqual([
      'announces offer-1',
      'candidate a to whoever offer-1',
      'candidate b to whoever offer-1',
      'candidate c to 9 offer-1',
    ]);
  });

  test('an answer to an offer we never made, or made to somebody else, changes nothing', async () => {
    const { links, clock } = setUp();
    await offer(links, film, 1);
    links.takeAnswer(film, HIGHER, id('offer-7'), 'sdp', true);
    links.takeAnswer(film, OWN, OUR_OFFER, 'sdp', true);
    expect(links.live(film)).toBe(0);
    links.takeAnswer(film, HIGHER, OUR_OFFER, 'sdp', true);
    links.takeAnswer(film, LOWER, OUR_OFFER, 'sdp', true);
    await clock.advanceAsync(0);
    expect(links.live(film)).toBe(1);
  });

  test('candidates reach only the link of the peer that sent them', async () => {
    const { links, said } = setUp();
    links.takeOffer(film, HIGHER, X, 'sdp', true);
    links.takeCandidate(film, LOWER, X, candidate('stranger'));
    links.takeCandidate(film, HIGHER, Y, candidate('other offer'));
    links.takeCandidate(film, HIGHER, X, candidate('right'));
    expect(said).toEqual(['adds right']);
  });

  test('caps hold per torrent and per tab, and a peer that is there displaces an offer that nobody took', async () => {
    const { links } = setUp();
    expect(await offer(links, film, 50)).toHaveLength(MAX_LINKS_PER_TORRENT);
    links.takeOffer(film, HIGHER, X, 'sdp', true);
    expect([links.room(film), links.live(film)]).toEqual([0, 1]);
    for (let torrent = 0; torrent < 5; torrent++) await offer(links, hashOf(torrent), 50);
    const room = [film, hashOf(1), hashOf(77)].map((hash) => links.room(hash));
    expect(room).toEqual([0, 0, 0]);
    let total = 0;
    links.closeAll(film);
    while (links.room(hashOf(100 + total)) > 0) total += (await offer(links, hashOf(100 + total), 1)).length;
    expect(total).toBe(MAX_LINKS_PER_TORRENT);
    expect(MAX_LINKS).toBe(40);
  });

  test('what leads nowhere ends by itself: offers after 50 s, connections that do not open after 15 s', async () => {
    const { links, clock, closed } = setUp();
    await offer(links, film, 1);
    links.takeOffer(film, HIGHER, X, 'sdp', true);
    await clock.advanceAsync(14_999);
    expect(closed).toEqual([]);
    await clock.advanceAsync(1);
    expect(closed).toEqual([2]);
    await clock.advanceAsync(35_000);
    expect(closed).toEqual([2, 1]);
    expect(clock.pending).toBe(0);
  });

  test('a connection that opened stays, and the worker hears how large messages may be', async () => {
    const { links, clock, events, said } = setUp();
    links.takeOffer(film, HIGHER, X, 'sdp', true);
    events[0]?.open(100_000);
    await clock.advanceAsync(3_600_000);
    expect([links.openLinks, links.live(film)]).toEqual([1, 1]);
    expect(said).toContain('link 1 takes 100000');
  });

  test('a broken offer ends its link and nothing else', async () => {
    const { links, clock, said } = setUp();
    links.takeOffer(film, LOWER, X, 'broken', true);
    links.takeOffer(film, HIGHER, Y, 'sdp', true);
    await clock.advanceAsync(0);
    expect([links.live(film), said]).toEqual([1, ['answers 9 y']]);
  });

  test('our own offer coming back is not answered', () => {
    const { links } = setUp();
    links.takeOffer(film, OWN, X, 'sdp', true);
    expect(links.live(film)).toBe(0);
  });
});
