/** The engine's global caps hold over all torrents, at every moment, and everything still comes to its end. */
import { expect, test } from 'vitest';
import { Cancelled } from '../../src/base/errors.ts';
import type { SwarmKey } from '../../src/base/ids.ts';
import { sleep } from '../../src/base/tasks.ts';
import { KIB } from '../../src/base/units.ts';
import type { EngineLimits, Torrent } from '../../src/torrent/index.ts';
import type { Dialer } from '../../src/torrent/ports.ts';
import { silentLog } from '../../src/base/log.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { instantHasher, makeTorrent, makeTorrentOf, MemoryStorage, type Node, Swarm } from '../support/swarm.ts';
import { addSeed } from '../support/v2-swarm.ts';

const PIECE = 32 * KIB;

/** Adds three seeded torrents of eight pieces; resolves with their keys. */
async function seedThree(node: Node): Promise<SwarmKey[]> {
  const keys: SwarmKey[] = [];
  for (const seed of ['a', 'b', 'c']) {
    const { hashes, info, bytes } = await makeTorrent(8 * PIECE, PIECE, { seed });
    keys.push(...node.engine.add({ ...hashes, info, storage: new MemoryStorage(bytes), have: 'all' }).keys);
  }
  return keys;
}

async function leechThree(node: Node, from: Node): Promise<Torrent[]> {
  const torrents: Torrent[] = [];
  for (const seed of ['a', 'b', 'c']) {
    const { hashes, info, bytes } = await makeTorrent(8 * PIECE, PIECE, { seed });
    const storage = new MemoryStorage(new Uint8Array(bytes.length));
    const torrent = node.engine.add({ ...hashes, info, storage, have: 'none', mode: 'all' });
    torrent.addPeers([from.address]);
    torrents.push(torrent);
  }
  return torrents;
}

test.each<[string, Partial<EngineLimits>, number]>([
  ['in all', { maxConnections: 5 }, 5],
  ['of each torrent', { maxConnectionsPerTorrent: 2 }, 6],
])('connections %s are capped; more are closed, and a place that is free is taken', async (_what, limits, want) => {
  const swarm = new Swarm();
  const seed = swarm.addNode({}, { limits });
  const keys = await seedThree(seed);
  const come = async (swarmKey: SwarmKey): Promise<ScriptedPeer> =>
    new ScriptedPeer(await swarm.addMachine().dial(seed.address)).sayHello({ swarmKey }).signal('haveNone');
  const peers: ScriptedPeer[] = [];
  let most = 0;
  for (let at = 0; at < 12; at++) {
    const swarmKey = keys[at % 3];
    if (swarmKey === undefined) throw new Error('there are three');
    peers.push(await come(swarmKey));
    await swarm.clock.advanceAsync(50);
    most = Math.max(most, seed.engine.connectionCount);
  }
  expect([most, peers.filter((peer) => !peer.isClosed).length]).toEqual([want, want]);
  const [first] = peers;
  const [key] = keys;
  if (key === undefined) throw new Error('there are three');
  first?.socket.close();
  await swarm.clock.advanceAsync(50);
  const next = await come(key);
  await swarm.clock.advanceAsync(50);
  expect(next.isClosed).toBe(false);
});

test('strangers who say nothing hold a bounded number of places, and not for long', async () => {
  const swarm = new Swarm();
  const seed = swarm.addNode({}, { limits: { maxGreetings: 3 } });
  const [swarmKey] = await seedThree(seed);
  if (swarmKey === undefined) throw new Error('there are three');
  const dial = async (): Promise<ScriptedPeer> => new ScriptedPeer(await swarm.addMachine().dial(seed.address));
  const silent = [await dial(), await dial(), await dial()];
  const late = await dial();
  await swarm.clock.advanceAsync(100);
  expect([silent.some((peer) => peer.isClosed), late.isClosed]).toEqual([false, true]);
  await swarm.clock.advanceAsync(11_000);
  expect(silent.every((peer) => peer.isClosed)).toBe(true);
  const polite = (await dial()).sayHello({ swarmKey });
  await swarm.clock.advanceAsync(100);
  expect(polite.handshake).toBeDefined();
});

test('addresses are dialled a few at a time, all torrents together', async () => {
  const swarm = new Swarm();
  let [dialling, most, dials] = [0, 0, 0];
  const dialer: Dialer = {
    transport: 'memory',
    dial: (_address, signal) => {
      most = Math.max(most, ++dialling);
      dials++;
      const { promise, reject } = Promise.withResolvers<never>();
      signal.addEventListener('abort', () => {
        dialling--;
        reject(new Cancelled('nobody answers'));
      });
      return promise;
    },
  };
  const { clock } = swarm;
  const ports = { clock, hasher: instantHasher, log: silentLog, random: () => 0.5, dialers: [dialer] };
  const leech = swarm.addNode({}, { ports, limits: { maxHalfOpen: 4 } });
  for (const torrent of await leechThree(leech, leech))
    torrent.addPeers(Array.from({ length: 10 }, (_, at) => ({ host: `10.9.9.${at}`, port: 6_881 })));
  await clock.advanceAsync(60_000);
  expect(most).toBe(4);
  expect(dials).toBeGreaterThan(12);
});

test('pieces are hashed a few at a time, all torrents together', async () => {
  const swarm = new Swarm();
  const seed = swarm.addNode();
  await seedThree(seed);
  let [hashing, most] = [0, 0];
  const hasher = {
    ...instantHasher,
    sha1: async (bytes: Uint8Array) => {
      most = Math.max(most, ++hashing);
      await new Promise<void>((resolve) => swarm.clock.after(20, resolve));
      hashing--;
      return instantHasher.sha1(bytes);
    },
  };
  const { clock } = swarm;
  const machine = swarm.addMachine();
  const ports = { clock, hasher, log: silentLog, random: () => 0.5, dialers: [machine.dialer] };
  const leech = swarm.addNode({}, { ports, limits: { maxHashJobs: 2 } });
  const torrents = await leechThree(leech, seed);
  await swarm.until(() => torrents.every((torrent) => torrent.isComplete));
  expect(most).toBe(2);
});

test('with memory for one piece at a time, blocks that wait for their leaf checks are not given up for other pieces', async () => {
  const swarm = new Swarm();
  const source = await makeTorrentOf('v2', [12 * 8 * PIECE], 8 * PIECE);
  const { clock } = swarm;
  const hasher = {
    ...instantHasher,
    sha256: async (bytes: Uint8Array) => {
      await sleep(clock, 5);
      return instantHasher.sha256(bytes);
    },
  };
  const machine = swarm.addMachine({ latencyMs: 10 });
  const ports = { clock, hasher, log: silentLog, random: () => 0.5, dialers: [machine.dialer] };
  const { engine } = swarm.addNode({}, { ports, limits: { pieceBufferBytes: 8 * PIECE } });
  const storage = new MemoryStorage(source.bytes.slice());
  const layers = source.pieceLayers && { pieceLayers: source.pieceLayers };
  const torrent = engine.add({ ...source.hashes, info: source.info, ...layers, storage, have: 'check' });
  await swarm.until(() => torrent.isComplete);
  // The first look left the leaves in memory: what rots now comes anew block by block.
  storage.bytes.fill(0xee);
  let isChecked = false;
  torrent.recheck().then(
    () => (isChecked = true),
    (error: unknown) => expect.fail(String(error)),
  );
  await swarm.until(() => isChecked);
  expect(torrent.have.isEmpty).toBe(true);
  torrent.addPeers([1, 2, 3].map(() => addSeed(swarm, source).address));
  await swarm.until(() => torrent.isComplete, 60_000);
  expect(torrent.stats().bytesFromPeers).toBe(source.bytes.length);
});

test('blocks on their way out stay within their memory, and all of them arrive', async () => {
  const swarm = new Swarm();
  const budgetBytes = 600 * KIB; // two batches
  const seed = swarm.addNode({ uploadBytesPerSecond: 512 * KIB }, { limits: { serveBufferBytes: budgetBytes } });
  await seedThree(seed);
  const leeches = [swarm.addNode({ latencyMs: 10 }), swarm.addNode({ latencyMs: 10 })];
  const torrents = (await Promise.all(leeches.map((leech) => leechThree(leech, seed)))).flat();
  let most = 0;
  await swarm.until(() => {
    most = Math.max(most, seed.engine.inspect().serveBufferBytes);
    return torrents.every((torrent) => torrent.isComplete);
  });
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(budgetBytes);
});
