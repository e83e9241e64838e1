import { expect, test } from 'vitest';
import { seededBytes } from '../../test/support/random-bytes.ts';
import type { DhtContact } from '../codec/krpc.ts';
import { walk } from './lookup.ts';
import { bindNodeId } from './node-id.ts';
import { compareDistance } from './routing-table.ts';

const TARGET = seededBytes('target', 20);

/** Nodes of households of their own, the farthest from the target first; `bound`: with ids of their addresses (BEP 42). */
function nodes(count: number, bound: boolean): DhtContact[] {
  const made = Array.from({ length: count }, (_, at): DhtContact => {
    const host = `20.${at >> 8}.${at & 255}.1`;
    const random = seededBytes(`node ${at}`, 20);
    return { id: bound ? bindNodeId(random, host) : random, address: { host, port: 6_881 } };
  });
  return made.toSorted((one, other) => compareDistance(TARGET, other.id, one.id));
}

test.each([
  { who: 'with ids of their addresses', bound: true, most: 100 },
  { who: 'that chose their ids', bound: false, most: 50 },
])('liars $who, who always know nearer ones, are asked $most times and no more', async ({ bound, most }) => {
  const chain = nodes(2_000, bound);
  const places = new Map(chain.map(({ address }, at) => [address.host, at]));
  let asked = 0;
  const found = await walk({
    target: TARGET,
    start: chain.slice(0, 1),
    ask: ({ address }) => {
      asked++;
      const at = places.get(address.host) ?? 0;
      const contacts = chain.slice(at + 1, at + 5);
      const [senderId, transactionId] = [new Uint8Array(20), new Uint8Array(4)];
      return Promise.resolve({ kind: 'answer', transactionId, senderId, contacts, peers: [], token: undefined });
    },
    allows: () => true,
    signal: new AbortController().signal,
  });
  expect(asked).toBe(most);
  expect(found.length).toBeGreaterThanOrEqual(8);
});
