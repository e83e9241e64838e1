import { expect, test } from 'vitest';
import { Lapses } from './lapses.ts';

const sources = Array.from({ length: 1_000 }, (_, sourceId) => ({ sourceId }));
const [first = { sourceId: -1 }, second = { sourceId: -2 }] = sources;

test('a lapse counts for that source and that block alone, until the block is here', () => {
  const lapses = new Lapses();
  lapses.add(3, first);
  expect([lapses.has(3, first), lapses.has(3, second), lapses.has(4, first)]).toEqual([true, false, false]);
  lapses.forget(3);
  expect(lapses.has(3, first)).toBe(false);
  expect(lapses.isEmpty).toBe(true);
});

test('a thousand sources that fail for one block leave 32 behind, the latest', () => {
  const lapses = new Lapses();
  for (const source of sources) lapses.add(0, source);
  expect(sources.filter((source) => lapses.has(0, source))).toEqual(sources.slice(-32));
});
