/** What hash requests may cost us (BEP 52): work once for a piece, none for an answer we know, an end to a flood. */
import type * as sha2 from '@noble/hashes/sha2.js';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import { isProven } from '../../src/codec/merkle.ts';
import { encodeHashRequest } from '../../src/codec/wire-encode.ts';
import { Geometry } from '../../src/torrent/geometry.ts';
import { PieceLeaves } from '../../src/torrent/hashes/piece-leaves.ts';
import { HashTrees, type EngineLimits, type Hasher } from '../../src/torrent/index.ts';
import { JobLimit } from '../../src/torrent/limits/job-limit.ts';
import { LeafCache } from '../../src/torrent/limits/leaf-cache.ts';
import type { PieceStorage } from '../../src/torrent/ports.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import {
  instantHasher,
  keyOf,
  makeTorrent,
  makeTorrentOf,
  MemoryStorage,
  seedOn,
  Swarm,
  type Node,
  type V2TestTorrent,
} from '../support/swarm.ts';
import { addSeed, v2KeyOf } from '../support/v2-swarm.ts';

/** SHA-256 operations by whatever code, since last set to 0. */
const hashed = vi.hoisted(() => ({ leaves: 0, nodes: 0 }));

vi.mock('@noble/hashes/sha2.js', async (importOriginal) => {
  const original = await importOriginal<typeof sha2>();
  const sha256 = (bytes: Uint8Array): Uint8Array => {
    hashed.nodes++;
    return original.sha256(bytes);
  };
  return { ...original, sha256 };
});

const digest = instantHasher.sha256.bind(instantHasher);

beforeEach(() => {
  hashed.leaves = 0;
  hashed.nodes = 0;
  vi.spyOn(instantHasher, 'sha256').mockImplementation((bytes) => {
    hashed[bytes.length > 64 ? 'leaves' : 'nodes']++;
    return digest(bytes);
  });
});

describe('hash requests', () => {
  /** 4 pieces of 64 leaves: a tree of height 8, its piece layer at 6. */
  async function asking(read?: (storage: MemoryStorage) => PieceStorage['read']) {
    const swarm = new Swarm();
    const source = await makeTorrentOf('v2', [4 * MIB], MIB);
    const storage = new MemoryStorage(source.bytes);
    if (read !== undefined) storage.read = read(new MemoryStorage(source.bytes));
    const seed = addSeed(swarm, source, { storage });
    const peer = new ScriptedPeer(await swarm.addMachine().dial(seed.address));
    peer.sayHello({ swarmKey: v2KeyOf(source) }).signal('haveNone');
    await swarm.clock.advanceAsync(100);
    const piecesRoot = source.info.files[0]?.piecesRoot ?? expect.fail('no root');
    const ask = (index: number, root = piecesRoot): void => {
      const request = { piecesRoot: root, baseLayer: 0, index, length: 1, proofLayers: 7 };
      peer.send(encodeHashRequest('hashRequest', request));
    };
    return { swarm, peer, piecesRoot, ask };
  }

  test('hashes a piece once, and nothing for an answer from a known tree', async () => {
    const { swarm, peer, piecesRoot, ask } = await asking();
    hashed.leaves = 0;
    hashed.nodes = 0;
    ask(3);
    await swarm.until(() => peer.heard('hashes') === 1, 1_000);
    // 63 nodes over its leaves, 3 over the piece layer, and a few roots of padding.
    expect(hashed.leaves).toBe(64);
    expect(hashed.nodes).toBeLessThan(63 + 3 + 10);
    const { nodes } = hashed;
    for (let index = 0; index < 64; index++) {
      ask(index);
      await swarm.until(() => peer.heard('hashes') === index + 2, 1_000);
    }
    expect(hashed).toEqual({ leaves: 64, nodes });
    for (const message of peer.messages) {
      if (message.type !== 'hashes') continue;
      const { index } = message.request;
      const proof = { row: message.hashes.subarray(0, 32), height: 0, index, uncles: message.hashes.subarray(32) };
      expect(isProven(proof, piecesRoot)).toBe(true);
    }
  });

  test('only so many of one peer are worked on at a time, and the rest refused', async () => {
    const disk = Promise.withResolvers<undefined>();
    const { swarm, peer, ask } = await asking((storage) => async (views, position) => {
      await disk.promise;
      await storage.read(views, position);
    });
    for (let sent = 0; sent < 40; sent++) ask(sent);
    await swarm.clock.advanceAsync(1_000);
    expect([peer.heard('hashes'), peer.heard('hash-reject')]).toEqual([0, 24]);
    disk.resolve(undefined);
    await swarm.clock.advanceAsync(1_000);
    expect([peer.heard('hashes'), peer.heard('hash-reject')]).toEqual([16, 24]);
  });

  test('a flood of them ends the connection, though some are granted all the time', async () => {
    const { swarm, peer, ask } = await asking();
    for (let round = 0; round < 50 && !peer.isClosed; round++) {
      for (let sent = 0; sent < 200; sent++) ask(sent % 64);
      await swarm.clock.advanceAsync(100);
    }
    expect(peer.isClosed).toBe(true);
    expect(peer.heard('hashes')).toBeGreaterThan(50);
  });

  test('a flood of them for what we do not have ends the connection', async () => {
    const { swarm, peer, ask } = await asking();
    for (let sent = 0; sent < 2_100; sent++) ask(0, new Uint8Array(32).fill(7));
    await swarm.clock.advanceAsync(100);
    expect(peer.isClosed).toBe(true);
  });

  test('who is refused again and again, but asks no faster than patience grows, stays', async () => {
    const { swarm, peer, ask } = await asking();
    for (let round = 0; round < 600; round++) {
      for (let sent = 0; sent < 5; sent++) ask(0, new Uint8Array(32).fill(7));
      await swarm.clock.advanceAsync(100);
    }
    expect([peer.heard('hash-reject'), peer.isClosed]).toEqual([3_000, false]);
  });
});

/** A seed next door. */
function seedV2(swarm: Swarm, source: V2TestTorrent, limits: Partial<EngineLimits> = {}): Node {
  const node = swarm.addNode({}, { limits });
  const { hashes, info, pieceLayers } = source;
  const storage = new MemoryStorage(source.bytes);
  node.engine.add({ ...hashes, info, ...(pieceLayers && { pieceLayers }), storage, have: 'all' });
  return node;
}

test('a torrent without v2 hashes refuses hash requests, and ends a connection that floods it with them', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, MIB);
  const seed = swarm.addNode();
  seedOn(seed, source);
  const peer = new ScriptedPeer(await swarm.addMachine().dial(seed.address));
  peer.sayHello({ swarmKey: keyOf(source) }).signal('haveNone');
  const request = { piecesRoot: new Uint8Array(32), baseLayer: 0, index: 0, length: 1, proofLayers: 0 };
  const ask = async (count: number): Promise<void> => {
    for (let sent = 0; sent < count; sent++) peer.send(encodeHashRequest('hashRequest', request));
    await swarm.clock.advanceAsync(100);
  };
  await ask(2_000);
  expect([peer.heard('hash-reject'), peer.isClosed]).toEqual([2_000, false]);
  await swarm.clock.advanceAsync(10_000);
  await ask(500);
  expect([peer.heard('hash-reject'), peer.isClosed]).toEqual([2_500, false]);
  await ask(20);
  expect(peer.isClosed).toBe(true);
});

test('the first question about a file pays for the rows above its pieces, which are folded for it', async () => {
  const swarm = new Swarm();
  const PIECES = 4_096;
  const source = await makeTorrentOf('v2', [PIECES * 16 * KIB], 16 * KIB);
  const seed = seedV2(swarm, source);
  const peer = new ScriptedPeer(await swarm.addMachine().dial(seed.address));
  peer.sayHello({ swarmKey: v2KeyOf(source) }).signal('haveNone');
  await swarm.clock.advanceAsync(100);
  const piecesRoot = source.info.files[0]?.piecesRoot ?? expect.fail('no root');
  const request = { piecesRoot, baseLayer: 0, index: 0, length: 2, proofLayers: 0 };
  const ask = async (): Promise<void> => {
    peer.send(encodeHashRequest('hashRequest', request));
    await swarm.clock.advanceAsync(0);
  };
  hashed.nodes = 0;
  // Within one moment: 16 MiB at 64 KiB and two hashes each, but for the 64 bytes a node of each piece.
  const affordable = Math.ceil((16 * MIB - PIECES * 64) / (64 * KIB + 64));
  while (peer.heard('hash-reject') === 0) await ask();
  expect(hashed.nodes).toBeGreaterThan(PIECES / 2);
  expect(peer.heard('hashes')).toBe(affordable);
});

test('the trees that are kept for the next question stay within their memory', async () => {
  const swarm = new Swarm();
  const source = await makeTorrentOf('v2', [8 * MIB], MIB);
  const seed = seedV2(swarm, source, { leafCacheBytes: 10 * KIB });
  const peer = new ScriptedPeer(await swarm.addMachine().dial(seed.address));
  peer.sayHello({ swarmKey: v2KeyOf(source) }).signal('haveNone');
  const piecesRoot = source.info.files[0]?.piecesRoot ?? expect.fail('no root');
  let most = 0;
  for (let piece = 0; piece < 8; piece++) {
    const request = { piecesRoot, baseLayer: 0, index: piece * 64, length: 1, proofLayers: 7 };
    peer.send(encodeHashRequest('hashRequest', request));
    await swarm.until(() => peer.heard('hashes') === piece + 1, 1_000);
    most = Math.max(most, seed.engine.inspect().leafCacheBytes);
  }
  // A piece of 64 leaves takes 4 KiB with the rows above.
  expect(most).toBeGreaterThan(4 * KIB);
  expect(most).toBeLessThanOrEqual(10 * KIB);
});

test('trees of many pieces are folded in turns, each of them short', async () => {
  // 8 pieces of 256 leaves.
  const { info, pieceLayers, bytes } = await makeTorrentOf('v2', [32 * MIB], 4 * MIB);
  const clock = new FakeClock();
  const perTurn: number[] = [0];
  const turned: Clock['after'] = (delayMs, task) =>
    clock.after(delayMs, () => {
      perTurn.push(0);
      task();
    });
  const hasher: Hasher = {
    sha1: (input) => instantHasher.sha1(input),
    sha256: (input) => {
      if (input.length === 64) perTurn.push((perTurn.pop() ?? 0) + 1);
      return instantHasher.sha256(input);
    },
  };
  const storage = new MemoryStorage(bytes);
  const leaves = new PieceLeaves({
    geometry: Geometry.of(info),
    read: (views, position) => storage.read(views, position),
    trees: new HashTrees(info, pieceLayers),
    hasher,
    hashJobs: new JobLimit(4),
    cache: new LeafCache(64 * KIB),
    clock: { nowMs: () => clock.nowMs(), monotonicMs: () => clock.monotonicMs(), after: turned },
    owner: 1,
  });
  const progress = { isDone: false };
  const all = Promise.all(Array.from({ length: 8 }, (_, piece) => leaves.rowsOf(piece))).finally(
    () => (progress.isDone = true),
  );
  while (!progress.isDone) await clock.advanceAsync(1);
  const trees = await all;
  expect(trees.map((rows) => rows.at(-1)?.length)).toEqual(Array.from({ length: 8 }, () => 32));
  expect(perTurn.reduce((sum, hashes) => sum + hashes, 0)).toBe(8 * 255);
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(1_024);
});
