import { expect, test } from 'vitest';
import { instantHasher } from '../../../test/support/swarm.ts';
import { parseSwarmKey } from '../../base/ids.ts';
import { allowedFastSet } from './allowed-fast.ts';

const swarmKey = parseSwarmKey('aa'.repeat(20));
/** The example of BEP 6: 1313 pieces, info hash of twenty 0xaa, 80.4.4.200. */
const OF_THE_PAPER = [1059, 431, 808, 1217, 287, 376, 1188, 353, 508];

test.each([7, 9])('the set of %d pieces is that of BEP 6', async (count) => {
  const seed = { host: '80.4.4.200', swarmKey, pieceCount: 1313, count };
  expect(await allowedFastSet(seed, instantHasher)).toEqual(OF_THE_PAPER.slice(0, count));
});

test.each([
  { what: 'the same for the whole network', host: '80.4.4.1', same: true },
  { what: 'another one for another network', host: '80.4.5.200', same: false },
  { what: 'another one for another torrent', host: '80.4.4.200', key: 'bb', same: false },
])('it is $what', async ({ host, key = 'aa', same }) => {
  const seed = { host, swarmKey: parseSwarmKey(key.repeat(20)), pieceCount: 1313, count: 9 };
  const set = await allowedFastSet(seed, instantHasher);
  expect(JSON.stringify(set) === JSON.stringify(OF_THE_PAPER)).toBe(same);
});

test.each([1, 2, 5, 9])('of %d pieces each is named at most once', async (pieceCount) => {
  const set = await allowedFastSet({ host: '192.0.2.1', swarmKey, pieceCount, count: 10 }, instantHasher);
  expect(new Set(set).size).toBe(set.length);
  expect(set.toSorted((a, b) => a - b)).toEqual(Array.from({ length: pieceCount }, (_, piece) => piece));
});

test('IPv6 has no set', async () => {
  expect(await allowedFastSet({ host: '2001:db8::1', swarmKey, pieceCount: 99, count: 10 }, instantHasher)).toEqual([]);
});
