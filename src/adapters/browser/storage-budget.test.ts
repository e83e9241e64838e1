import { afterEach, expect, test, vi } from 'vitest';
import { chooseEvictions, LeastRecentBudget, type StoragePlace } from './storage-budget.ts';

const torrent = (key: string, sizeBytes: number, lastUsedMs: number, inUse = false, place: StoragePlace = 'disk') => ({
  key,
  place,
  sizeBytes,
  lastUsedMs,
  inUse,
});

const kept = [torrent('a', 40, 3), torrent('b', 30, 1), torrent('c', 20, 2), torrent('d', 10, 0, true)];

test.each([
  ['nothing while all fits', 0, 100, 'none'],
  ['the least recently used first', 1, 100, 'b'],
  ['as many as it takes, oldest first', 31, 100, 'bc'],
  ['all that are not in use', 90, 100, 'bca'],
  ['nothing, and the new one is refused, when what is in use leaves no room', 91, 100, undefined],
  ['nothing, and the new one is refused, when it is larger than the limit', 101, 100, undefined],
  ['what no longer fits after the limit was lowered', 0, 50, 'bc'],
])('gives up %s', (_, neededBytes, limitBytes, want) => {
  const evicted = chooseEvictions(kept, neededBytes, limitBytes);
  expect(evicted && (evicted.join('') || 'none')).toBe(want);
});

const inMemory = [torrent('m', 60, 1, false, 'memory'), torrent('n', 30, 2, true, 'memory')];

afterEach(() => vi.unstubAllGlobals());

test.each([
  // The browser grants 125, of which 100 may be used; memory has 100.
  { says: 'on disk while there is room', sizeBytes: 1, want: { kind: 'disk', evict: ['b'] } },
  {
    says: 'in memory what the disk cannot take',
    sizeBytes: 95,
    kept: kept.slice(3),
    want: { kind: 'memory', evict: [] },
  },
  { says: 'nowhere what fits nowhere', sizeBytes: 101, want: { kind: 'refuse', limitBytes: 100 } },
  { says: 'no more than the user allows', sizeBytes: 50, wishedBytes: 45, want: { kind: 'memory', evict: [] } },
  {
    says: 'in memory by the same rule, where there is no disk',
    sizeBytes: 50,
    hasDisk: false,
    kept: inMemory,
    want: { kind: 'memory', evict: ['m'] },
  },
  {
    says: 'nothing in the place of what is in use',
    sizeBytes: 80,
    hasDisk: false,
    kept: inMemory,
    want: { kind: 'refuse', limitBytes: 100 },
  },
  {
    says: 'nothing on a disk that is not there, however small',
    sizeBytes: 0,
    hasDisk: false,
    kept: [],
    want: { kind: 'memory', evict: [] },
  },
])('stores $says', async ({ sizeBytes, want, kept: others = kept, hasDisk = true, wishedBytes = 1_000 }) => {
  vi.stubGlobal('navigator', { storage: { estimate: () => Promise.resolve({ quota: 125 }) } });
  const budget = new LeastRecentBudget({ hasDisk, wishedBytes: () => wishedBytes, memoryLimitBytes: 100 });
  expect(await budget.plan(sizeBytes, others)).toEqual(want);
});

test.each([
  ['the least recently used on disk', kept, 'b'],
  ['nothing that is in use', kept.slice(3), undefined],
  ['nothing from memory, which frees no disk', inMemory, undefined],
])('gives up %s when the disk is full after all', (_, others, want) => {
  expect(new LeastRecentBudget({ hasDisk: true, memoryLimitBytes: 0 }).evictWhenFull(others)).toBe(want);
});
