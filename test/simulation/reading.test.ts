/** Reading while downloading: seeks, several readers, web seeds beside the swarm. */
import { expect, test } from 'vitest';
import { concatBytes, equalBytes } from '../../src/base/bytes.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import { Unavailable } from '../../src/base/errors.ts';
import type { Clock } from '../../src/base/clock.ts';
import { sleep } from '../../src/base/tasks.ts';
import type { RangeSource } from '../../src/torrent/ports.ts';
import type { Torrent, TorrentOptions } from '../../src/torrent/index.ts';
import { makeTorrent, MemoryStorage, Swarm, type Node, type TestTorrent } from '../support/swarm.ts';

const PIECE = 256 * KIB;

/** An HTTP source of the torrent's bytes with a speed, under the virtual clock. */
class FakeWebSeed implements RangeSource {
  readonly label = 'https://media.example/blob';
  readonly fetched: { start: number; endExclusive: number }[] = [];
  aborted = 0;
  isBroken = false;
  readonly #bytes: Uint8Array;
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;

  constructor(bytes: Uint8Array, clock: Clock, bytesPerSecond = 4 * MIB) {
    this.#bytes = bytes;
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
  }

  async *fetch(start: number, endExclusive: number, signal: AbortSignal): AsyncIterable<Uint8Array> {
    this.fetched.push({ start, endExclusive });
    if (this.isBroken) throw new Unavailable('503');
    await sleep(this.#clock, 20, signal);
    for (let at = start; at < endExclusive; at += 20_000) {
      const chunk = this.#bytes.slice(at, Math.min(at + 20_000, endExclusive));
      try {
        await sleep(this.#clock, (chunk.length / this.#bytesPerSecond) * 1000, signal);
      } catch (error) {
        this.aborted++;
        throw error;
      }
      yield chunk;
    }
  }

  get bytesAsked(): number {
    return this.fetched.reduce((sum, { start, endExclusive }) => sum + endExclusive - start, 0);
  }
}

function viewer(
  swarm: Swarm,
  source: TestTorrent,
  options: Partial<TorrentOptions> = {},
): { node: Node; torrent: Torrent } {
  const node = swarm.addNode({ latencyMs: 10 });
  const storage = new MemoryStorage(new Uint8Array(source.bytes.length));
  const torrent = node.engine.add({
    ...source.hashes,
    info: source.info,
    storage,
    have: 'none',
    mode: 'on-demand',
    ...options,
  });
  return { node, torrent };
}

function addSeed(swarm: Swarm, source: TestTorrent, uploadBytesPerSecond?: number): Node {
  const node = swarm.addNode({ latencyMs: 10 });
  node.engine.add({
    ...source.hashes,
    info: source.info,
    storage: new MemoryStorage(source.bytes),
    have: 'all',
    // The limit sits in the seed, as in real clients, so a cancel can still take effect.
    ...(uploadBytesPerSecond !== undefined && { uploadBytesPerSecond }),
  });
  return node;
}

/** Reads a range to its end, or until `limitBytes` came. */
async function read(torrent: Torrent, start: number, endExclusive: number, limitBytes = Infinity): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of torrent.read({ start, endExclusive, bytesPerSecond: MIB })) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= limitBytes) break;
  }
  return concatBytes(chunks);
}

async function settled<T>(swarm: Swarm, promise: Promise<T>, limitMs = 60_000): Promise<{ value: T; tookMs: number }> {
  let outcome: { value: T } | undefined;
  const watched = promise.then((value) => (outcome = { value }));
  const tookMs = await swarm.until(() => outcome !== undefined, limitMs);
  return { ...(await watched), tookMs };
}

test('a seek cancels what is stale: the first bytes come within 350 ms at 5 × 8 Mbit/s, and little is fetched in vain', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(64 * MIB, PIECE);
  const seeds = Array.from({ length: 5 }, () => addSeed(swarm, source, MIB));
  const { torrent } = viewer(swarm, source);
  torrent.addPeers(seeds.map(({ address }) => address));
  await settled(swarm, read(torrent, 0, source.bytes.length, 512 * KIB));
  const times: number[] = [];
  let viewed = 512 * KIB;
  for (const at of [0.7, 0.2, 0.9, 0.4, 0.55, 0.1, 0.8, 0.3]) {
    const start = Math.floor(at * source.bytes.length);
    const { tookMs, value } = await settled(swarm, read(torrent, start, source.bytes.length, 64 * KIB));
    expect(equalBytes(value, source.bytes.subarray(start, start + value.length))).toBe(true);
    times.push(tookMs);
    viewed += value.length;
    await swarm.clock.advanceAsync(500);
  }
  times.sort((a, b) => a - b);
  expect(times[Math.floor(times.length / 2)]).toBeLessThan(350);
  expect(times.at(-1)).toBeLessThan(600);
  expect(torrent.stats().bytesFromPeers).toBeLessThan(viewed + 9 * 3 * MIB);
});

test('slow peers do not hold up a seek: urgent blocks go to those that bring them sooner', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(64 * MIB, PIECE);
  const fast = addSeed(swarm, source, 4 * MIB);
  const slow = Array.from({ length: 4 }, () => addSeed(swarm, source, 24 * KIB));
  const { torrent } = viewer(swarm, source);
  torrent.addPeers([...slow, fast].map(({ address }) => address));
  await settled(swarm, read(torrent, 0, source.bytes.length, 2 * MIB));
  await swarm.clock.advanceAsync(15_000);
  const times: number[] = [];
  for (const at of [0.7, 0.2, 0.9, 0.4, 0.55, 0.1]) {
    const start = Math.floor(at * source.bytes.length);
    const { tookMs } = await settled(swarm, read(torrent, start, source.bytes.length, 64 * KIB));
    times.push(tookMs);
    await swarm.clock.advanceAsync(3_000);
  }
  expect(Math.max(...times)).toBeLessThan(300);
});

test('many modest peers help with one large urgent piece, though each of them is slower than the best', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(32 * MIB, 4 * MIB);
  const best = addSeed(swarm, source, MIB);
  const modest = Array.from({ length: 8 }, () => addSeed(swarm, source, 128 * KIB));
  const { torrent } = viewer(swarm, source);
  torrent.addPeers([best, ...modest].map(({ address }) => address));
  await settled(swarm, read(torrent, 0, source.bytes.length, 64 * KIB));
  await swarm.clock.advanceAsync(2_000);
  const { tookMs } = await settled(swarm, read(torrent, 24 * MIB, source.bytes.length, 64 * KIB));
  // 4 MiB: 4 s from the best alone, 2 s from all together.
  expect(tookMs).toBeLessThan(3_000);
});

test('nothing is fetched for a reader that was cancelled, and peers stay connected for the next', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(32 * MIB, PIECE);
  const seed = addSeed(swarm, source, MIB);
  const { torrent } = viewer(swarm, source);
  torrent.addPeers([seed.address]);
  await settled(swarm, read(torrent, 0, source.bytes.length, 256 * KIB));
  await swarm.clock.advanceAsync(1_000);
  const before = torrent.stats().bytesFromPeers;
  await swarm.clock.advanceAsync(20_000);
  expect(torrent.stats().bytesFromPeers).toBe(before);
  expect(torrent.stats()).toMatchObject({ readers: 0, peers: 1 });
});

test('two readers of one torrent both go on, and a shared piece is fetched once', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(16 * MIB, PIECE);
  const seed = addSeed(swarm, source, 4 * MIB);
  const { torrent } = viewer(swarm, source);
  torrent.addPeers([seed.address]);
  const { value } = await settled(
    swarm,
    Promise.all([read(torrent, 0, 4 * MIB), read(torrent, 8 * MIB, 12 * MIB), read(torrent, 8 * MIB, 12 * MIB)]),
  );
  expect(equalBytes(value[0], source.bytes.subarray(0, 4 * MIB))).toBe(true);
  expect(equalBytes(value[1], source.bytes.subarray(8 * MIB, 12 * MIB))).toBe(true);
  expect(equalBytes(value[2], value[1])).toBe(true);
  expect(torrent.stats().bytesFromPeers).toBe(8 * MIB);
});

test('a cold swarm plays from HTTP at once', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(8 * MIB, PIECE);
  const http = new FakeWebSeed(source.bytes, swarm.clock);
  const { torrent } = viewer(swarm, source, { webSeeds: [http] });
  const { value, tookMs } = await settled(swarm, read(torrent, MIB, 3 * MIB));
  expect(equalBytes(value, source.bytes.subarray(MIB, 3 * MIB))).toBe(true);
  expect(tookMs).toBeLessThan(1_500);
  expect(torrent.stats()).toMatchObject({ bytesFromPeers: 0, bytesFromHttp: 2 * MIB });
});

test('once the swarm keeps up, HTTP rests: a film played at its bitrate comes from peers', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(32 * MIB, PIECE);
  const seeds = [addSeed(swarm, source, 2 * MIB), addSeed(swarm, source, 2 * MIB)];
  const http = new FakeWebSeed(source.bytes, swarm.clock);
  const { torrent } = viewer(swarm, source, { webSeeds: [http] });
  torrent.addPeers(seeds.map(({ address }) => address));
  const playing = (async () => {
    for await (const chunk of torrent.read({ start: 0, endExclusive: source.bytes.length, bytesPerSecond: MIB }))
      await sleep(swarm.clock, (chunk.length / MIB) * 1000);
  })();
  await settled(swarm, playing);
  const { bytesFromHttp, bytesFromPeers } = torrent.stats();
  expect(bytesFromPeers + bytesFromHttp).toBe(source.bytes.length);
  expect(bytesFromHttp).toBeLessThan(2.5 * MIB);
});

test('a web seed that sends wrong bytes is banned, and the swarm finishes the job', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(4 * MIB, PIECE);
  const http = new FakeWebSeed(
    source.bytes.map((byte) => byte ^ 1),
    swarm.clock,
  );
  const { torrent } = viewer(swarm, source, { webSeeds: [http] });
  const reading = settled(swarm, read(torrent, 0, 2 * MIB));
  const seed = addSeed(swarm, source, 2 * MIB);
  torrent.addPeers([seed.address]);
  const { value } = await reading;
  expect(equalBytes(value, source.bytes.subarray(0, 2 * MIB))).toBe(true);
  const fetched = http.fetched.length;
  await settled(swarm, read(torrent, 2 * MIB, 4 * MIB));
  expect(http.fetched.length).toBe(fetched);
});

test('a web seed that fails is tried again after a pause, not hammered', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const http = new FakeWebSeed(source.bytes, swarm.clock);
  http.isBroken = true;
  const { torrent } = viewer(swarm, source, { webSeeds: [http] });
  const reading = read(torrent, 0, MIB);
  await swarm.clock.advanceAsync(30_000);
  expect(http.fetched.length).toBeLessThan(6);
  http.isBroken = false;
  const { value } = await settled(swarm, reading);
  expect(equalBytes(value, source.bytes)).toBe(true);
});

test('a seek aborts the HTTP range that nobody needs any more', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(32 * MIB, 4 * MIB);
  const http = new FakeWebSeed(source.bytes, swarm.clock, 512 * KIB);
  const { torrent } = viewer(swarm, source, { webSeeds: [http] });
  const seek = new AbortController();
  const stale = torrent.read({ start: 0, endExclusive: 8 * MIB, signal: seek.signal }).getReader();
  const outcome = stale.read().catch((error: unknown) => error);
  await swarm.until(() => http.fetched.length > 0);
  await swarm.clock.advanceAsync(100);
  seek.abort();
  await swarm.clock.advanceAsync(50);
  expect(http.aborted).toBe(1);
  expect(await outcome).toMatchObject({ code: 'cancelled' });
});

test('what nobody reads is left to the swarm; a silent swarm gets help from HTTP after five seconds', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(2 * MIB, PIECE);
  const http = new FakeWebSeed(source.bytes, swarm.clock);
  const { torrent } = viewer(swarm, source, { webSeeds: [http], mode: 'all' });
  await swarm.clock.advanceAsync(4_500);
  expect(http.fetched).toEqual([]);
  await swarm.until(() => torrent.isComplete, 10_000);
  expect(torrent.stats().bytesFromHttp).toBe(2 * MIB);
});

test('when HTTP turns slow, quicker peers bring what it is busy with', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(8 * MIB, PIECE);
  const http = new FakeWebSeed(source.bytes, swarm.clock, 32 * KIB);
  const seed = addSeed(swarm, source, 4 * MIB);
  const { torrent } = viewer(swarm, source, { webSeeds: [http] });
  torrent.addPeers([seed.address]);
  const { tookMs } = await settled(swarm, read(torrent, 0, PIECE));
  expect(tookMs).toBeLessThan(1_000);
});

test('told to help always, HTTP is an equal source from the start', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(16 * MIB, PIECE);
  const http = new FakeWebSeed(source.bytes, swarm.clock);
  const seed = addSeed(swarm, source, 4 * MIB);
  const { torrent } = viewer(swarm, source, { webSeeds: [http], mode: 'all', webSeedUse: 'always' });
  torrent.addPeers([seed.address]);
  await swarm.until(() => torrent.isComplete, 10_000);
  const { bytesFromHttp, bytesFromPeers } = torrent.stats();
  expect(Math.min(bytesFromHttp, bytesFromPeers)).toBeGreaterThan(4 * MIB);
});

test('a seed-only torrent serves what it has and says clearly what it has not', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(MIB, PIECE);
  const { torrent } = viewer(swarm, source, { mode: 'seed-only' });
  await expect(read(torrent, 0, MIB)).rejects.toMatchObject({ code: 'not_found' });
});

test.each([
  { start: 0, endExclusive: 0 },
  { start: -1, endExclusive: 5 },
  { start: 5, endExclusive: MIB + 1 },
  { start: 1.5, endExclusive: 3 },
])('the range [$start, $endExclusive) of 1 MiB is refused', async (range) => {
  const swarm = new Swarm();
  const { torrent } = viewer(swarm, await makeTorrent(MIB, PIECE));
  expect(() => torrent.read(range)).toThrow(/range outside the torrent/);
});

test('storage that fails ends readers with its error, stops the download and gives all memory back', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(4 * MIB, PIECE);
  const seed = addSeed(swarm, source);
  const node = swarm.addNode();
  const storage = new MemoryStorage(new Uint8Array(source.bytes.length));
  const torrent = node.engine.add({ ...source.hashes, info: source.info, storage, have: 'none' });
  const errors: Error[] = [];
  torrent.events.on('error', (error) => errors.push(error));
  const { StorageFailed } = await import('../../src/base/errors.ts');
  storage.failure = new StorageFailed('the disk is full');
  const reading = read(torrent, 0, 4 * MIB).catch((error: unknown) => error);
  torrent.addPeers([seed.address]);
  await swarm.until(() => errors.length > 0);
  await swarm.clock.advanceAsync(1_000);
  expect(await reading).toMatchObject({ code: 'storage_failed' });
  expect(errors).toHaveLength(1);
  expect(torrent.stats().downloadBytesPerSecond).toBeLessThan(4 * MIB);
  await node.engine.stop();
  expect(node.engine.bufferBytes).toBe(0);
});
