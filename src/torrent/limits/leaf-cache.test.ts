import { expect, test } from 'vitest';
import { LeafCache, type PieceRows } from './leaf-cache.ts';

const rowsOf = (...sizes: number[]): PieceRows => {
  const [leaves = new Uint8Array(), ...above] = sizes.map((size) => new Uint8Array(size));
  return [leaves, ...above];
};

test('keeps no more bytes than it may, rows above the leaves included', () => {
  const cache = new LeafCache(300);
  cache.put(1, 0, rowsOf(64, 32));
  cache.put(1, 1, rowsOf(64, 32));
  cache.put(1, 2, rowsOf(64, 32));
  expect(cache.keptBytes).toBe(288);
  cache.get(1, 0);
  cache.put(1, 3, rowsOf(64, 32));
  expect([0, 1, 2, 3].map((piece) => cache.get(1, piece) !== undefined)).toEqual([true, false, true, true]);
  expect(cache.keptBytes).toBe(288);
  cache.put(2, 0, rowsOf(256, 128));
  expect([cache.get(2, 0), cache.keptBytes]).toEqual([undefined, 288]);
  cache.put(1, 3, rowsOf(64));
  expect(cache.keptBytes).toBe(256);
  cache.forget(1);
  expect(cache.keptBytes).toBe(0);
});
