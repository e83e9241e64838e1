/**
 * What a viewer feels, in virtual time: seeds with real distances and strict uplinks, the player of the seek bench, and
 * the gates of a stream: how soon, how smoothly, and how much is fetched in vain.
 */
import { expect, test, vi } from 'vitest';
import type { Playback } from '../../bench/seek/playback.ts';
import { equalBytes } from '../../src/base/bytes.ts';
import { InvalidInput } from '../../src/base/errors.ts';
import { KIB, MIB } from '../../src/base/units.ts';
import type { Torrent } from '../../src/torrent/index.ts';
import { Readers } from '../../src/torrent/reading/readers.ts';
import {
  makeTorrent,
  makeTorrentOf,
  MemoryStorage,
  type Node,
  Swarm,
  type TestTorrent,
  type V2TestTorrent,
} from '../support/swarm.ts';
import { BYTES_PER_SECOND, view, watch, watched } from '../support/viewing.ts';

const UPLINK = 1_000_000;
/** One way; the round trips are 24 to 56 ms. */
const DISTANCES_MS = [12, 16, 20, 24, 28];

type Source = TestTorrent | V2TestTorrent;

interface Seed extends Node {
  readonly torrent: Torrent;
}

function addSeed(swarm: Swarm, source: Source, latencyMs: number, uploadBytesPerSecond = UPLINK): Seed {
  const node = swarm.addNode({ latencyMs });
  const torrent = node.engine.add({
    ...source.hashes,
    ...('pieceLayers' in source && source.pieceLayers && { pieceLayers: source.pieceLayers }),
    info: source.info,
    storage: new MemoryStorage(source.bytes),
    have: 'all',
    uploadBytesPerSecond,
  });
  return { ...node, torrent };
}

function addSeeds(swarm: Swarm, source: Source, uploadBytesPerSecond = UPLINK): Seed[] {
  return DISTANCES_MS.map((latencyMs) => addSeed(swarm, source, latencyMs, uploadBytesPerSecond));
}

function addViewer(swarm: Swarm, source: Source): Torrent {
  return swarm.addNode().engine.add({
    ...source.hashes,
    ...('pieceLayers' in source && source.pieceLayers && { pieceLayers: source.pieceLayers }),
    info: source.info,
    storage: new MemoryStorage(new Uint8Array(source.bytes.length)),
    have: 'none',
    mode: 'on-demand',
  });
}

const addressesOf = (nodes: readonly Node[]) => nodes.map(({ address }) => address);
const sentBy = (nodes: readonly Node[]): number => nodes.reduce((sum, { machine }) => sum + machine.sentBytes, 0);

/** Pseudo-random places that stay clear of the end, the same in every run. */
function places(count: number, lastByte: number): number[] {
  return Array.from({ length: count }, (_, at) => Math.floor((((at + 1) * 0.618_034) % 1) * lastByte));
}

const firstBytes = (felt: readonly Playback[]): number[] =>
  felt.map(({ firstByteMs }) => firstByteMs ?? Number.POSITIVE_INFINITY).toSorted((a, b) => a - b);
const stallsOf = (felt: readonly Playback[]): number => felt.reduce((sum, { stalls }) => sum + stalls, 0);

test('five seeds of 8 Mbit/s play a film of 8 Mbit/s: quick to open, quick to seek, never a stall, little in vain', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(96 * MIB, MIB);
  const seeds = addSeeds(swarm, source);
  const torrent = addViewer(swarm, source);
  torrent.addPeers(addressesOf(seeds));
  const cold = await watch(swarm, torrent, 0, 2_000);
  expect(cold.firstByteMs).toBeLessThan(400);
  const seeks: Playback[] = [];
  for (const start of places(12, 80 * MIB)) seeks.push(await watch(swarm, torrent, start, 2_000));
  const times = firstBytes(seeks);
  expect(times[6]).toBeLessThan(350);
  expect(times[11]).toBeLessThan(600);
  expect(stallsOf([cold, ...seeks])).toBe(0);
  // Per viewing: half as much again as was shown, one lead, and the rest of the pieces at both ends.
  const shown = 13 * 2 * BYTES_PER_SECOND;
  expect(sentBy(seeds)).toBeLessThan(1.5 * shown + 13 * (BYTES_PER_SECOND + MIB));
});

test('a swarm a third faster than the film plays it without a stall', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(48 * MIB, MIB);
  const seeds = addSeeds(swarm, source, (1.3 * BYTES_PER_SECOND) / 5);
  const torrent = addViewer(swarm, source);
  torrent.addPeers(addressesOf(seeds));
  const felt = await watch(swarm, torrent, 0, 30_000);
  expect(felt.stalls).toBe(0);
});

test('in a v2 torrent of 16 MiB pieces a seek is as quick as one block and its leaf', async () => {
  const swarm = new Swarm();
  const source = await makeTorrentOf('v2', [96 * MIB], 16 * MIB);
  const seeds = addSeeds(swarm, source);
  const torrent = addViewer(swarm, source);
  torrent.addPeers(addressesOf(seeds));
  const cold = await watch(swarm, torrent, 0, 1_000);
  const seeks: Playback[] = [];
  for (const start of places(6, 80 * MIB)) seeks.push(await watch(swarm, torrent, start, 1_000));
  expect(firstBytes(seeks)[3]).toBeLessThan(350);
  expect(firstBytes(seeks)[5]).toBeLessThan(600);
  expect(stallsOf([cold, ...seeks])).toBe(0);
  expect(sentBy(seeds)).toBeLessThan(7 * 3 * BYTES_PER_SECOND);
});

test('the blocks of one large piece come from all seeds by their rates: none is left waiting for the slowest', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(48 * MIB, 16 * MIB);
  const rates = [2, 1, 1, 0.5, 0.25].map((share) => share * MIB);
  const seeds = rates.map((rate, at) => addSeed(swarm, source, DISTANCES_MS[at] ?? 0, rate));
  const torrent = addViewer(swarm, source);
  torrent.addPeers(addressesOf(seeds));
  await watch(swarm, torrent, 0, 100);
  const { firstByteMs } = await watch(swarm, torrent, 20 * MIB, 100);
  const floorMs = (16 / 4.75) * 1000;
  expect(firstByteMs).toBeLessThan(1.1 * floorMs);
});

test('where all sources are alike, nothing is asked for twice', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(64 * MIB, MIB);
  const seeds = addSeeds(swarm, source);
  const torrent = addViewer(swarm, source);
  torrent.addPeers(addressesOf(seeds));
  await watch(swarm, torrent, 0, 8_000);
  await swarm.clock.advanceAsync(2_000);
  expect(sentBy(seeds)).toBeLessThan(1.015 * torrent.stats().bytesFromPeers);
});

/** What a seek costs while the first `silent` of the seeds, nearest first, fall silent one after the other. */
async function seekAmongSilent(silent: number): Promise<number> {
  const swarm = new Swarm();
  const source = await makeTorrent(64 * MIB, 4 * MIB);
  const seeds = addSeeds(swarm, source);
  const torrent = addViewer(swarm, source);
  torrent.addPeers(addressesOf(seeds));
  await watch(swarm, torrent, 0, 2_000);
  const seeking = view(swarm, torrent, 40 * MIB, 500);
  await swarm.clock.advanceAsync(200);
  for (const { torrent: seeded } of seeds.slice(0, silent)) {
    await swarm.clock.advanceAsync(60);
    seeded.setLimits({ uploadBytesPerSecond: 0 });
  }
  const { firstByteMs = Number.POSITIVE_INFINITY } = await watched(swarm, seeking);
  return firstByteMs;
}

test.each([
  { silent: 0, limitMs: 1_000 },
  { silent: 1, limitMs: 1_200 },
  { silent: 2, limitMs: 1_500 },
  { silent: 4, limitMs: 4_000 },
])(
  'of five seeds $silent fall silent in the middle of a seek: it takes less than $limitMs ms',
  async ({ silent, limitMs }) => {
    expect(await seekAmongSilent(silent)).toBeLessThan(limitMs);
  },
);

test('a probe for an index costs a window, and the film that plays beside it does not stall', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(64 * MIB, MIB);
  const seeds = addSeeds(swarm, source, 0.4 * BYTES_PER_SECOND);
  const torrent = addViewer(swarm, source);
  torrent.addPeers(addressesOf(seeds));
  const film = view(swarm, torrent, 0, 12_000);
  await swarm.clock.advanceAsync(5_000);
  const endExclusive = source.bytes.length;
  const probe = torrent.read({ start: 60 * MIB, endExclusive, bytesPerSecond: BYTES_PER_SECOND }).getReader();
  let probed = 0;
  const probing = probe.read().then(({ value }) => (probed += value?.length ?? 0));
  await swarm.until(() => probed > 0);
  await Promise.all([probing, probe.cancel()]);
  expect((await watched(swarm, film)).stalls).toBe(0);
  const held = [60, 61, 62, 63].filter((piece) => torrent.have.has(piece));
  expect(held.length).toBeLessThanOrEqual(2);
});

/** Reads from `start` on as fast as it comes, and counts. */
function pullAll(torrent: Torrent, start: number): { bytes: number; stop(): void } {
  const counted = { bytes: 0, stop: () => abort.abort() };
  const abort = new AbortController();
  const endExclusive = torrent.info?.totalBytes ?? 0;
  const pulling = (async () => {
    const stream = torrent.read({ start, endExclusive, bytesPerSecond: BYTES_PER_SECOND, signal: abort.signal });
    for await (const chunk of stream) counted.bytes += chunk.length;
  })();
  pulling.catch((error: unknown) => {
    if (!abort.signal.aborted) throw error;
  });
  return counted;
}

test('readers that all want more than there is get equal shares, and what two of them read is fetched once', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(96 * MIB, MIB);
  const seeds = addSeeds(swarm, source, 0.2 * MIB);
  const torrent = addViewer(swarm, source);
  torrent.addPeers(addressesOf(seeds));
  const readers = [0, 0, 60 * MIB].map((start) => pullAll(torrent, start));
  await swarm.clock.advanceAsync(30_000);
  for (const reader of readers) reader.stop();
  await swarm.clock.advanceAsync(0);
  const [first = 0, twin = 0, other = 0] = readers.map(({ bytes }) => bytes);
  expect(first).toBe(twin);
  expect(Math.min(first, other)).toBeGreaterThan(0.8 * Math.max(first, other));
  expect(first + other).toBeGreaterThan(0.75 * torrent.stats().bytesFromPeers);
});

test('who needs its bytes later waits behind the viewer, but uses the time when sources are idle', async () => {
  const run = async (deadlineMs: number | undefined): Promise<{ firstByteMs: number; nextMs: number }> => {
    const swarm = new Swarm();
    const source = await makeTorrent(32 * MIB, MIB);
    const seeds = addSeeds(swarm, source, 0.4 * MIB);
    const torrent = addViewer(swarm, source);
    torrent.addPeers(addressesOf(seeds));
    await watch(swarm, torrent, 0, 500);
    const range = { start: 24 * MIB, endExclusive: 26 * MIB, bytesPerSecond: BYTES_PER_SECOND };
    const next = torrent.read({ ...range, ...(deadlineMs !== undefined && { deadlineMs }) }).getReader();
    const sinceMs = swarm.clock.monotonicMs();
    let nextMs = Number.POSITIVE_INFINITY;
    const arrival = next.read().then(() => (nextMs = swarm.clock.monotonicMs() - sinceMs));
    const viewing = await watch(swarm, torrent, 10 * MIB, 100);
    await swarm.until(() => nextMs < Number.POSITIVE_INFINITY);
    await Promise.all([arrival, next.cancel()]);
    return { firstByteMs: viewing.firstByteMs ?? Number.POSITIVE_INFINITY, nextMs };
  };
  const behind = await run(60_000);
  const equal = await run(undefined);
  expect(behind.firstByteMs).toBeLessThan(0.75 * equal.firstByteMs);
  expect(behind.nextMs).toBeLessThan(10_000);
});

test('what is here already is handed over at once, and nobody is asked for it', async () => {
  const swarm = new Swarm();
  const source = await makeTorrent(16 * MIB, MIB);
  const seeds = addSeeds(swarm, source);
  const torrent = addViewer(swarm, source);
  torrent.addPeers(addressesOf(seeds));
  await watch(swarm, torrent, 0, 4_000);
  await swarm.clock.advanceAsync(1_000);
  const before = sentBy(seeds);
  let seen = 0;
  const reading = (async () => {
    for await (const chunk of torrent.read({ start: MIB, endExclusive: 4 * MIB })) seen += chunk.length;
  })();
  expect(await swarm.until(() => seen === 3 * MIB)).toBeLessThanOrEqual(5);
  await reading;
  expect(sentBy(seeds) - before).toBeLessThan(KIB);
});

// 0 is what a page computes from a duration that it does not know yet.
test.each([0, -5, Number.NaN, Number.POSITIVE_INFINITY])(
  'a consumption of %s bytes per second is refused, where it would move no window',
  async (bytesPerSecond) => {
    const torrent = addViewer(new Swarm(), await makeTorrent(MIB, MIB));
    const read = () => torrent.read({ start: 0, endExclusive: MIB, bytesPerSecond });
    expect(read).toThrow(InvalidInput);
    expect(read).toThrow(/bytesPerSecond/);
  },
);

test.each([Number.NaN, -1, Number.POSITIVE_INFINITY])('a deadline of %s ms is refused', async (deadlineMs) => {
  const torrent = addViewer(new Swarm(), await makeTorrent(MIB, MIB));
  expect(() => torrent.read({ start: 0, endExclusive: MIB, deadlineMs })).toThrow(/deadline/);
});

test('many readers of one torrent cost ten looks a second, and each gets its bytes', async () => {
  const READERS = 60;
  const swarm = new Swarm();
  const source = await makeTorrent(READERS * 128 * KIB, 32 * KIB);
  const seeds = addSeeds(swarm, source);
  const torrent = addViewer(swarm, source);
  torrent.addPeers(addressesOf(seeds));
  await swarm.until(() => torrent.peerCount === seeds.length);
  const looks = vi.spyOn(Readers.prototype, 'window');
  const startMs = swarm.clock.monotonicMs();
  let done = 0;
  const all = Array.from({ length: READERS }, async (_, at) => {
    const range = { start: at * 128 * KIB, endExclusive: (at + 1) * 128 * KIB };
    let bytes = 0;
    for await (const chunk of torrent.read({ ...range, bytesPerSecond: 20_000 })) {
      expect(equalBytes(chunk, source.bytes.subarray(range.start + bytes, range.start + bytes + chunk.length))).toBe(
        true,
      );
      bytes += chunk.length;
    }
    done += Number(bytes === 128 * KIB);
  });
  await swarm.until(() => done === READERS);
  await Promise.all(all);
  const seconds = (swarm.clock.monotonicMs() - startMs) / 1_000;
  // Each beginning and end is a jump; the last eight are followed step by step, four pieces each.
  expect(looks.mock.calls.length).toBeLessThanOrEqual(2 * READERS + 10 * seconds + 8 * 4 + 1);
  looks.mockRestore();
});
