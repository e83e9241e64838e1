/** Dozens of nodes on a virtual network and clock: found, announced, hostile, gone. */
import { describe, expect, test } from 'vitest';
import { DhtWorld, KEY, questionOf } from '../../test/support/dht-world.ts';
import { seededBytes } from '../../test/support/random-bytes.ts';
import { AddressPolicy } from '../base/address-policy.ts';
import { utf8 } from '../base/bytes.ts';
import { decodeKrpc, type DhtContact, encodeKrpc, type KrpcAnswer } from '../codec/krpc.ts';

const never = new AbortController().signal;

describe('a network of nodes', () => {
  test('where each knows one other, finds the peer that one of them announced', async () => {
    const world = new DhtWorld();
    await world.crowd(60);
    const [seed, leech] = [world.nodes[17], world.nodes[51]];
    if (seed === undefined || leech === undefined) throw new Error('no crowd');
    expect(await world.search(seed, 24_244)).toEqual([]);
    expect(await world.search(leech)).toEqual([{ host: seed.address.host, port: 24_244 }]);
    expect(world.network.sent.filter(({ from, to }) => from.host === to.host)).toEqual([]); // nobody asks itself
    await world.stop();
    expect(world.clock.pending).toBe(0);
  });

  test('still does when half of it has gone, and forgets peers that stay silent for half an hour', async () => {
    const world = new DhtWorld();
    await world.crowd(40);
    const [seed, leech] = [world.nodes[3], world.nodes[38]];
    if (seed === undefined || leech === undefined) throw new Error('no crowd');
    await world.search(seed, 24_244);
    await Promise.all(world.nodes.filter((node, at) => at % 2 === 0 && node !== leech).map((node) => node.stop()));
    expect(await world.search(leech)).toEqual([{ host: seed.address.host, port: 24_244 }]);
    await world.clock.advanceAsync(30 * 60_000);
    expect(await world.search(leech)).toEqual([]);
    await world.stop();
  });

  test('of IPv6 nodes works the same (BEP 32)', async () => {
    const world = new DhtWorld();
    const [first, second] = [
      world.node([], { host: '2a00::1' }),
      world.node([{ host: '2a00::1', port: 6_881 }], { host: '2a00:0:0:1::2' }),
    ];
    await world.clock.advanceAsync(1_000);
    await world.search(second, 24_244);
    expect(await world.search(first)).toEqual([{ host: '2a00:0:0:1::2', port: 24_244 }]);
    await world.stop();
  });

  test('is joined later by a node that was alone at first', async () => {
    const world = new DhtWorld();
    const first = { host: '20.0.0.0', port: 6_881 };
    const late = world.node([first], { host: '20.7.7.7' });
    await world.clock.advanceAsync(5_000);
    expect(late.size).toBe(0);
    world.node([], { host: first.host });
    await world.clock.advanceAsync(60_000);
    expect(late.size).toBe(1);
    await world.stop();
  });

  test('takes in a node that a peer told of (PORT message), once it has answered', async () => {
    const world = new DhtWorld();
    const [one, other] = [world.node([]), world.node([])];
    one.addNode(other.address);
    one.addNode({ host: '20.8.8.8', port: 6_881 });
    await world.clock.advanceAsync(5_000);
    expect([one.size, other.size]).toEqual([1, 1]);
    await world.stop();
  });
});

describe('a node', () => {
  test('looks whether others live that it was told of, sixteen at a time', async () => {
    const world = new DhtWorld();
    const node = world.node([]);
    const told = (from: number): void => {
      for (let at = from; at < from + 40; at++) node.addNode({ host: `20.8.${at}.1`, port: 6_881 });
    };
    const sent = (): number => world.network.sent.filter(({ from }) => from.host === node.address.host).length;
    told(0);
    await world.clock.advanceAsync(100);
    expect(sent()).toBe(16);
    await world.clock.advanceAsync(3_000);
    told(100);
    await world.clock.advanceAsync(100);
    expect(sent()).toBe(32);
    await world.stop();
  });

  test('says nothing to anybody without bootstrap nodes', async () => {
    const world = new DhtWorld();
    world.node([]);
    await world.clock.advanceAsync(3_600_000);
    expect(world.network.sent).toEqual([]);
    await world.stop();
  });

  const INNER = ['127.0.0.1', '10.1.2.3', '192.168.1.1', '169.254.169.254', '0.0.0.0', '224.0.0.1'];
  test.each([
    { allowed: 'public', policy: new AddressPolicy(), contacted: [] },
    { allowed: 'private too', policy: new AddressPolicy({ allowPrivate: true }), contacted: INNER.slice(0, 3) },
  ])('where addresses may be $allowed, contacts of what a liar names: $contacted', async ({ policy, contacted }) => {
    const world = new DhtWorld(policy);
    const liar = { id: seededBytes('liar', 20), address: { host: '20.6.6.6', port: 6_881 } };
    const told = INNER.map((host, at) => ({ host, port: 8_080 + at }));
    const contacts = told.map((address, at) => ({ id: seededBytes(`inner ${at}`, 20), address }));
    world.liar(liar, () => ({ contacts, peers: told, token: utf8('token') }));
    const node = world.node([liar.address]);
    await world.clock.advanceAsync(5_000);
    const found = await world.search(node, 24_244);
    const hosts = world.network.sent.filter(({ from }) => from.host === node.address.host).map(({ to }) => to.host);
    expect(new Set(hosts)).toEqual(new Set(['20.6.6.6', ...contacted]));
    expect(found.map(({ host }) => host)).toEqual(contacted);
    await world.stop();
  });

  test('takes an announce with its own token only, and tells no private address on', async () => {
    const world = new DhtWorld(new AddressPolicy({ allowPrivate: false }));
    const node = world.node([]);
    const stranger = world.stranger();
    const announce = { method: 'announce_peer', swarmKey: KEY, port: 5_000 } as const;
    await stranger.say(questionOf({ ...announce, token: utf8('12345678') }), node);
    expect(stranger.heard.at(-1)).toMatchObject({ kind: 'error', code: 203 });
    await stranger.say(questionOf({ method: 'get_peers', swarmKey: KEY }), node);
    const { token } = stranger.heard.at(-1) as KrpcAnswer;
    if (token === undefined) throw new Error('no token');
    const thief = world.stranger('20.5.5.5');
    await thief.say(questionOf({ ...announce, token }), node);
    expect(thief.heard.at(-1)).toMatchObject({ kind: 'error' });
    await stranger.say(questionOf({ ...announce, token }), node);
    const neighbour = world.stranger('192.168.1.7');
    await neighbour.say(questionOf({ method: 'get_peers', swarmKey: KEY }), node);
    const own = neighbour.heard.at(-1) as KrpcAnswer;
    expect(own.peers).toEqual([{ host: stranger.address.host, port: 5_000 }]);
    await neighbour.say(questionOf({ ...announce, token: own.token ?? token }), node);
    await stranger.say(questionOf({ method: 'get_peers', swarmKey: KEY }), node);
    expect((stranger.heard.at(-1) as KrpcAnswer).peers).toEqual([{ host: stranger.address.host, port: 5_000 }]);
    await world.clock.advanceAsync(10 * 60_000);
    await stranger.say(questionOf({ ...announce, token }), node);
    expect(stranger.heard.at(-1)).toMatchObject({ kind: 'error' });
    await world.stop();
  });

  test('answers one address 50 times a second and no more', async () => {
    const world = new DhtWorld();
    const node = world.node([]);
    const [flooder, other] = [world.stranger(), world.stranger('20.5.5.5')];
    for (let at = 0; at < 100; at++) void flooder.say(questionOf({ method: 'ping' }), node);
    await other.say(questionOf({ method: 'ping' }), node);
    expect(flooder.heard).toHaveLength(50);
    expect(other.heard).toHaveLength(1);
    await world.clock.advanceAsync(1_000);
    await flooder.say(questionOf({ method: 'ping' }), node);
    expect(flooder.heard).toHaveLength(51);
    await world.stop();
  });

  test.each([
    { who: 'one address', hostOf: () => '20.6.6.6', most: 50 },
    { who: 'one IPv6 /64', hostOf: (at: number) => `2a00:0:0:6::${at + 1}`, most: 50 },
    { who: 'forty addresses', hostOf: (at: number) => `20.6.6.${at}`, most: 500 },
  ])('flooded by $who, answers $most of it in a second, and whoever else asks', async ({ hostOf, most }) => {
    const world = new DhtWorld();
    const isV6 = hostOf(0).includes(':');
    const node = world.node([], { host: isV6 ? '2a00::1' : undefined });
    const other = world.stranger(isV6 ? '2a00:0:0:5::1' : '20.5.5.5');
    const ping = encodeKrpc(questionOf({ method: 'ping' }));
    for (let at = 0; at < 40 * 40; at++) world.network.send(ping, { host: hostOf(at % 40), port: 4_000 }, node.address);
    await other.say(questionOf({ method: 'ping' }), node);
    const answered = world.network.sent.filter(({ to }) => to.port === 4_000);
    expect(answered.length).toBeLessThanOrEqual(most);
    expect(answered.length).toBeGreaterThanOrEqual(Math.min(most, 300));
    expect(other.heard).toHaveLength(1);
    await world.stop();
  });

  test('pings a new node though one address names silent ones without end', async () => {
    const world = new DhtWorld();
    const node = world.node([]);
    const lure = (senderId: Uint8Array<ArrayBuffer>): Uint8Array =>
      encodeKrpc({
        kind: 'query',
        transactionId: utf8('aa'),
        senderId,
        isReadOnly: false,
        question: { method: 'ping' },
      });
    for (let port = 1_024; port < 1_074; port++)
      world.network.send(lure(seededBytes(`silent ${port}`, 20)), { host: '20.6.6.6', port }, node.address);
    await world.clock.advanceAsync(100);
    world.node([node.address]);
    await world.clock.advanceAsync(1_000);
    expect(node.size).toBe(1);
    await world.stop();
  });

  test('asks few of the nodes that a liar names at one public address', async () => {
    const world = new DhtWorld();
    const liar = { id: seededBytes('liar', 20), address: { host: '20.6.6.6', port: 6_881 } };
    let named = 0;
    const victim = (): DhtContact => ({
      id: seededBytes(`victim ${named}`, 20),
      address: { host: '20.7.7.7', port: 1_024 + named++ },
    });
    world.liar(liar, () => ({ contacts: Array.from({ length: 20 }, victim) }));
    world.node([liar.address]);
    await world.clock.advanceAsync(30_000);
    expect(named).toBeGreaterThan(0);
    expect(world.network.sent.filter(({ to }) => to.host === '20.7.7.7')).toHaveLength(3);
    await world.stop();
  });

  test('believes an answer only from the address it asked', async () => {
    const world = new DhtWorld();
    const silent = world.network.open({ host: '20.6.6.6', port: 6_881 });
    const forger = world.network.open({ host: '20.6.6.7', port: 6_881 });
    silent.listen((bytes, from) => {
      const message = decodeKrpc(bytes);
      if (message?.kind !== 'query') return;
      const peers = [{ host: '20.1.1.1', port: 1 }];
      forger.send(
        encodeKrpc({
          kind: 'answer',
          transactionId: message.transactionId,
          senderId: seededBytes('x', 20),
          contacts: [],
          peers,
          token: undefined,
        }),
        from,
      );
    });
    const node = world.node([silent.address]);
    await world.clock.advanceAsync(10_000);
    expect(node.size).toBe(0);
    expect(await world.search(node)).toEqual([]);
    await world.stop();
  });

  test.each([
    'd1:ad2:id20:aaaaaaaaaaaaaaaaaaaa12:implied_porti1e9:info_hash20:bbbbbbbbbbbbbbbbbbbb5:tokeni5ee1:q13:announce_peer1:t2:aa1:y1:qe',
    'd1:ad2:id2:aae1:q4:ping1:t2:aa1:y1:qe',
    'd1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:qi1e1:t2:aa1:y1:qe',
    'd1:rd2:id20:aaaaaaaaaaaaaaaaaaaa5:nodes3:abce1:t2:aa1:y1:re',
    'd1:eli201ee1:ti5e1:y1:ee',
    'd1:y1:qe',
    'le',
    '',
    'd1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:vote1:t2:aa1:y1:qe',
  ])('survives and ignores %s', async (packet) => {
    const world = new DhtWorld();
    const node = world.node([]);
    const stranger = world.stranger();
    await stranger.raw(utf8(packet), node);
    expect(stranger.heard).toEqual([]);
    await stranger.say(questionOf({ method: 'ping' }), node);
    expect(stranger.heard).toHaveLength(1);
    await world.stop();
  });

  test('that is asked to stop in the middle of everything leaves nothing', async () => {
    const world = new DhtWorld();
    await world.crowd(20);
    const node = world.node([{ host: '20.99.99.99', port: 1 }]);
    const searching = node.findPeers(KEY, { announcePort: 1, signal: never }, () => undefined);
    await node.stop();
    await searching;
    await world.stop();
    expect(world.clock.pending).toBe(0);
  });
});
