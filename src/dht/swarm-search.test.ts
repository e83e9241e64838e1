import { expect, test } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { parseSwarmKey, type SwarmKey } from '../base/ids.ts';
import { silentLog } from '../base/log.ts';
import { type PeerSource, SwarmSearch } from './swarm-search.ts';

const PEER = { host: '93.184.215.14', port: 6_881 };
const keyOf = (at: number): SwarmKey => parseSwarmKey(at.toString(16).padStart(40, '0'));

interface Scripted extends PeerSource {
  readonly asked: { readonly key: SwarmKey; readonly atMs: number; readonly announcePort: number | undefined }[];
  reaches: number;
  mostAtOnce: number;
}

function world() {
  const clock = new FakeClock();
  let atOnce = 0;
  const node: Scripted = {
    asked: [],
    reaches: 8,
    mostAtOnce: 0,
    async findPeers(key, { announcePort }, found) {
      node.asked.push({ key, atMs: clock.monotonicMs(), announcePort });
      node.mostAtOnce = Math.max(node.mostAtOnce, ++atOnce);
      await new Promise<void>((resolve) => void clock.after(100, resolve));
      atOnce--;
      if (node.reaches > 0) found([PEER]);
      return node.reaches;
    },
  };
  const search = new SwarmSearch({ nodes: [node], clock, log: silentLog, random: () => 0 });
  const found: unknown[] = [];
  const add = (
    at: number,
    isAllowed: () => boolean = () => true,
    announcePort: number | undefined = 24_244,
  ): (() => void) => search.add({ key: keyOf(at), isAllowed, announcePort, found: (peers) => found.push(...peers) });
  return { clock, node, search, found, add };
}

test('a swarm is looked for at once, announced, and again every quarter of an hour', async () => {
  const { clock, node, search, found, add } = world();
  add(1);
  await clock.advanceAsync(900_200);
  expect(node.asked).toEqual([
    { key: keyOf(1), atMs: 0, announcePort: 24_244 },
    { key: keyOf(1), atMs: 900_100, announcePort: 24_244 },
  ]);
  expect(found).toEqual([PEER, PEER]);
  await search.stop();
  expect(clock.pending).toBe(0);
});

test('while nobody is reached it is looked for soon again, then less and less', async () => {
  const { clock, node, search, add } = world();
  node.reaches = 0;
  add(1);
  await clock.advanceAsync(15_000);
  expect(node.asked.map(({ atMs }) => atMs)).toEqual([0, 2_100, 6_200, 14_300]);
  await clock.advanceAsync(7_200_000);
  expect(node.asked.length).toBeLessThan(20);
  await search.stop();
});

test('a hundred swarms are looked for four at a time', async () => {
  const { clock, node, search, add } = world();
  for (let at = 0; at < 100; at++) add(at);
  await clock.advanceAsync(5_000);
  expect(new Set(node.asked.map(({ key }) => key)).size).toBe(100);
  expect(node.mostAtOnce).toBe(4);
  await search.stop();
  expect(clock.pending).toBe(0);
});

test('what is private, or turns out to be, is neither looked for nor fed', async () => {
  const { clock, node, search, found, add } = world();
  add(1, () => false);
  await clock.advanceAsync(1_000);
  expect(node.asked).toEqual([]);
  let isPublic = true;
  add(2, () => isPublic);
  await clock.advanceAsync(50);
  isPublic = false;
  await clock.advanceAsync(3_600_000);
  expect(node.asked).toHaveLength(1);
  expect(found).toEqual([]);
  await search.stop();
});

test('a swarm that is taken out is not looked for any more', async () => {
  const { clock, node, search, found, add } = world();
  const remove = add(1);
  await clock.advanceAsync(50);
  remove();
  await clock.advanceAsync(3_600_000);
  expect(node.asked).toHaveLength(1);
  expect(found).toEqual([]);
  await search.stop();
});
