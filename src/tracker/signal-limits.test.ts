/** What a socket cannot do to others or to us, whatever it says. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Browser, FOREIGN, id, KEY, SDP, world } from '../../test/support/signalling.ts';
import { RateLimited, StorageFailed } from '../base/errors.ts';
import { parseSwarmKey, type SwarmKey } from '../base/ids.ts';
import { silentLog } from '../base/log.ts';

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
