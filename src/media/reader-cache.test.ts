/** Open blobs are shared and never leak: counted on a store that counts. */
import { expect, test } from 'vitest';
import { sha256Of } from '../../test/contracts/media-fixture.ts';
import { silentLog } from '../base/log.ts';
import type { Sha256 } from '../base/ids.ts';
import { utf8 } from '../base/bytes.ts';
import type { BlobReader, BlobStore } from '../store/blobs.ts';
import { ReaderCache } from './reader-cache.ts';

const blob = (name: string): Sha256 => sha256Of(utf8(name));

/** A store that only opens, and counts what is open. */
function countingStore(missing: ReadonlySet<Sha256> = new Set()) {
  const counts = { opened: 0, open: 0 };
  const reader = (): BlobReader => ({
    sizeBytes: 0,
    fingerprint: '',
    read: async () => 0,
    close: async () => void counts.open--,
    [Symbol.asyncDispose]: async () => undefined,
  });
  const store: Pick<BlobStore, 'open'> = {
    async open(name) {
      await Promise.resolve();
      if (missing.has(name)) return undefined;
      counts.opened++;
      counts.open++;
      return reader();
    },
  };
  return { counts, cache: new ReaderCache(store, 2, silentLog) };
}

test('a hundred askers at once share one opening', async () => {
  const { counts, cache } = countingStore();
  const readers = await Promise.all(Array.from({ length: 100 }, () => cache.open(blob('a'))));
  expect(counts).toEqual({ opened: 1, open: 1 });
  for (const reader of readers) await reader?.close();
  await (await cache.open(blob('a')))?.close();
  expect(counts).toEqual({ opened: 1, open: 1 });
});

test('only so many stay open without a holder, the most recently used ones', async () => {
  const { counts, cache } = countingStore();
  for (const name of ['a', 'b', 'a', 'c']) await (await cache.open(blob(name)))?.close();
  expect(counts).toEqual({ opened: 3, open: 2 });
  await (await cache.open(blob('a')))?.close();
  expect(counts.opened).toBe(3);
  await (await cache.open(blob('b')))?.close();
  expect(counts.opened).toBe(4);
});

test('what somebody holds stays open, however many there are', async () => {
  const { counts, cache } = countingStore();
  const readers = await Promise.all(Array.from({ length: 20 }, (_, index) => cache.open(blob(`${index}`))));
  expect(counts.open).toBe(20);
  for (const reader of readers) await reader?.close();
  expect(counts.open).toBe(2);
});

test('closing twice gives back once', async () => {
  const { counts, cache } = countingStore();
  const [first, second] = [await cache.open(blob('a')), await cache.open(blob('a'))];
  await first?.close();
  await first?.close();
  cache.retire(blob('a'));
  expect(counts.open).toBe(1);
  await second?.close();
  expect(counts.open).toBe(0);
});

test('a retired blob is opened anew for newcomers and closes with its last holder', async () => {
  const { counts, cache } = countingStore();
  const old = await cache.open(blob('a'));
  cache.retire(blob('a'));
  await (await cache.open(blob('a')))?.close();
  expect(counts).toEqual({ opened: 2, open: 2 });
  await old?.close();
  expect(counts.open).toBe(1);
});

test('a blob retired while it is being opened is not kept', async () => {
  const { counts, cache } = countingStore();
  const opening = cache.open(blob('a'));
  cache.retire(blob('a'));
  await (await opening)?.close();
  expect(counts).toEqual({ opened: 1, open: 0 });
});

test('a blob that is not there is asked for again', async () => {
  const missing = new Set([blob('a')]);
  const { cache } = countingStore(missing);
  expect(await cache.open(blob('a'))).toBeUndefined();
  missing.clear();
  expect(await cache.open(blob('a'))).toBeDefined();
});

test('closing the cache leaves nothing open but what is held', async () => {
  const { counts, cache } = countingStore();
  const held = await cache.open(blob('a'));
  await (await cache.open(blob('b')))?.close();
  await cache.close();
  expect(counts.open).toBe(1);
  await held?.close();
  expect(counts.open).toBe(0);
});
