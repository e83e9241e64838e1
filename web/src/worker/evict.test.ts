import { expect, test } from 'vitest';
import { parseInfoHashV1 } from '../../../src/base/ids.ts';
import { chooseEvictions } from './evict.ts';

const medium = (name: string, sizeBytes: number, lastUsedMs: number, inUse = false) => ({
  infoHash: parseInfoHashV1(name.repeat(40)),
  sizeBytes,
  lastUsedMs,
  inUse,
});

const held = [medium('a', 40, 3), medium('b', 30, 1), medium('c', 20, 2), medium('d', 10, 0, true)];

test.each([
  ['nothing while all fits', 0, 100, ''],
  ['the least recently used first', 1, 100, 'b'],
  ['as many as it takes, oldest first', 31, 100, 'bc'],
  ['all that are not in use', 90, 100, 'bca'],
  ['nothing, and the new one is refused, when what is in use leaves no room', 91, 100, undefined],
  ['nothing, and the new one is refused, when it is larger than the quota', 101, 100, undefined],
  ['what no longer fits after the quota was lowered', 0, 50, 'bc'],
])('gives up %s', (_, neededBytes, quotaBytes, want) => {
  const evicted = chooseEvictions(held, neededBytes, quotaBytes);
  expect(evicted?.map((infoHash) => infoHash[0]).join('')).toBe(want);
});
