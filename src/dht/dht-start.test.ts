/** How a node begins: from what it remembers, with a twin of the other address family, or only to ask. */
import { describe, expect, test } from 'vitest';
import { DhtWorld, KEY, questionOf } from '../../test/support/dht-world.ts';
import { seededBytes } from '../../test/support/random-bytes.ts';
import { utf8 } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import { decodeKrpc, type KrpcAnswer } from '../codec/krpc.ts';
import { decodeMemory, encodeMemory } from './memory.ts';

const ROUTER = { host: '20.200.0.1', port: 6_881 };

describe('a node that starts again', () => {
  test('finds its way by the nodes it remembers, and leaves bootstrap nodes in peace', async () => {
    const world = new DhtWorld();
    await world.crowd(20);
    const first = world.node([{ host: '20.0.0.0', port: 6_881 }], { host: '20.7.7.7' });
    await world.clock.advanceAsync(5_000);
    const { memory } = first;
    if (memory === undefined) throw new Error('it knows nobody');
    await first.stop();
    const again = world.node([ROUTER], { host: '20.7.7.7', remembered: decodeMemory(encodeMemory(memory)) });
    await world.clock.advanceAsync(5_000);
    expect(again.id).toEqual(first.id);
    expect(memory.contacts.length).toBeGreaterThan(5);
    expect(again.size).toBeGreaterThanOrEqual(memory.contacts.length);
    expect(world.network.sent.filter(({ to }) => to.host === ROUTER.host)).toEqual([]);
    await world.stop();
  });

  test('asks its bootstrap nodes when none of the remembered lives', async () => {
    const world = new DhtWorld();
    world.node([], { host: ROUTER.host });
    const contacts = Array.from({ length: 100 }, (_, at) => ({
      id: seededBytes(`gone ${at}`, 20),
      address: { host: `20.1.0.${at}`, port: 6_881 },
    }));
    const node = world.node([ROUTER], { remembered: { id: seededBytes('own', 20), contacts } });
    await world.clock.advanceAsync(5_000);
    expect(node.size).toBe(1);
    expect(world.network.sent.filter(({ to }) => to.host.startsWith('20.1.'))).toHaveLength(32);
    await world.stop();
  });

  test('contacts no inner address that it remembers', async () => {
    const world = new DhtWorld();
    const contacts = ['127.0.0.1', '10.0.0.1', '169.254.169.254'].map((host, at) => ({
      id: seededBytes(`inner ${at}`, 20),
      address: { host, port: 6_881 },
    }));
    world.node([], { remembered: { id: seededBytes('own', 20), contacts } });
    await world.clock.advanceAsync(120_000);
    expect(world.network.sent).toEqual([]);
    await world.stop();
  });
});

describe('what is remembered', () => {
  const contacts = ['20.1.1.1', '2a00::1'].map((host, at) => ({
    id: seededBytes(`${at}`, 20),
    address: { host, port: 1 },
  }));

  test('is written and read again', () => {
    const memory = { id: seededBytes('own', 20), contacts };
    expect(decodeMemory(encodeMemory(memory))).toEqual(memory);
  });

  test('is a hundred nodes at most', () => {
    const many = Array.from({ length: 500 }, (_, at) => ({
      id: seededBytes(`${at}`, 20),
      address: { host: `20.1.${at >> 8}.${at & 255}`, port: 1 },
    }));
    const { contacts: kept } = decodeMemory(encodeMemory({ id: seededBytes('own', 20), contacts: many }));
    expect(kept).toEqual(many.slice(0, 100));
  });

  test.each([
    '',
    'de',
    'd2:id3:abce',
    'd2:id20:aaaaaaaaaaaaaaaaaaaa5:nodes3:abce',
    'nonsense',
    `d1:a20000:${'a'.repeat(20_000)}e`,
  ])('is refused when it is %s', (text) => {
    expect(() => decodeMemory(utf8(text))).toThrow(InvalidInput);
  });
});

describe('nodes of both address families', () => {
  test('tell of each other’s neighbours to whoever wants them (BEP 32)', async () => {
    const world = new DhtWorld();
    await world.crowd(3);
    const six = world.node([], { host: '2a00::1' });
    world.node([{ host: '2a00::1', port: 6_881 }], { host: '2a00:0:0:1::1' });
    await world.clock.advanceAsync(1_000);
    const [four] = world.nodes;
    if (four === undefined) throw new Error('no crowd');
    four.pairWith(six);
    const stranger = world.stranger();
    const hosts = async (want?: readonly ('v4' | 'v6')[]): Promise<string[]> => {
      await stranger.say(questionOf({ method: 'find_node', target: four.id, ...(want && { want }) }), four);
      return (stranger.heard.at(-1) as KrpcAnswer).contacts.map(({ address }) => address.host).toSorted();
    };
    expect(await hosts()).toEqual(['20.0.0.1', '20.0.0.2']);
    expect(await hosts(['v6'])).toEqual(['2a00:0:0:1::1']);
    expect(await hosts(['v4', 'v6'])).toEqual(['20.0.0.1', '20.0.0.2', '2a00:0:0:1::1']);
    await world.stop();
  });

  test('help each other to neighbours', async () => {
    const world = new DhtWorld();
    const [there4, there6] = [world.node([]), world.node([], { host: '2a00::1' })];
    const other6 = world.node([{ host: '2a00::1', port: 6_881 }], { host: '2a00:0:0:1::1' });
    there4.pairWith(there6);
    await world.clock.advanceAsync(1_000);
    const here6 = world.node([], { host: '2a00:0:0:2::1' });
    const here4 = world.node([there4.address]);
    here4.pairWith(here6);
    await world.clock.advanceAsync(1_000);
    expect(here6.closest(other6.id).map(({ address }) => address)).toEqual([other6.address]);
    await world.stop();
  });

  test.each(['20.0.0.0', '2a00::1'])('of popular torrents tell no more than 1,024 bytes: %s', async (host) => {
    const world = new DhtWorld();
    const isV6 = host.includes(':');
    const at = (number: number): string => (isV6 ? `2a00:0:1:${(number + 1).toString(16)}::1` : `20.5.0.${number}`);
    const node = world.node([], { host });
    for (let number = 0; number < 60; number++) {
      const announcer = world.stranger(at(number));
      await announcer.say(questionOf({ method: 'get_peers', swarmKey: KEY }), node);
      const { token } = announcer.heard.at(-1) as KrpcAnswer;
      if (token === undefined) throw new Error('no token');
      await announcer.say(questionOf({ method: 'announce_peer', swarmKey: KEY, port: 7_000, token }), node);
    }
    const asker = world.stranger(isV6 ? '2a00:0:2::1' : '20.6.6.6');
    await asker.say(questionOf({ method: 'get_peers', swarmKey: KEY, want: ['v4', 'v6'] }), node);
    expect((asker.heard.at(-1) as KrpcAnswer).peers.length).toBeGreaterThan(40);
    expect(Math.max(...world.network.sent.map(({ bytes }) => bytes.length))).toBeLessThanOrEqual(1_024);
    await world.stop();
  });
});

test('a node that only asks (BEP 43) finds and announces, answers nobody, and is nobody’s neighbour', async () => {
  const world = new DhtWorld();
  await world.crowd(10);
  const [seed] = world.nodes;
  if (seed === undefined) throw new Error('no crowd');
  await world.search(seed, 24_244);
  const reader = world.node([{ host: '20.0.0.5', port: 6_881 }], { host: '20.7.7.7', isReadOnly: true });
  const stranger = world.stranger();
  await stranger.say(questionOf({ method: 'ping' }), reader);
  expect(await world.search(reader, 5_000)).toContainEqual({ host: '20.0.0.0', port: 24_244 });
  expect(await world.search(seed)).toContainEqual({ host: '20.7.7.7', port: 5_000 });
  expect(stranger.heard).toEqual([]);
  const toReader = world.network.sent.filter(({ to }) => to.host === '20.7.7.7').map(({ bytes }) => decodeKrpc(bytes));
  expect(toReader.filter((message) => message?.kind === 'query')).toHaveLength(1); // the stranger's
  await world.stop();
});
