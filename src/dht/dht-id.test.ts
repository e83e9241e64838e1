/** Ids bound to addresses (BEP 42), among nodes that help and nodes that lie. */
import { describe, expect, test } from 'vitest';
import { DhtWorld, KEY, questionOf } from '../../test/support/dht-world.ts';
import { seededBytes } from '../../test/support/random-bytes.ts';
import { fromHex, utf8 } from '../base/bytes.ts';
import { type DhtContact, encodeKrpc } from '../codec/krpc.ts';
import { bindNodeId, isBoundTo } from './node-id.ts';
import { RoutingTable } from './routing-table.ts';

describe('a node behind a router', () => {
  test.each([
    { crowd: 4, isBound: false },
    { crowd: 6, isBound: true },
  ])('among $crowd others has an id of its public address: $isBound', async ({ crowd, isBound }) => {
    const world = new DhtWorld();
    await world.crowd(crowd);
    const node = world.node([{ host: '20.0.0.0', port: 6_881 }], { host: '20.7.7.7', isTranslated: true });
    const before = node.id;
    expect(isBoundTo('20.7.7.7', before)).toBe(false);
    await world.clock.advanceAsync(10_000);
    expect(isBoundTo('20.7.7.7', node.id)).toBe(isBound);
    expect(node.id === before).toBe(!isBound);
    expect(node.size).toBe(crowd); // those it knew are known under the new id too
    await world.stop();
  });

  test('keeps an id that fits its address', async () => {
    const world = new DhtWorld();
    await world.crowd(8);
    const id = bindNodeId(seededBytes('restored', 20), '20.7.7.7');
    const options = { host: '20.7.7.7', isTranslated: true, remembered: { id, contacts: [] } };
    const node = world.node([{ host: '20.0.0.0', port: 6_881 }], options);
    await world.clock.advanceAsync(60_000);
    expect(node.id).toEqual(id);
    await world.stop();
  });

  test('is not given another id by packets that nobody asked for', async () => {
    const world = new DhtWorld();
    const node = world.node([], { host: '20.7.7.7', isTranslated: true });
    const before = node.id;
    for (let at = 0; at < 50; at++) {
      const forged = { kind: 'answer', transactionId: utf8('aa'), senderId: seededBytes(`${at}`, 20) } as const;
      const observed = { host: '20.6.6.6', port: 1 };
      const packet = encodeKrpc({ ...forged, contacts: [], peers: [], token: undefined, observed });
      world.network.send(packet, { host: `20.5.0.${at}`, port: 6_881 }, { host: '20.7.7.7', port: 6_881 });
    }
    await world.clock.advanceAsync(1_000);
    expect(node.id).toBe(before);
    await world.stop();
  });

  test('does not change its id again and again, whatever others say', async () => {
    const world = new DhtWorld();
    let said = 0;
    const liars = Array.from({ length: 12 }, (_, at) => ({
      id: bindNodeId(seededBytes(`liar ${at}`, 20), `20.6.${at}.1`),
      address: { host: `20.6.${at}.1`, port: 6_881 },
    }));
    for (const liar of liars)
      world.liar(liar, () => ({ contacts: liars, observed: { host: `20.66.${(said += 0.05) | 0}.9`, port: 1 } }));
    const node = world.node(
      liars.map(({ address }) => address),
      { host: '20.7.7.7', isTranslated: true },
    );
    const ids = new Set<Uint8Array>();
    for (let minute = 0; minute < 30; minute++) {
      await world.clock.advanceAsync(60_000);
      ids.add(node.id);
    }
    expect(said).toBeGreaterThan(10); // so many addresses were said to be ours
    expect(ids.size).toBeGreaterThan(1);
    expect(ids.size).toBeLessThanOrEqual(4);
    await world.stop();
  });
});

test('whoever asks is told where it is seen', async () => {
  const world = new DhtWorld();
  const node = world.node([]);
  const stranger = world.stranger();
  await stranger.say(questionOf({ method: 'ping' }), node);
  await stranger.say(questionOf({ method: 'announce_peer', swarmKey: KEY, port: 1, token: utf8('wrong') }), node);
  expect(stranger.heard).toEqual([
    expect.objectContaining({ kind: 'answer', observed: stranger.address }),
    expect.objectContaining({ kind: 'error', observed: stranger.address }),
  ]);
  await world.stop();
});

test.each([
  { how: 'name the nearest of them', named: () => [0, 20] as const },
  { how: 'name one nearer each', named: (distance: number) => [Math.max(0, distance - 1), distance] as const },
])('nodes that chose their ids next to a torrent and $how do not hide it', async ({ named }) => {
  const world = new DhtWorld();
  await world.crowd(30);
  const [seed, leech] = [world.nodes[3], world.nodes[27]];
  if (seed === undefined || leech === undefined) throw new Error('no crowd');
  const besiegers = Array.from({ length: 200 }, (_, distance): DhtContact => {
    const id = fromHex(KEY);
    id[19] = (id[19] ?? 0) ^ distance;
    return { id, address: { host: `20.6.0.${distance}`, port: 6_881 } };
  });
  let askedForPeers = 0;
  for (const [distance, besieger] of besiegers.entries())
    world.liar(besieger, ({ question }) => {
      if (question.method === 'get_peers') askedForPeers++;
      return { contacts: besiegers.slice(...named(distance)), token: utf8('token') };
    });
  for (const node of world.nodes) for (const { address } of besiegers.slice(-2)) node.addNode(address);
  await world.clock.advanceAsync(10_000);
  await world.search(seed, 24_244);
  expect(askedForPeers).toBeGreaterThanOrEqual(8); // they were in the way
  expect(askedForPeers).toBeLessThanOrEqual(50);
  expect(await world.search(leech)).toContainEqual({ host: seed.address.host, port: 24_244 });
  await world.stop();
});

test('a full bucket gives the place of a node that chose its id to one that did not', () => {
  const own = new Uint8Array(20);
  const far = (name: string): Uint8Array => {
    const id = seededBytes(name, 20);
    id[0] = (id[0] ?? 0) | 0x80;
    return id;
  };
  const bound = (name: string, host: string): DhtContact => {
    for (let at = 0; ; at++) {
      const id = bindNodeId(seededBytes(`${name} ${at}`, 20), host);
      if ((id[0] ?? 0) >= 0x80) return { id, address: { host, port: 1 } };
    }
  };
  const table = new RoutingTable(own);
  for (let at = 0; at < 8; at++) {
    const host = `20.6.0.${at}`;
    table.answered({ id: far(`chosen ${at}`), address: { host, port: 1 } }, 0);
  }
  const chosen = { id: far('one more'), address: { host: '20.6.1.1', port: 1 } };
  expect(table.wants(chosen)).toBe(false);
  table.answered(chosen, 0);
  const newcomers = Array.from({ length: 9 }, (_, at) => bound(`bound ${at}`, `20.1.0.${at}`));
  for (const newcomer of newcomers.slice(0, 8)) {
    expect(table.wants(newcomer)).toBe(true);
    table.answered(newcomer, 0);
  }
  expect(newcomers.slice(8).map((newcomer) => table.wants(newcomer))).toEqual([false]);
  expect(table.size).toBe(8);
  expect(table.closest(own).every(({ address }) => address.host.startsWith('20.1.'))).toBe(true);
});
