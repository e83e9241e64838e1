import { describe, expect, test } from 'vitest';
import { parseSwarmKey, type SwarmKey } from '../base/ids.ts';
import { PeerStore } from './peer-store.ts';

const keyOf = (at: number): SwarmKey => parseSwarmKey(at.toString(16).padStart(40, '0'));
const LIMITS = { all: 100, perSwarm: 20, householdShare: 10, perHouseholdAndSwarm: 8 };

/** How many of the swarms up to `count` still know the peer. */
function kept(store: PeerStore, host: string, count: number, nowMs = 0): number {
  const swarms = Array.from({ length: count }, (_, at) => store.peers(keyOf(at), 1_000, nowMs));
  return swarms.filter((peers) => peers.some((peer) => peer.host === host)).length;
}

describe('a store of announced peers', () => {
  test.each([
    { what: 'one address', loud: () => '20.6.6.6' },
    { what: 'one /64', loud: (at: number) => `2a00:0:0:6::${(at + 1).toString(16)}` },
  ])('keeps the others’ when $what announces all it can', ({ loud }) => {
    const store = new PeerStore(LIMITS);
    for (let at = 0; at < 5; at++) store.add(keyOf(at), { host: '20.1.1.1', port: 1 }, 0);
    for (let at = 0; at < 5_000; at++) store.add(keyOf(at + 100), { host: loud(at), port: 1 }, 0);
    for (let at = 5; at < 10; at++) store.add(keyOf(at), { host: '20.1.1.1', port: 1 }, 0);
    expect(kept(store, '20.1.1.1', 10)).toBe(10);
  });

  test('gives a swarm to no single household, however many ports it names', () => {
    const store = new PeerStore(LIMITS);
    store.add(keyOf(1), { host: '20.1.1.1', port: 1 }, 0);
    for (let port = 1; port < 1_000; port++) store.add(keyOf(1), { host: '20.6.6.6', port }, 0);
    const peers = store.peers(keyOf(1), 1_000, 0);
    expect(peers.filter(({ host }) => host === '20.6.6.6').map(({ port }) => port)).toEqual([
      999, 998, 997, 996, 995, 994, 993, 992,
    ]);
    expect(peers).toContainEqual({ host: '20.1.1.1', port: 1 });
  });

  test('lets one household have more than its share while there is room enough', () => {
    const store = new PeerStore(LIMITS);
    for (let at = 0; at < 50; at++) store.add(keyOf(at), { host: '20.1.1.1', port: 1 }, 0);
    expect(kept(store, '20.1.1.1', 50)).toBe(50);
  });

  test('is bounded in all and for each swarm, the oldest going first', () => {
    const store = new PeerStore(LIMITS);
    for (let at = 0; at < 200; at++) store.add(keyOf(1), { host: `20.2.0.${at}`, port: 1 }, 0);
    expect(store.peers(keyOf(1), 1_000, 0)).toHaveLength(20);
    for (let at = 0; at < 200; at++) store.add(keyOf(100 + at), { host: `20.3.0.${at}`, port: 1 }, 0);
    expect(store.peers(keyOf(1), 1_000, 0)).toEqual([]);
    const rest = Array.from({ length: 200 }, (_, at) => store.peers(keyOf(100 + at), 10, 0).length);
    expect(rest.reduce((sum, peers) => sum + peers)).toBe(100);
    expect(rest.slice(0, 100)).not.toContain(1);
  });

  test('forgets after half an hour what is not announced again', () => {
    const store = new PeerStore(LIMITS);
    store.add(keyOf(1), { host: '20.1.1.1', port: 1 }, 0);
    store.add(keyOf(2), { host: '20.1.1.1', port: 1 }, 0);
    store.add(keyOf(2), { host: '20.1.1.1', port: 1 }, 60_000);
    expect(kept(store, '20.1.1.1', 3, 30 * 60_000)).toBe(1);
    expect(kept(store, '20.1.1.1', 3, 31 * 60_000)).toBe(0);
  });
});
