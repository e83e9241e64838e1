import { describe, expect, test } from 'vitest';
import { utf8 } from '../../base/bytes.ts';
import { parseSwarmKey } from '../../base/ids.ts';
import { latinIdOf, type WsClientMessage } from '../../codec/tracker-ws.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import type { SwarmWish } from '../browser/link-messages.ts';
import { nextAnnounceMs, Rendezvous } from './rendezvous.ts';

const film = parseSwarmKey('ab'.repeat(20));
const id = (name: string): ReturnType<typeof latinIdOf> => latinIdOf(utf8(name));
const wanting: SwarmWish = { wantsPeers: true, leftBytes: 100, downloadedBytes: 0, uploadedBytes: 0 };
const seeding: SwarmWish = { wantsPeers: false, leftBytes: 0, downloadedBytes: 100, uploadedBytes: 5 };

function setUp(): {
  rendezvous: Rendezvous;
  clock: FakeClock;
  said: string[];
  peers: { live: number; room: number };
  made: { count: number };
} {
  const clock = new FakeClock();
  const said: string[] = [];
  const peers = { live: 0, room: 10 };
  const made = { count: 0 };
  const describeMessage = (message: WsClientMessage): string =>
    message.type === 'announce' ? `${message.event} left ${message.leftBytes} offers ${message.offers.length}` : '';
  const rendezvous = new Rendezvous({
    clock,
    random: () => 0.5,
    ownId: id('me'),
    links: {
      live: () => peers.live,
      room: () => peers.room,
      offer: async (_, count, announce) => {
        made.count += count;
        await announce(Array.from({ length: count }, () => ({ offerId: id('o'), sdp: 'sdp' })));
      },
      takeOffer: (_, from) => said.push(`offered by ${from}`),
      takeAnswer: (_, from) => said.push(`answered by ${from}`),
      takeCandidate: (_, from) => said.push(`candidate of ${from}`),
      closeAll: () => said.push('links closed'),
    },
    send: (message) => void said.push(describeMessage(message)),
  });
  rendezvous.connected();
  return { rendezvous, clock, said, peers, made };
}

describe('meeting peers at the tracker', () => {
  test('whoever wants pieces offers; whoever only seeds announces itself and waits', async () => {
    const { rendezvous, clock, said } = setUp();
    rendezvous.wish(film, wanting);
    await clock.advanceAsync(0);
    rendezvous.wish(parseSwarmKey('cd'.repeat(20)), seeding);
    await clock.advanceAsync(0);
    expect(said).toEqual(['started left 100 offers 4', 'started left 0 offers 0']);
  });

  test('nothing is offered when there is no room for another connection', async () => {
    const { rendezvous, clock, said, peers } = setUp();
    peers.room = 0;
    rendezvous.wish(film, wanting);
    await clock.advanceAsync(0);
    expect(said).toEqual(['started left 100 offers 0']);
  });

  test('completion and a new want are told at once, mere progress is not', async () => {
    const { rendezvous, clock, said } = setUp();
    rendezvous.wish(film, wanting);
    await clock.advanceAsync(0);
    rendezvous.wish(film, { ...wanting, leftBytes: 50 });
    await clock.advanceAsync(0);
    rendezvous.wish(film, { ...wanting, wantsPeers: false, leftBytes: 50 });
    await clock.advanceAsync(0);
    rendezvous.wish(film, { ...wanting, leftBytes: 50 });
    await clock.advanceAsync(0);
    rendezvous.wish(film, seeding);
    await clock.advanceAsync(0);
    rendezvous.wish(film, { ...seeding, uploadedBytes: 10 });
    await clock.advanceAsync(0);
    expect(said).toEqual(['started left 100 offers 4', 'update left 50 offers 4', 'completed left 0 offers 0']);
  });

  test('alone, it asks again soon and then less often; with peers it keeps the interval of the tracker', async () => {
    const { rendezvous, clock, said, peers } = setUp();
    rendezvous.wish(film, wanting);
    await clock.advanceAsync(0);
    rendezvous.receive({ type: 'announced', swarmKey: film, intervalSec: 60, seeders: 0, leechers: 1 });
    await clock.advanceAsync(2_000 + 4_000 + 8_000);
    expect(said).toHaveLength(4);
    peers.live = 1;
    await clock.advanceAsync(16_000);
    expect(said).toHaveLength(5);
    await clock.advanceAsync(59_999);
    expect(said).toHaveLength(5);
    await clock.advanceAsync(1);
    expect(said).toHaveLength(6);
  });

  test('a tracker that asks for announces every second, or never, is not taken at its word', async () => {
    const { rendezvous, clock, said } = setUp();
    rendezvous.wish(film, seeding);
    await clock.advanceAsync(0);
    rendezvous.receive({ type: 'announced', swarmKey: film, intervalSec: 0, seeders: 1, leechers: 0 });
    await clock.advanceAsync(120_000);
    expect(said).toHaveLength(2);
    await clock.advanceAsync(14_999);
    expect(said).toHaveLength(2);
    await clock.advanceAsync(1);
    expect(said).toHaveLength(3);
  });

  test('a torrent that the tracker does not know yet is announced again, soon and then less often', async () => {
    const { rendezvous, clock, said } = setUp();
    rendezvous.wish(film, seeding);
    await clock.advanceAsync(0);
    for (const pauseMs of [2_000, 4_000, 8_000]) {
      rendezvous.receive({ type: 'failed', reason: 'unknown torrent', swarmKey: film });
      const before = said.length;
      await clock.advanceAsync(pauseMs - 1);
      expect(said).toHaveLength(before);
      await clock.advanceAsync(1);
      expect(said).toHaveLength(before + 1);
    }
  });

  test('what happens while an announce is being made is told right after it', async () => {
    const { rendezvous, clock, said } = setUp();
    rendezvous.wish(film, { ...wanting, wantsPeers: false });
    rendezvous.wish(film, wanting);
    await clock.advanceAsync(0);
    expect(said).toEqual(['started left 100 offers 0', 'update left 100 offers 4']);
  });

  test('while the tracker cannot be reached offers are prepared once and leave with its first moment', async () => {
    const { rendezvous, clock, said } = setUp();
    rendezvous.disconnected();
    rendezvous.wish(film, wanting);
    await clock.advanceAsync(9_000);
    expect(said).toEqual([]);
    rendezvous.connected();
    await clock.advanceAsync(0);
    expect(said).toEqual(['started left 100 offers 4']);
  });

  test('offers that grew old while the tracker could not be reached are made anew', async () => {
    const { rendezvous, clock, said, made } = setUp();
    rendezvous.disconnected();
    rendezvous.wish(film, wanting);
    await clock.advanceAsync(60_000);
    rendezvous.connected();
    await clock.advanceAsync(0);
    expect([said, made.count]).toEqual([['started left 100 offers 4'], 8]);
  });

  test('after a lost connection every torrent is announced anew', async () => {
    const { rendezvous, clock, said } = setUp();
    rendezvous.wish(film, seeding);
    await clock.advanceAsync(0);
    rendezvous.disconnected();
    rendezvous.connected();
    await clock.advanceAsync(0);
    expect(said).toEqual(['started left 0 offers 0', 'started left 0 offers 0']);
  });

  test('leaving says so, ends its connections, and answers nobody any more', async () => {
    const { rendezvous, clock, said } = setUp();
    rendezvous.wish(film, seeding);
    await clock.advanceAsync(0);
    rendezvous.leave(film);
    await clock.advanceAsync(0);
    rendezvous.receive({ type: 'offer', swarmKey: film, peerId: id('p'), offerId: id('o'), sdp: '', trickle: true });
    await clock.advanceAsync(3_600_000);
    expect(said.slice(1)).toEqual(['stopped left 0 offers 0', 'links closed']);
    expect([rendezvous.isEmpty, clock.pending]).toEqual([true, 0]);
  });
});

test.each([
  [0, true, 2_000],
  [3, true, 16_000],
  [9, true, 120_000],
  [0, false, 120_000],
])(
  'after %i lonely announces (lonely: %s) the next comes in %i ms, give or take a tenth',
  (attempts, lonely, wantMs) => {
    const joined = { intervalMs: 120_000, attempts };
    expect(nextAnnounceMs(joined, lonely, 0.5)).toBe(wantMs);
    expect(nextAnnounceMs(joined, lonely, 0)).toBeCloseTo(wantMs * 0.9);
  },
);
