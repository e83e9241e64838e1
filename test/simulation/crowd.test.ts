/** Meeting peers: waking torrents, peer exchange, crossing connections, choking, and thousands of idle torrents. */
import { expect, test } from 'vitest';
import { equalBytes } from '../../src/base/bytes.ts';
import type { SwarmKey } from '../../src/base/ids.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import { Bitfield } from '../../src/codec/bitfield.ts';
import { decodePexMessage, encodePexMessage } from '../../src/codec/extension.ts';
import { encodeBitfield, encodeExtended, encodePort } from '../../src/codec/wire-encode.ts';
import { Engine } from '../../src/torrent/index.ts';
import { silentLog } from '../../src/base/log.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import {
  instantHasher,
  keyOf,
  leechOn,
  makeTorrent,
  MemoryStorage,
  PEER_PORT,
  seedOn,
  Swarm,
  type Node,
} from '../support/swarm.ts';

const PIECE = 64 * KIB;

test('a handshake wakes a sleeping torrent, and what the peer sent ahead is not lost', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const asked: SwarmKey[] = [];
  const seed: Node = swarm.addNode(
    { latencyMs: 1 },
    {
      wake: async (key) => {
        asked.push(key);
        await new Promise<void>((resolve) => void swarm.clock.after(80, resolve));
        return key === keyOf(source) ? seedOn(seed, source) : undefined;
      },
    },
  );
  const peer = new ScriptedPeer(await swarm.addMachine().dial(seed.address));
  peer
    .sayHello({ swarmKey: keyOf(source) })
    .signal('haveNone')
    .signal('interested');
  await swarm.clock.advanceAsync(50);
  expect(peer.handshake).toBeUndefined();
  await swarm.clock.advanceAsync(100);
  expect(asked).toEqual([keyOf(source)]);
  expect(peer.messages.map(({ type }) => type)).toEqual(['have-all', 'unchoke']);
  const other = await makeTorrent(MIB, PIECE, { seed: 'other' });
  const stranger = new ScriptedPeer(await swarm.addMachine().dial(seed.address));
  stranger.sayHello({ swarmKey: keyOf(other) });
  await swarm.clock.advanceAsync(200);
  expect(stranger.isClosed).toBe(true);
  expect(stranger.handshake).toBeUndefined();
});

test('a peer that sends more than 1 MiB ahead while its torrent wakes is closed', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const seed = swarm.addNode(
    {},
    { wake: () => new Promise((resolve) => void swarm.clock.after(5_000, () => resolve(undefined))) },
  );
  const peer = new ScriptedPeer(await swarm.addMachine().dial(seed.address));
  peer.sayHello({ swarmKey: keyOf(source) });
  for (let sent = 0; sent < 20; sent++) peer.send(new Uint8Array(64 * KIB));
  await swarm.clock.advanceAsync(100);
  expect(seed.engine.connectionCount).toBeLessThanOrEqual(1);
  await swarm.clock.advanceAsync(6_000);
  expect(peer.isClosed).toBe(true);
});

test('two that dial each other at once end up with one connection, the same at both ends', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(4 * MIB, PIECE);
  const [a, b] = [swarm.addNode({ latencyMs: 20 }), swarm.addNode({ latencyMs: 20 })];
  const [one, two] = [leechOn(a, source), leechOn(b, source)];
  one.addPeers([b.address]);
  two.addPeers([a.address]);
  await swarm.clock.advanceAsync(800);
  expect([one.peerCount, two.peerCount]).toEqual([1, 1]);
  expect(swarm.network.openSockets).toBe(2);
  expect(one.peers()[0]?.isOutgoing).toBe(!two.peers()[0]?.isOutgoing);
});

test('peers hear of each other by peer exchange', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(2 * MIB, PIECE);
  const seed = swarm.addNode({ latencyMs: 5 });
  seedOn(seed, source, { uploadBytesPerSecond: 8 * KIB });
  const [a, b] = [swarm.addNode({ latencyMs: 5 }), swarm.addNode({ latencyMs: 5 })];
  const [one, two] = [leechOn(a, source), leechOn(b, source)];
  one.addPeers([seed.address]);
  two.addPeers([seed.address]);
  await swarm.clock.advanceAsync(130_000);
  expect([one.peerCount, two.peerCount]).toEqual([2, 2]);
});

test.each([
  { what: 'a private torrent', isPrivate: true, allow: () => true },
  { what: 'a filter that refuses the address', isPrivate: false, allow: (host: string) => host === 'nowhere' },
])('with $what nothing is exchanged or taken', async ({ isPrivate, allow }) => {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE, { isPrivate });
  const seed = swarm.addNode({}, { allowAddress: ({ host }) => allow(host) });
  const torrent = seedOn(seed, source);
  const listener = swarm.addMachine();
  let dialled = 0;
  listener.listen(PEER_PORT, () => dialled++);
  const peers = await Promise.all(
    [0, 1].map(async () => {
      const peer = new ScriptedPeer(await swarm.addMachine().dial(seed.address));
      peer.sayHello({ swarmKey: keyOf(source), extensions: true }).signal('haveNone');
      return peer.sayExtensions({ extensions: { ut_pex: 7 }, listenPort: PEER_PORT });
    }),
  );
  await swarm.clock.advanceAsync(100);
  const added = [{ address: { host: listener.host, port: PEER_PORT }, flags: 0 }];
  for (const peer of peers) peer.send(encodeExtended(2, encodePexMessage({ added, dropped: [] })));
  await swarm.clock.advanceAsync(130_000);
  expect(torrent.peerCount).toBe(2);
  expect(dialled).toBe(0);
  for (const peer of peers) {
    const pex = peer.messages.filter((message) => message.type === 'extended' && message.extensionId === 7);
    expect(pex).toEqual([]);
  }
});

test('peer exchange names at most 50 peers, at most once a minute, and takes no more than that', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const seed = swarm.addNode({}, { limits: { maxConnectionsPerTorrent: 200, maxGreetings: 200 } });
  seedOn(seed, source);
  const listeners = await Promise.all(
    Array.from({ length: 70 }, async (_, at) => {
      const peer = new ScriptedPeer(await swarm.addMachine().dial(seed.address));
      peer.sayHello({ swarmKey: keyOf(source), extensions: true }).signal('haveNone');
      return peer.sayExtensions({ extensions: at === 0 ? { ut_pex: 7 } : {}, listenPort: 7000 + at });
    }),
  );
  const [curious] = listeners;
  await swarm.clock.advanceAsync(59_000);
  const heard = (): number[] =>
    (curious?.messages ?? []).flatMap((message) =>
      message.type === 'extended' && message.extensionId === 7 ? [decodePexMessage(message.payload).added.length] : [],
    );
  expect(heard().length).toBeLessThanOrEqual(1);
  await swarm.clock.advanceAsync(120_000);
  expect(heard()).toEqual([50, 19]);
  let dialled = 0;
  const many = Array.from({ length: 3 }, () => swarm.addMachine());
  for (const machine of many) machine.listen(PEER_PORT, () => dialled++);
  for (const machine of many) {
    const added = [{ address: { host: machine.host, port: PEER_PORT }, flags: 0 }];
    curious?.send(encodeExtended(2, encodePexMessage({ added, dropped: [] })));
  }
  await swarm.clock.advanceAsync(5_000);
  expect(dialled).toBe(1);
});

test('a browser met over WebRTC is never named to others', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const seed = swarm.addNode();
  seedOn(seed, source);
  const meet = async (options: { transport?: 'webrtc' }): Promise<ScriptedPeer> => {
    const peer = new ScriptedPeer(await swarm.addMachine(options).dial(seed.address));
    peer.sayHello({ swarmKey: keyOf(source), extensions: true }).signal('haveNone');
    return peer.sayExtensions({ extensions: { ut_pex: 7 }, listenPort: PEER_PORT });
  };
  const [curious] = [await meet({}), await meet({ transport: 'webrtc' }), await meet({})];
  await swarm.clock.advanceAsync(62_000);
  const [pex] = curious.messages.flatMap((message) =>
    message.type === 'extended' && message.extensionId === 7 ? [decodePexMessage(message.payload)] : [],
  );
  expect(pex?.added.map(({ address }) => address.host)).toEqual(['10.0.0.4']);
});

test('the end of a download does not wait for the slowest peer', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(2 * MIB, 256 * KIB);
  const fast = swarm.addNode({ latencyMs: 5, uploadBytesPerSecond: 2 * MIB });
  const slow = swarm.addNode({ latencyMs: 5, uploadBytesPerSecond: 4 * KIB });
  for (const seed of [fast, slow]) seedOn(seed, source);
  const torrent = leechOn(swarm.addNode({ latencyMs: 5 }), source);
  torrent.addPeers([slow.address, fast.address]);
  const tookMs = await swarm.until(() => torrent.isComplete);
  expect(tookMs).toBeLessThan(4_000);
});

test('a bitfield says what to resume with: only the rest is fetched, and it is served meanwhile', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const seed = swarm.addNode({ latencyMs: 5 });
  seedOn(seed, source);
  const have = new Bitfield(16);
  const stored = new Uint8Array(source.bytes.length);
  for (const piece of [0, 3, 15]) {
    have.set(piece);
    stored.set(source.bytes.subarray(piece * PIECE, (piece + 1) * PIECE), piece * PIECE);
  }
  const node = swarm.addNode({ latencyMs: 5 });
  const storage = new MemoryStorage(stored);
  const torrent = node.engine.add({ ...source.hashes, info: source.info, storage, have });
  torrent.addPeers([seed.address]);
  await swarm.until(() => torrent.isComplete);
  expect(torrent.stats().bytesFromPeers).toBe(13 * PIECE);
  expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
});

test('a peer without the fast extension is served and used like any other', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const leech = swarm.addNode({ latencyMs: 1 });
  const torrent = leechOn(leech, source);
  const peer = new ScriptedPeer(await swarm.addMachine().dial(leech.address));
  peer.sayHello({ swarmKey: keyOf(source), fast: false });
  peer
    .send(encodeBitfield(Bitfield.full(16)))
    .signal('unchoke')
    .serve(source.bytes, PIECE);
  await swarm.until(() => torrent.isComplete, 10_000);
  expect(peer.messages.map(({ type }) => type)).not.toContain('have-none');
});

test('choked in the middle, a download goes on where it was once unchoked', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const leech = swarm.addNode({ latencyMs: 1 });
  const torrent = leechOn(leech, source);
  const peer = new ScriptedPeer(await swarm.addMachine().dial(leech.address));
  peer
    .sayHello({ swarmKey: keyOf(source) })
    .signal('haveAll')
    .signal('unchoke');
  await swarm.clock.advanceAsync(100);
  const asked = [...peer.requests];
  expect(asked.length).toBeGreaterThan(0);
  peer.signal('choke').reject(...asked);
  await swarm.clock.advanceAsync(2_000);
  expect(peer.isClosed).toBe(false);
  expect(peer.requests.length).toBe(asked.length);
  peer.serve(source.bytes, PIECE).signal('unchoke');
  await swarm.until(() => torrent.isComplete, 10_000);
});

test('five thousand idle torrents need no timer at all, and one of them still answers at once', async () => {
  const swarm = new Swarm();
  const node = swarm.addNode();
  const source = await makeTorrent(MIB, PIECE);
  for (let at = 0; at < 5_000; at++) {
    const v1 = at.toString(16).padStart(40, '0') as typeof source.hashes.v1;
    if (v1 !== undefined)
      node.engine.add({ v1, info: source.info, storage: new MemoryStorage(source.bytes), have: 'all' });
  }
  await swarm.clock.advanceAsync(10_000);
  expect(swarm.clock.pending).toBe(0);
  const peer = new ScriptedPeer(await swarm.addMachine().dial(node.address));
  peer.sayHello({ swarmKey: (4_711).toString(16).padStart(40, '0') as SwarmKey });
  await swarm.clock.advanceAsync(10);
  expect(peer.heard('have-all')).toBe(1);
  peer.socket.close();
  await swarm.clock.advanceAsync(1_000);
  expect(swarm.clock.pending).toBe(0);
});

test('an idle peer is kept alive, a silent one is dropped', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const seed = swarm.addNode();
  const torrent = seedOn(seed, source);
  const peer = new ScriptedPeer(await swarm.addMachine().dial(seed.address));
  peer.sayHello({ swarmKey: keyOf(source) }).signal('haveNone');
  await swarm.clock.advanceAsync(115_000);
  expect(peer.heard('keep-alive')).toBe(1);
  expect(torrent.peerCount).toBe(1);
  await swarm.clock.advanceAsync(130_000);
  expect(peer.isClosed).toBe(true);
});

test('a torrent cannot be added twice, and goes free when it stops', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const node = swarm.addNode();
  const torrent = seedOn(node, source);
  expect(() => seedOn(node, source)).toThrow(/running already/);
  await torrent.stop();
  expect(node.engine.get(keyOf(source))).toBeUndefined();
  expect(seedOn(node, source).isComplete).toBe(true);
});

test('a torrent without a hash, and an engine with a short peer id, are refused', () => {
  const swarm = new Swarm();
  const { engine } = swarm.addNode();
  expect(() => engine.addByHash({ openStorage: () => Promise.reject(new Error('never')) })).toThrow(/info hash/);
  const ports = { clock: swarm.clock, hasher: instantHasher, log: silentLog, random: Math.random, dialers: [] };
  expect(() => new Engine({ ports, peerId: new Uint8Array(19) })).toThrow(/20 bytes/);
});

test.each([
  { isPrivate: false, told: [6_882], heard: [{ port: 6_999 }] },
  { isPrivate: true, told: [], heard: [] },
])('peers tell each other of their DHT nodes (BEP 5), private ($isPrivate) torrents excepted', async (want) => {
  const heard: unknown[] = [];
  const swarm = new Swarm();
  swarm.addMachine();
  const source = await makeTorrent(MIB, PIECE, { isPrivate: want.isPrivate });
  const seed = swarm.addNode({}, { dht: { port: 6_882, heardOf: (node) => heard.push(node) } });
  seedOn(seed, source);
  const machine = swarm.addMachine();
  const peer = new ScriptedPeer(await machine.dial(seed.address));
  peer
    .sayHello({ swarmKey: keyOf(source), dht: true })
    .signal('haveNone')
    .send(encodePort(6_999));
  const stranger = new ScriptedPeer(await swarm.addMachine().dial(seed.address));
  stranger.sayHello({ swarmKey: keyOf(source), dht: false }).signal('haveNone');
  await swarm.clock.advanceAsync(1_000);
  const portsTold = (of: ScriptedPeer): number[] =>
    of.messages.flatMap((message) => (message.type === 'port' ? [message.port] : []));
  expect(peer.handshake?.dht).toBe(true);
  expect(portsTold(peer)).toEqual(want.told);
  expect(portsTold(stranger)).toEqual([]);
  expect(heard).toEqual(want.heard.map(({ port }) => ({ host: machine.host, port })));
});
