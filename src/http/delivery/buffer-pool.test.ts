import { expect, test } from 'vitest';
import { MIB } from '../../base/units.ts';
import { BufferPool } from './buffer-pool.ts';

test('a buffer that was given back is lent again; a dropped one never is', () => {
  const pool = new BufferPool();
  const first = pool.take(5 * MIB);
  first.giveBack();
  const second = pool.take(5 * MIB);
  expect(second.bytes).toBe(first.bytes);
  second.drop();
  expect(pool.take(5 * MIB).bytes).not.toBe(first.bytes);
});

test('two streams never hold the same buffer', () => {
  const pool = new BufferPool();
  const first = pool.take(5 * MIB);
  first.giveBack();
  first.giveBack();
  expect(pool.take(5 * MIB).bytes).not.toBe(pool.take(5 * MIB).bytes);
});

test('beyond the bound streams get small buffers, and large ones again when some are back', () => {
  const pool = new BufferPool({ maxLarge: 2, maxIdle: 2 });
  const large = [pool.take(5 * MIB), pool.take(5 * MIB)];
  expect(pool.take(5 * MIB).bytes).toHaveLength(64 * 1024);
  expect(pool.lentBytes).toBe(2 * MIB + 64 * 1024);
  large[0]?.drop();
  expect(pool.take(5 * MIB).bytes).toHaveLength(MIB);
});

test('a small file never takes a large buffer', () => {
  expect(new BufferPool().take(1024).bytes).toHaveLength(64 * 1024);
});
