/** Real multicast on the loopback interface, at a port of its own; time is a virtual clock. */
import dgram from 'node:dgram';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { freePort } from '../../../test/support/free-port.ts';
import type { PeerAddress } from '../../base/address.ts';
import { utf8 } from '../../base/bytes.ts';
import { parseSwarmKey, type SwarmKey } from '../../base/ids.ts';
import { silentLog } from '../../base/log.ts';
import { decodeLsd, encodeLsd } from '../../codec/lsd.ts';
import { LocalDiscovery } from './local-discovery.ts';

const GROUP = '239.192.152.143';
const KEY = parseSwarmKey('c12fe1c06bba254a9dc9f519b335aa7c1367a88a');
const keyOf = (at: number): SwarmKey => parseSwarmKey(at.toString(16).padStart(40, '0'));

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()));
});

async function discovery(groupPort: number, listenPort: number, clock = new FakeClock()) {
  const lsd = await LocalDiscovery.open({ listenPort, host: '127.0.0.1', clock, log: silentLog, groupPort });
  cleanups.push(() => lsd.stop());
  const found: PeerAddress[] = [];
  const add = (key = KEY, isAllowed: () => boolean = () => true): (() => void) =>
    lsd.add({ key, isAllowed, found: (peer) => found.push(peer) });
  return { lsd, clock, found, add };
}

/** Hears what is said in the group, and can say something. */
async function ear(groupPort: number, from = '127.0.0.1') {
  const socket = dgram.createSocket({ type: 'udp4', reuseAddr: true });
  socket.bind(groupPort, '0.0.0.0');
  await once(socket, 'listening');
  socket.addMembership(GROUP, '127.0.0.1');
  socket.setMulticastInterface('127.0.0.1');
  const mouth = dgram.createSocket('udp4').bind(0, from);
  await once(mouth, 'listening');
  mouth.setMulticastInterface('127.0.0.1');
  const heard: Uint8Array[] = [];
  socket.on('message', (bytes) => heard.push(bytes));
  cleanups.push(async () => {
    const closed = [socket, mouth].map((open) => once(open, 'close'));
    for (const open of [socket, mouth]) open.close();
    await Promise.all(closed);
  });
  const say = (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve) => mouth.send(bytes, groupPort, GROUP, () => resolve()));
  const keys = (): string[] => heard.flatMap((bytes) => decodeLsd(bytes).swarmKeys);
  return { heard, keys, say };
}

test('two in one network find each other, and not themselves', async () => {
  const port = await freePort();
  const [one, other] = [await discovery(port, 5_001), await discovery(port, 5_002)];
  one.add();
  other.add();
  await one.clock.advanceAsync(0);
  await other.clock.advanceAsync(0);
  await eventually('both are found', () => one.found.length > 0 && other.found.length > 0);
  expect(one.found.map((peer) => peer.port)).toEqual([5_002]);
  expect(other.found).toEqual([{ host: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/), port: 5_001 }]);
});

test('a torrent is announced at once, then every five minutes, many in a packet, one round a minute', async () => {
  const port = await freePort();
  const group = await ear(port);
  const { clock, add } = await discovery(port, 5_001);
  for (let at = 0; at < 30; at++) add(keyOf(at));
  await clock.advanceAsync(0);
  await eventually('the first round', () => group.heard.length === 2);
  add(keyOf(99));
  await clock.advanceAsync(59_999);
  expect(group.heard).toHaveLength(2);
  await clock.advanceAsync(1);
  await eventually('the late one', () => group.heard.length === 3);
  expect(group.keys()).toHaveLength(31);
  await clock.advanceAsync(239_999);
  expect(group.heard).toHaveLength(3);
  await clock.advanceAsync(1);
  await eventually('all but the late one again', () => group.keys().length === 61);
});

test('private torrents are neither announced nor fed', async () => {
  const port = await freePort();
  const group = await ear(port);
  const { clock, found, add } = await discovery(port, 5_001);
  add(KEY, () => false);
  add(keyOf(1));
  await clock.advanceAsync(0);
  await group.say(encodeLsd('x', { port: 5_009, swarmKeys: [KEY] }));
  await group.say(encodeLsd('x', { port: 5_010, swarmKeys: [keyOf(1)] }));
  await eventually('the open one is fed', () => found.length > 0);
  expect(found.map((peer) => peer.port)).toEqual([5_010]);
  expect(group.keys().filter((key) => key === KEY)).toHaveLength(1); // what we said ourselves as a stranger
});

test('nonsense is ignored, and a flood taken in part', async () => {
  const port = await freePort();
  const group = await ear(port);
  const { clock, found, add } = await discovery(port, 5_001);
  add();
  await group.say(utf8('BT-SEARCH * HTTP/1.1\r\nPort: x\r\n\r\n'));
  for (let at = 0; at < 200; at++) await group.say(encodeLsd('x', { port: 6_000 + at, swarmKeys: [KEY] }));
  await eventually('all have arrived', () => group.heard.length === 201);
  expect(found.length).toBeLessThanOrEqual(50);
  expect(found.length).toBeGreaterThan(0);
  clock.advance(1_000);
  await group.say(encodeLsd('x', { port: 7_000, swarmKeys: [KEY] }));
  await eventually('later ones are taken again', () => found.some((peer) => peer.port === 7_000));
});

test('a neighbour is heard while another floods the network', async () => {
  const port = await freePort();
  const group = await ear(port);
  const { found, add } = await discovery(port, 5_001);
  add();
  for (let at = 0; at < 200; at++) await group.say(encodeLsd('x', { port: 6_000 + at, swarmKeys: [KEY] }));
  const neighbour = await ear(port, '127.0.0.2');
  await neighbour.say(encodeLsd('x', { port: 7_000, swarmKeys: [KEY] }));
  await eventually('all have arrived', () => group.heard.length === 201);
  await eventually('the neighbour is found', () => found.some((peer) => peer.port === 7_000));
  expect(found.filter((peer) => peer.port !== 7_000)).toHaveLength(20);
});

test('what has stopped says nothing more and leaves no timer', async () => {
  const { lsd, clock, add } = await discovery(await freePort(), 5_001);
  const remove = add();
  add(keyOf(1));
  remove();
  await clock.advanceAsync(0);
  await lsd.stop();
  await lsd.stop();
  expect(clock.pending).toBe(0);
});
