import { expect, test } from 'vitest';
import { othersInSwarm } from './peers.ts';

test.each([
  { peers: 0, state: 'complete', seeders: 2, leechers: 0, others: 1 },
  { peers: 3, state: 'downloading', seeders: 1, leechers: 1, others: 3 },
  { peers: 0, state: 'starting', seeders: 0, leechers: 0, others: 0 },
  { peers: 0, state: 'http-only', seeders: 5, leechers: 5, others: 0 },
] as const)(
  '$state with $peers connected, $seeders seeding and $leechers downloading: $others others',
  ({ peers, state, seeders, leechers, others }) => {
    expect(othersInSwarm({ peers, state }, { seeders, leechers })).toBe(others);
  },
);

test('before the swarm has started there is nobody', () => {
  expect(othersInSwarm(undefined, { seeders: 5, leechers: 0 })).toBe(0);
});
