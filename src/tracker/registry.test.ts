import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { PeerAddress } from '../base/address.ts';
import { fromHex } from '../base/bytes.ts';
import { parseSwarmKey, type SwarmKey } from '../base/ids.ts';
import { MINUTE_MS } from '../base/units.ts';
import { encodeCompactPeer } from '../codec/compact-peers.ts';
import { decodeHttpAnswer, decodeHttpScrape, percentEncode } from '../codec/tracker-http.ts';
import { HttpTracker } from './http.ts';
import { addressesOf, DEFAULT_LIMITS, SwarmRegistry, type PeerAnnounce, type RegistryLimits } from './registry.ts';

const KNOWN = parseSwarmKey('c12fe1c06bba254a9dc9f519b335aa7c1367a88a');
const FOREIGN = parseSwarmKey('0'.repeat(40));
const OWN: PeerAddress = { host: '203.0.113.7', port: 24_244 };

interface World {
  readonly registry: SwarmRegistry;
  readonly clock: FakeClock;
  readonly interests: SwarmKey[];
}

function world(
  options: { limits?: Partial<RegistryLimits>; own?: PeerAddress; admits?: (key: SwarmKey) => boolean } = {},
): World {
  const clock = new FakeClock();
  const registry = new SwarmRegistry({
    clock,
    admission: { admits: options.admits ?? ((key) => key === KNOWN) },
    ownSeed: { addressFor: () => options.own },
    random: () => 0,
    ...(options.limits && { limits: options.limits }),
  });
  const interests: SwarmKey[] = [];
  registry.events.on('interest', ({ swarmKey }) => interests.push(swarmKey));
  return { registry, clock, interests };
}

function from(host: string, changes: Partial<PeerAnnounce> & { port?: number } = {}): PeerAnnounce {
  const { port = 6881, ...rest } = changes;
  return {
    swarmKey: KNOWN,
    peer: encodeCompactPeer({ host, port }),
    remoteHost: host,
    isSeeder: false,
    event: 'started',
    numWant: undefined,
    ...rest,
  };
}

const hosts = (registry: SwarmRegistry, announce: PeerAnnounce): string[] | undefined => {
  const list = registry.announce(announce);
  return list && addressesOf(list).map((address) => address.host);
};

describe('peers find each other', () => {
  test('a newcomer is told of those before it, never of itself', () => {
    const { registry } = world();
    expect(hosts(registry, from('192.0.2.1'))).toEqual([]);
    expect(hosts(registry, from('192.0.2.2'))).toEqual(['192.0.2.1']);
    expect(hosts(registry, from('192.0.2.2'))).toEqual(['192.0.2.1']);
  });

  test('across IPv4 and IPv6, the asker’s own family first', () => {
    const { registry } = world({ limits: { maxPeersPerAnswer: 2 } });
    for (const host of ['192.0.2.1', '192.0.2.2', '2001:db8::1']) registry.announce(from(host));
    expect(hosts(registry, from('2001:db8:1::2'))).toEqual(['192.0.2.1', '2001:db8::1']);
  });

  test('a seeder is told of leechers only, and not of our own seed', () => {
    const { registry } = world({ own: OWN });
    registry.announce(from('192.0.2.1', { isSeeder: true }));
    registry.announce(from('192.0.2.2'));
    expect(hosts(registry, from('192.0.2.3', { isSeeder: true, event: 'update' }))).toEqual(['192.0.2.2']);
  });

  test('who starts with nothing left may be a magnet without metadata, and is told of everybody', () => {
    const { registry } = world({ own: OWN });
    registry.announce(from('192.0.2.1', { isSeeder: true }));
    const asked = from('192.0.2.3', { isSeeder: true, event: 'started' });
    expect(hosts(registry, asked)).toEqual(['203.0.113.7', '192.0.2.1']);
  });

  test('a leecher is told of our own seed first, within the same limit', () => {
    const { registry } = world({ own: OWN, limits: { maxPeersPerAnswer: 2 } });
    for (const host of ['192.0.2.1', '192.0.2.2']) registry.announce(from(host));
    expect(hosts(registry, from('192.0.2.3'))).toEqual(['203.0.113.7', '192.0.2.1']);
  });

  test('a stranger from the internet is not told of addresses inside our network', () => {
    const { registry } = world();
    for (const host of ['192.168.1.5', '10.1.2.3', 'fd00::1', '198.51.100.1']) registry.announce(from(host));
    expect(hosts(registry, from('198.51.100.2'))).toEqual(['198.51.100.1']);
    expect(hosts(registry, from('192.168.1.6'))).toHaveLength(5);
  });

  test.each([
    [undefined, 10],
    [200, 10],
    [3, 3],
    [0, 0],
  ])('who wants %j peers gets %d of 30', (numWant, got) => {
    const { registry } = world();
    for (let at = 1; at <= 30; at++) registry.announce(from(`192.0.2.${at}`));
    expect(hosts(registry, from('192.0.2.99', { numWant }))).toHaveLength(got);
  });
});

describe('what is tracked', () => {
  test('is what is admitted, and nothing else leaves a trace', () => {
    const { registry, interests } = world();
    expect(registry.announce(from('192.0.2.1', { swarmKey: FOREIGN }))).toBeUndefined();
    expect(registry.swarmCount).toBe(0);
    expect(interests).toEqual([]);
  });

  test('ends when the torrent is dropped', () => {
    let isAdmitted = true;
    const { registry } = world({ admits: () => isAdmitted });
    registry.announce(from('192.0.2.1'));
    isAdmitted = false;
    registry.drop(KNOWN);
    expect(registry.announce(from('192.0.2.2'))).toBeUndefined();
    expect(registry.swarmCount).toBe(0);
  });

  test('is looked up for an address only so often while it asks for foreign torrents', () => {
    const asked: SwarmKey[] = [];
    const admits = (key: SwarmKey): boolean => asked.push(key) > 0 && key === KNOWN;
    const { registry, clock } = world({ admits, limits: { maxRefusalsPerSecond: 5 } });
    for (let at = 0; at < 9; at++) registry.announce(from('192.0.2.1', { swarmKey: FOREIGN }));
    expect(asked).toHaveLength(5);
    expect(registry.announce(from('192.0.2.1'))).toBeUndefined();
    clock.advance(1_000);
    expect(registry.announce(from('192.0.2.1'))).toBeDefined();
  });

  test('is looked up for honest peers as often as they like', () => {
    const { registry } = world({ admits: () => true, limits: { maxRefusalsPerSecond: 1 } });
    for (let at = 0; at < 1_000; at++)
      expect(
        registry.announce(from('192.0.2.1', { swarmKey: parseSwarmKey(at.toString(16).padStart(40, '0')) })),
      ).toBeDefined();
  });

  test('is at most so many swarms, and those that live go on', () => {
    const { registry } = world({ admits: () => true, limits: { maxSwarms: 1 } });
    registry.announce(from('192.0.2.1'));
    expect(registry.announce(from('192.0.2.1', { swarmKey: FOREIGN }))).toBeUndefined();
    expect(registry.announce(from('192.0.2.2'))).toBeDefined();
  });
});

describe('counts', () => {
  test('follow peers as they come, complete and stop', () => {
    const { registry } = world();
    registry.announce(from('192.0.2.1'));
    registry.announce(from('192.0.2.2', { isSeeder: true }));
    registry.announce(from('192.0.2.1', { event: 'completed' }));
    expect(registry.counts(KNOWN)).toEqual({ seeders: 1, leechers: 1, completed: 0 });
    registry.announce(from('192.0.2.1', { isSeeder: true, event: 'completed' }));
    expect(registry.counts(KNOWN)).toEqual({ seeders: 2, leechers: 0, completed: 1 });
    registry.announce(from('192.0.2.1', { isSeeder: true, event: 'completed' }));
    registry.announce(from('192.0.2.9', { isSeeder: true, event: 'completed' }));
    expect(registry.counts(KNOWN).completed).toBe(1);
    for (const host of ['192.0.2.1', '192.0.2.2', '192.0.2.9']) registry.announce(from(host, { event: 'stopped' }));
    expect(registry.swarmCount).toBe(0);
  });

  test('tell the public of our own seed, and the server only of others', () => {
    const { registry } = world({ own: OWN });
    expect(registry.publicCounts(KNOWN, '192.0.2.1')).toEqual({ seeders: 1, leechers: 0, completed: 0 });
    expect(registry.counts(KNOWN)).toEqual({ seeders: 0, leechers: 0, completed: 0 });
  });
});

describe('interest', () => {
  test('is raised by leechers, not by seeders nor by those who leave', () => {
    const { registry, interests } = world();
    registry.announce(from('192.0.2.1', { isSeeder: true, event: 'update' }));
    registry.announce(from('192.0.2.2', { event: 'stopped' }));
    expect(interests).toEqual([]);
    registry.announce(from('192.0.2.2'));
    expect(interests).toEqual([KNOWN]);
  });

  test('says where the leecher listens: the address it came from, the port it told', () => {
    const { registry } = world();
    const peers: unknown[] = [];
    registry.events.on('interest', ({ peer }) => peers.push(peer));
    for (const host of ['192.0.2.2', '2001:db8::1']) registry.announce(from(host));
    expect(peers).toEqual([
      { host: '192.0.2.2', port: expect.any(Number) },
      { host: '2001:db8::1', port: expect.any(Number) },
    ]);
  });
});

describe('silent peers', () => {
  const lifetimeMs = DEFAULT_LIMITS.peerLifetimeMs;

  test('are forgotten after their lifetime, and their swarm with them', () => {
    const { registry, clock } = world();
    registry.announce(from('192.0.2.1'));
    clock.advance(lifetimeMs);
    expect(registry.counts(KNOWN).leechers).toBe(1);
    clock.advance(3 * MINUTE_MS);
    expect(registry.swarmCount).toBe(0);
  });

  test('do not take those along who have announced since', () => {
    const { registry, clock } = world();
    registry.announce(from('192.0.2.1'));
    registry.announce(from('192.0.2.2'));
    clock.advance(lifetimeMs / 2);
    registry.announce(from('192.0.2.2'));
    clock.advance(lifetimeMs / 2 + 3 * MINUTE_MS);
    expect(hosts(registry, from('192.0.2.3'))).toEqual(['192.0.2.2']);
    clock.advance(lifetimeMs + 3 * MINUTE_MS);
    expect(registry.swarmCount).toBe(0);
  });

  test('of thousands of swarms go without one long turn', () => {
    const { registry, clock } = world({ admits: () => true });
    for (let at = 0; at < 5_000; at++)
      registry.announce(from('192.0.2.1', { swarmKey: parseSwarmKey(at.toString(16).padStart(40, '0')) }));
    expect(registry.swarmCount).toBe(5_000);
    clock.advance(lifetimeMs + 3 * MINUTE_MS);
    expect(registry.swarmCount).toBe(0);
  });

  test('are looked for by one timer, which lives while there are peers and stops with the registry', () => {
    const { registry, clock } = world();
    expect(clock.pending).toBe(0);
    registry.announce(from('192.0.2.1'));
    registry.announce(from('192.0.2.2'));
    expect(clock.pending).toBe(1);
    clock.advance(lifetimeMs + 3 * MINUTE_MS);
    expect(clock.pending).toBe(0);
    registry.announce(from('192.0.2.1'));
    clock.advance(lifetimeMs + 3 * MINUTE_MS);
    expect(registry.swarmCount).toBe(0);
    registry.announce(from('192.0.2.1'));
    registry.stop();
    registry.announce(from('192.0.2.2'));
    expect(clock.pending).toBe(0);
  });
});

describe('a flood', () => {
  test('from one address takes 32 places and gets answers all the same', () => {
    const { registry } = world();
    for (let port = 1; port <= 100; port++) expect(registry.announce(from('192.0.2.1', { port }))).toBeDefined();
    expect(registry.counts(KNOWN).leechers).toBe(DEFAULT_LIMITS.maxPeersPerAddress);
  });

  test('from many addresses fills a swarm up to its limit', () => {
    const { registry } = world({ limits: { maxPeersPerSwarm: 3 } });
    for (let at = 1; at <= 9; at++) registry.announce(from(`192.0.2.${at}`));
    expect(registry.counts(KNOWN).leechers).toBe(3);
  });
});

describe('over HTTP', () => {
  const query = (key: SwarmKey, rest = ''): string =>
    `info_hash=${percentEncode(fromHex(key))}&peer_id=-SB0100-abcdefghijkl&port=6881&left=1${rest}`;

  test('an announce takes the address from the connection, mapped IPv4 included', () => {
    const http = new HttpTracker(world().registry);
    http.announce(query(KNOWN, '&ip=203.0.113.99'), '::ffff:192.0.2.1');
    expect(decodeHttpAnswer(http.announce(query(KNOWN), '192.0.2.2'))).toEqual({
      kind: 'answer',
      intervalSec: 900,
      minIntervalSec: 60,
      seeders: 0,
      leechers: 2,
      peers: [{ host: '192.0.2.1', port: 6881 }],
    });
  });

  test('the dictionary form says the same', () => {
    const http = new HttpTracker(world().registry);
    http.announce(query(KNOWN), '2001:db8::1');
    expect(decodeHttpAnswer(http.announce(query(KNOWN, '&compact=0'), '192.0.2.2'))).toMatchObject({
      peers: [{ host: '2001:db8::1', port: 6881 }],
    });
  });

  test.each([
    ['a foreign torrent', query(FOREIGN), 'this torrent is not tracked here'],
    ['nonsense', 'a=b', 'peer_id has 20 bytes'],
    ['a broken escape', `${query(KNOWN)}&peer_id=%zz`, 'broken percent escape'],
  ])('%s is refused with a reason', (_, text, reason) => {
    expect(decodeHttpAnswer(new HttpTracker(world().registry).announce(text, '192.0.2.1'))).toEqual({
      kind: 'failure',
      reason,
    });
  });

  test('a scrape counts known torrents and knows nothing of others', () => {
    const { registry } = world();
    registry.announce(from('192.0.2.1'));
    const http = new HttpTracker(registry);
    const both = [KNOWN, FOREIGN].map((key) => `info_hash=${percentEncode(fromHex(key))}`).join('&');
    expect(decodeHttpScrape(http.scrape(both, '192.0.2.2'))).toEqual(
      new Map([
        [FOREIGN, { seeders: 0, leechers: 0, completed: 0 }],
        [KNOWN, { seeders: 0, leechers: 1, completed: 0 }],
      ]),
    );
    expect(decodeHttpScrape(http.scrape('', '192.0.2.2'))).toMatchObject({ kind: 'failure' });
  });
});
