/** Whole swarms on a virtual network: what the engine promises when several of it meet. */
import { expect, test } from 'vitest';
import { concatBytes, equalBytes } from '../../src/base/bytes.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import type { Torrent } from '../../src/torrent/index.ts';
import { makeTorrent, MemoryStorage, Swarm, type Node, type TestTorrent } from '../support/swarm.ts';

function seedOn(node: Node, { hashes, info, bytes }: TestTorrent): Torrent {
  return node.engine.add({ ...hashes, info, storage: new MemoryStorage(bytes), have: 'all' });
}

function leechOn(node: Node, { hashes, info, bytes }: TestTorrent): { torrent: Torrent; storage: MemoryStorage } {
  const storage = new MemoryStorage(new Uint8Array(bytes.length));
  return { torrent: node.engine.add({ ...hashes, info, storage, have: 'none' }), storage };
}

async function readAll(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return concatBytes(chunks);
}

test('a leecher fetches everything from a seed, verified and synced', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(1000 * KIB + 77, 64 * KIB);
  const seed = swarm.addNode({ latencyMs: 5 });
  seedOn(seed, source);
  const { torrent, storage } = leechOn(swarm.addNode({ latencyMs: 5 }), source);
  let done = 0;
  torrent.events.on('done', () => done++);
  torrent.addPeers([seed.address]);
  await swarm.until(() => done > 0);
  expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
  expect(storage.syncs).toBe(1);
  expect(torrent.stats()).toMatchObject({ progress: 1, bytesFromPeers: source.bytes.length, bytesFromHttp: 0 });
});

test('many leechers of one slow seed give to each other, so the seed sends little more than one copy', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(4 * MIB, 64 * KIB);
  const seed = swarm.addNode({ latencyMs: 5, uploadBytesPerSecond: 500 * KIB });
  seedOn(seed, source);
  const nodes = Array.from({ length: 6 }, () => swarm.addNode({ latencyMs: 5, uploadBytesPerSecond: 2 * MIB }));
  const leeches = nodes.map((node) => leechOn(node, source));
  for (const { torrent } of leeches) torrent.addPeers([seed.address, ...nodes.map(({ address }) => address)]);
  await swarm.until(() => leeches.every(({ torrent }) => torrent.isComplete));
  for (const { storage } of leeches) expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
  expect(seed.machine.sentBytes).toBeLessThan(2.5 * source.bytes.length);
});

test('a magnet finds its metadata at a peer, then its bytes', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(600 * KIB, 32 * KIB);
  const seed = swarm.addNode({ latencyMs: 5 });
  seedOn(seed, source);
  const leech = swarm.addNode({ latencyMs: 5 });
  const storage = new MemoryStorage(new Uint8Array(source.bytes.length));
  const torrent = leech.engine.addByHash({ ...source.hashes, openStorage: async () => ({ storage, have: 'none' }) });
  torrent.addPeers([seed.address]);
  const ready = torrent.ready();
  await swarm.until(() => torrent.isComplete);
  expect((await ready).rawInfo).toEqual(source.info.rawInfo);
  expect(equalBytes(storage.bytes, source.bytes)).toBe(true);
});

test('a reader gets exactly its range, long before the rest could have come', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(32 * MIB, 256 * KIB);
  const seed = swarm.addNode({ latencyMs: 10, uploadBytesPerSecond: MIB });
  seedOn(seed, source);
  const leech = swarm.addNode({ latencyMs: 10 });
  const storage = new MemoryStorage(new Uint8Array(source.bytes.length));
  const torrent = leech.engine.add({ ...source.hashes, info: source.info, storage, have: 'none', mode: 'on-demand' });
  torrent.addPeers([seed.address]);
  const [start, endExclusive] = [20 * MIB + 1234, 21 * MIB + 99];
  let read: Uint8Array | undefined;
  const reading = readAll(torrent.read({ start, endExclusive })).then((bytes) => (read = bytes));
  const tookMs = await swarm.until(() => read !== undefined);
  await reading;
  expect(equalBytes(read ?? new Uint8Array(), source.bytes.subarray(start, endExclusive))).toBe(true);
  expect(tookMs).toBeLessThan(2_500);
  expect(torrent.stats().bytesFromPeers).toBeLessThan(2 * MIB);
});

test('stop leaves no timer, no socket, no lent buffer, and closes the storage', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(8 * MIB, 256 * KIB);
  const seed = swarm.addNode({ latencyMs: 5, uploadBytesPerSecond: MIB });
  seedOn(seed, source);
  const leech = swarm.addNode({ latencyMs: 5 });
  const { torrent, storage } = leechOn(leech, source);
  torrent.addPeers([seed.address]);
  const reading = readAll(torrent.read({ start: 0, endExclusive: source.bytes.length }));
  const outcome = reading.catch((error: unknown) => error);
  await swarm.until(() => torrent.stats().bytesFromPeers > MIB);
  expect(leech.engine.bufferBytes).toBeGreaterThan(0);
  await leech.engine.stop();
  await seed.engine.stop();
  await swarm.clock.advanceAsync(1_000);
  expect(await outcome).toMatchObject({ code: 'cancelled' });
  expect(storage.isClosed).toBe(true);
  expect(leech.engine.bufferBytes + seed.engine.bufferBytes).toBe(0);
  expect(swarm.network.openSockets).toBe(0);
  expect(swarm.clock.pending).toBe(0);
});
