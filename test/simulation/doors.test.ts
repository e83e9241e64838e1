/** Who gets in: limits per address, and places for those who are of use. */
import { expect, test } from 'vitest';
import { KIB, MIB } from '../../src/base/units.ts';
import { encodeKeepAlive } from '../../src/codec/wire-encode.ts';
import { canonicalPriority } from '../../src/torrent/crowd/peer-priority.ts';
import type { EngineLimits, TorrentOptions } from '../../src/torrent/index.ts';
import type { MemoryHost } from '../support/memory-network.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { keyOf, makeTorrent, MemoryStorage, PEER_PORT, Swarm, type Node, type TestTorrent } from '../support/swarm.ts';

const PIECE = 64 * KIB;

async function seeding(limits: Partial<EngineLimits>, options: Partial<TorrentOptions> = {}) {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const node = swarm.addNode({}, { limits });
  const { hashes, info, bytes } = source;
  const torrent = node.engine.add({ ...hashes, info, storage: new MemoryStorage(bytes), have: 'all', ...options });
  return { swarm, source, node, torrent };
}

async function meet(from: MemoryHost, node: Node, source: TestTorrent, yourIp?: string): Promise<ScriptedPeer> {
  const peer = new ScriptedPeer(await from.dial(node.address));
  peer.sayHello({ swarmKey: keyOf(source), extensions: true }).signal('haveNone');
  return peer.sayExtensions({ extensions: {}, ...(yourIp !== undefined && { yourIp }) });
}

test('a peer that was dialled for one torrent and answers for another one is parted from', async () => {
  const swarm = new Swarm();
  const [source, other] = await Promise.all(['wanted', 'another'].map((seed) => makeTorrent(MIB, PIECE, { seed })));
  if (source === undefined || other === undefined) throw new Error('two torrents');
  const node = swarm.addNode();
  const have = 'none' as const;
  const [wanted, known] = [source, other].map(({ hashes, info }) =>
    node.engine.add({ ...hashes, info, storage: new MemoryStorage(new Uint8Array(MIB)), have }),
  );
  const machine = swarm.addMachine();
  const met: ScriptedPeer[] = [];
  const answers = [other, source]; // by and by
  machine.listen(PEER_PORT, (socket) => {
    const answer = answers.shift() ?? source;
    const peer = new ScriptedPeer(socket, { closesOnNonsense: true });
    met.push(peer.sayHello({ swarmKey: keyOf(answer) }).signal('haveNone'));
  });
  wanted?.addPeers([{ host: machine.host, port: PEER_PORT }]);
  await swarm.until(() => met[0]?.isClosed === true, 5_000);
  expect([wanted?.peerCount, known?.peerCount]).toEqual([0, 0]);
  await swarm.until(() => wanted?.peerCount === 1); // who answers for the right one next time is welcome
  expect(known?.peerCount).toBe(0);
});

test('one address gets no more than its share of a torrent, others still get in', async () => {
  const { swarm, source, node, torrent } = await seeding({ maxPeersPerAddress: 3 });
  const greedy = swarm.addMachine();
  for (let at = 0; at < 10; at++) await meet(greedy, node, source);
  await swarm.clock.advanceAsync(100);
  expect(torrent.peerCount).toBe(3);
  const other = await meet(swarm.addMachine(), node, source);
  await swarm.clock.advanceAsync(100);
  expect([torrent.peerCount, other.isClosed]).toEqual([4, false]);
});

test('on loopback many programs share an address', async () => {
  const { swarm, source, node, torrent } = await seeding({ maxPeersPerAddress: 3 });
  const local = swarm.network.addHost('127.0.0.1');
  for (let at = 0; at < 10; at++) await meet(local, node, source);
  await swarm.clock.advanceAsync(100);
  expect(torrent.peerCount).toBe(10);
});

/** Knocks so often, a millisecond apart, and counts who was listened to. */
async function knock(swarm: Swarm, from: MemoryHost, node: Node, source: TestTorrent, count: number): Promise<number> {
  const peers: ScriptedPeer[] = [];
  for (let at = 0; at < count; at++) {
    const peer = new ScriptedPeer(await from.dial(node.address));
    peer.sayHello({ swarmKey: keyOf(source) });
    await swarm.clock.advanceAsync(1);
    peer.socket.close();
    peers.push(peer);
  }
  await swarm.clock.advanceAsync(100);
  return peers.filter(({ handshake }) => handshake !== undefined).length;
}

test('an address that knocks too often is not listened to for a while; others are', async () => {
  const { swarm, source, node } = await seeding({ handshakesPerSecondPerAddress: 2 });
  const knocking = swarm.addMachine();
  expect(await knock(swarm, knocking, node, source, 30)).toBe(10);
  const other = await meet(swarm.addMachine(), node, source);
  await swarm.clock.advanceAsync(5_000);
  const again = await meet(knocking, node, source);
  await swarm.clock.advanceAsync(100);
  expect([other.handshake, again.handshake]).toEqual([expect.anything(), expect.anything()]);
});

test('loopback, where a tunnel may bring a crowd, may knock as often as fifty addresses, and no more', async () => {
  const { swarm, source, node } = await seeding({ handshakesPerSecondPerAddress: 0.2 });
  const tunnel = swarm.network.addHost('127.0.0.1');
  expect(await knock(swarm, tunnel, node, source, 100)).toBe(50);
});

test.each([{ maxConnectionsPerTorrent: 3 }, { maxConnections: 3 }])(
  'with %j who is of no use gives way to a newcomer, who is of use does not',
  async (limits) => {
    const { swarm, source, node, torrent } = await seeding(limits, { uploadBytesPerSecond: 32 * KIB });
    const idle = await meet(swarm.addMachine(), node, source);
    const taking = await Promise.all([0, 1].map(() => meet(swarm.addMachine(), node, source)));
    await swarm.clock.advanceAsync(100);
    for (const peer of taking) peer.signal('interested');
    await swarm.clock.advanceAsync(100);
    const block = { piece: 0, offsetBytes: 0, lengthBytes: 16 * KIB };
    for (const peer of taking) peer.request(...Array.from({ length: 400 }, () => block));
    const early = await meet(swarm.addMachine(), node, source);
    await swarm.clock.advanceAsync(61_000);
    expect([early.isClosed, idle.isClosed, torrent.peerCount]).toEqual([true, false, 3]);
    const late = await meet(swarm.addMachine(), node, source);
    await swarm.clock.advanceAsync(100);
    expect([late.isClosed, idle.isClosed]).toEqual([false, true]);
    expect(taking.map(({ isClosed }) => isClosed)).toEqual([false, false]);
    const last = await meet(swarm.addMachine(), node, source);
    await swarm.clock.advanceAsync(100);
    expect([last.isClosed, late.isClosed, torrent.peerCount]).toEqual([true, false, 3]);
  },
);

test('who has been taking for long stays, who has only waited for as long does not', async () => {
  const { swarm, source, node } = await seeding({ maxConnectionsPerTorrent: 2 }, { uploadBytesPerSecond: 8 * KIB });
  const [taking, waiting] = [
    await meet(swarm.addMachine(), node, source),
    await meet(swarm.addMachine(), node, source),
  ];
  for (const peer of [taking, waiting]) peer.signal('interested');
  await swarm.clock.advanceAsync(100);
  taking.request(...Array.from({ length: 400 }, () => ({ piece: 0, offsetBytes: 0, lengthBytes: 16 * KIB })));
  for (let minute = 0; minute < 5; minute++) {
    await swarm.clock.advanceAsync(61_000);
    for (const peer of [taking, waiting]) peer.send(encodeKeepAlive());
  }
  await meet(swarm.addMachine(), node, source);
  await swarm.clock.advanceAsync(100);
  expect([taking.isClosed, waiting.isClosed]).toEqual([false, true]);
});

test('a torrent that is full dials nobody, and parts from nobody to dial', async () => {
  const { swarm, source, node, torrent } = await seeding({ maxConnections: 2 });
  const idle = [await meet(swarm.addMachine(), node, source), await meet(swarm.addMachine(), node, source)];
  await swarm.clock.advanceAsync(120_000);
  const listener = swarm.addMachine();
  let dialled = 0;
  listener.listen(PEER_PORT, () => dialled++);
  torrent.addPeers([{ host: listener.host, port: PEER_PORT }]);
  await swarm.clock.advanceAsync(60_000);
  expect([dialled, idle.map(({ isClosed }) => isClosed)]).toEqual([0, [false, false]]);
});

test('of those of no use the one with the lowest canonical priority goes (BEP 40)', async () => {
  const { swarm, source, node } = await seeding({ maxConnectionsPerTorrent: 6 });
  const ownHost = '198.51.100.7';
  const machines = Array.from({ length: 6 }, () => swarm.addMachine());
  const peers = await Promise.all(machines.map((machine) => meet(machine, node, source, ownHost)));
  await swarm.clock.advanceAsync(61_000);
  const priorities = machines.map(({ host }) =>
    canonicalPriority({ host: ownHost, port: PEER_PORT }, { host, port: PEER_PORT }),
  );
  const lowest = priorities.indexOf(Math.min(...priorities));
  expect(lowest).not.toBe(0); // the oldest would go without priorities
  await meet(swarm.addMachine(), node, source);
  await swarm.clock.advanceAsync(100);
  expect(peers.findIndex(({ isClosed }) => isClosed)).toBe(lowest);
});
