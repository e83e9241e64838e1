/** Which web seeds a torrent has, and when each is asked: known ones once, failing ones less and less. */
import { expect, test } from 'vitest';
import { RetryLater, Unavailable } from '../../src/base/errors.ts';
import { sleep } from '../../src/base/tasks.ts';
import { HOUR_MS, KIB, MINUTE_MS, SECOND_MS } from '../../src/base/units.ts';
import type { RangeSource } from '../../src/torrent/ports.ts';
import { makeTorrent, MemoryStorage, Swarm, type TestTorrent } from '../support/swarm.ts';

const PIECE = 32 * KIB;

/** A torrent in a world of its own that has nobody but its web seeds. */
async function alone(sizeBytes = 4 * PIECE, pieceBytes = PIECE) {
  const swarm = new Swarm();
  const source = await makeTorrent(sizeBytes, pieceBytes);
  const { engine } = swarm.addNode();
  const storage = new MemoryStorage(new Uint8Array(sizeBytes));
  const torrent = engine.add({ ...source.hashes, info: source.info, storage, have: 'none', webSeedUse: 'always' });
  const inspect = () => engine.inspect().torrents[0]?.content?.webSeeds ?? [];
  return { swarm, source, torrent, storage, inspect };
}

/** A source at a URL with what it does. */
function at(url: string, fetch: RangeSource['fetch']): RangeSource {
  return { label: url.replace(/\?.*/, ''), identity: url, fetch };
}

function serving({ bytes }: TestTorrent): RangeSource['fetch'] {
  return async function* (start, endExclusive) {
    yield bytes.slice(start, endExclusive);
  };
}

/** Fails as often as `failures` says, with the error that it makes of the number; then serves. */
function failing(swarm: Swarm, source: TestTorrent, failure: (at: number) => Error | undefined) {
  const askedAtMs: number[] = [];
  const fetch: RangeSource['fetch'] = async function* (start, endExclusive) {
    const error = failure(askedAtMs.push(swarm.clock.monotonicMs()));
    if (error !== undefined) throw error;
    yield source.bytes.slice(start, endExclusive);
  };
  const waitsMs = (): number[] => askedAtMs.slice(1).map((ms, before) => ms - (askedAtMs[before] ?? 0));
  return { fetch, waitsMs };
}

test('a renewed URL of a source is a source of its own, the same one again is none', async () => {
  const { swarm, source, torrent, inspect } = await alone();
  torrent.addWebSeed(
    at('https://a.example/film?token=old', failing(swarm, source, () => new Unavailable('403')).fetch),
  );
  await swarm.clock.advanceAsync(SECOND_MS);
  for (const _again of [1, 2]) torrent.addWebSeed(at('https://a.example/film?token=new', serving(source)));
  expect(inspect().map(({ label }) => label)).toEqual(['https://a.example/film', 'https://a.example/film']);
  await swarm.until(() => torrent.isComplete, SECOND_MS);
});

test('a source that is known is asked for one run at a time, however often it is named', async () => {
  const { swarm, torrent } = await alone(1_024 * KIB);
  let asked = 0;
  const slow: RangeSource['fetch'] = async function* (_start, _endExclusive, signal) {
    asked++;
    await sleep(swarm.clock, 5 * SECOND_MS, signal);
    yield new Uint8Array();
  };
  for (const _again of [1, 2, 3]) torrent.addWebSeed(at('https://a.example/', slow));
  await swarm.clock.advanceAsync(SECOND_MS);
  expect(asked).toBe(1);
});

test('a torrent has a hundred sources at most; a new one may take the place of a banned one', async () => {
  const { swarm, source, torrent, inspect } = await alone();
  const lies: RangeSource['fetch'] = async function* (start, endExclusive) {
    yield new Uint8Array(endExclusive - start).fill(7);
  };
  torrent.addWebSeed(at('https://liar.example/', lies));
  for (let number = 1; number < 100; number++)
    torrent.addWebSeed(at(`https://${number}.example/`, failing(swarm, source, () => new Unavailable('503')).fetch));
  await swarm.until(() => inspect().some(({ isBanned }) => isBanned), MINUTE_MS);
  for (const number of [100, 101]) torrent.addWebSeed(at(`https://${number}.example/`, serving(source)));
  const labels = inspect().map(({ label }) => label);
  expect(labels).toHaveLength(100);
  expect(labels).not.toContain('https://liar.example/');
  expect(labels).toContain('https://100.example/');
  await swarm.until(() => torrent.isComplete, MINUTE_MS);
});

test('a source that fails is asked after 2, 4, 8 … seconds, and every five minutes in the end', async () => {
  const { swarm, source, torrent } = await alone();
  const { fetch, waitsMs } = failing(swarm, source, () => new Unavailable('503'));
  torrent.addWebSeed(at('https://a.example/', fetch));
  await swarm.clock.advanceAsync(HOUR_MS);
  const waitsSec = waitsMs().map((ms) => Math.round(ms / SECOND_MS));
  expect(waitsSec.slice(0, 9)).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 300]);
  expect(waitsSec.slice(9).every((sec) => sec === 300)).toBe(true);
});

test('a source that served is forgiven what failed before', async () => {
  const { swarm, source, torrent } = await alone(1_024 * KIB, 256 * KIB);
  const { fetch, waitsMs } = failing(swarm, source, (times) => (times === 5 ? undefined : new Unavailable('503')));
  torrent.addWebSeed(at('https://a.example/', fetch));
  await swarm.clock.advanceAsync(40 * SECOND_MS);
  expect(
    waitsMs()
      .map((ms) => Math.round(ms / SECOND_MS))
      .slice(0, 7),
  ).toEqual([2, 4, 8, 16, 0, 2, 4]);
});

test.each([
  { asks: 'for 2 minutes', retryAfterMs: 2 * MINUTE_MS, waitSec: 120 },
  { asks: 'for less than it is left alone anyway', retryAfterMs: 1, waitSec: 2 },
  { asks: 'for a year', retryAfterMs: 365 * 24 * HOUR_MS, waitSec: 3_600 },
])('a source that asks $asks is asked again after $waitSec s', async ({ retryAfterMs, waitSec }) => {
  const { swarm, source, torrent } = await alone();
  const { fetch, waitsMs } = failing(swarm, source, (times) =>
    times === 1 ? new RetryLater('429', retryAfterMs) : undefined,
  );
  torrent.addWebSeed(at('https://a.example/', fetch));
  await swarm.until(() => torrent.isComplete, 2 * HOUR_MS);
  expect(Math.round((waitsMs()[0] ?? 0) / SECOND_MS)).toBe(waitSec);
});

test('a source that stalls in the middle is left after ten seconds, and another finishes', async () => {
  const { swarm, source, torrent } = await alone();
  const stalls: RangeSource['fetch'] = async function* (start, _endExclusive, signal) {
    yield source.bytes.slice(start, start + 20_000);
    await sleep(swarm.clock, HOUR_MS, signal);
  };
  torrent.addWebSeed(at('https://a.example/', stalls));
  await swarm.clock.advanceAsync(SECOND_MS);
  torrent.addWebSeed(at('https://b.example/', serving(source)));
  const tookMs = await swarm.until(() => torrent.isComplete, MINUTE_MS);
  expect(Math.round(tookMs / SECOND_MS)).toBeGreaterThanOrEqual(9);
});

test('what a source sends beyond its range is not taken', async () => {
  const { swarm, source, torrent, inspect } = await alone(2_048 * KIB, 1_024 * KIB);
  const generous: RangeSource['fetch'] = async function* (start, endExclusive) {
    const bytes = new Uint8Array(endExclusive - start + 64 * KIB).fill(7);
    bytes.set(source.bytes.subarray(start, endExclusive));
    yield bytes;
  };
  torrent.addWebSeed(at('https://a.example/', generous));
  await swarm.until(() => torrent.isComplete, MINUTE_MS);
  expect(inspect().map(({ isBanned }) => isBanned)).toEqual([false]);
});

test('a piece that several made wrong is fetched whole by one, so that the guilty is known', async () => {
  const { swarm, source, torrent } = await alone(512 * KIB, 512 * KIB);
  const fetched: [start: number, endExclusive: number][] = [];
  const slow: RangeSource['fetch'] = async function* (start, endExclusive, signal) {
    fetched.push([start, endExclusive]);
    for (let position = start; position < endExclusive; position += 16 * KIB) {
      await sleep(swarm.clock, 100, signal);
      yield source.bytes.slice(position, Math.min(endExclusive, position + 16 * KIB));
    }
  };
  torrent.addWebSeed(at('https://a.example/', slow));
  await swarm.clock.advanceAsync(SECOND_MS);
  const liar = swarm.addNode();
  const lies = new MemoryStorage(source.bytes.map((byte) => byte ^ 1));
  liar.engine.add({ ...source.hashes, info: source.info, storage: lies, have: 'all' });
  torrent.addPeers([liar.address]);
  await swarm.until(() => torrent.isComplete, MINUTE_MS);
  expect(fetched[0]).toEqual([0, 256 * KIB]);
  expect(fetched.at(-1)).toEqual([0, 512 * KIB]);
  expect(torrent.peerCount).toBe(0);
});
