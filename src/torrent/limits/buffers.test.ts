import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { KIB, MIB } from '../../base/units.ts';
import { BufferPool } from './buffers.ts';

test('a buffer given back is lent again, not made anew', () => {
  const pool = new BufferPool(64 * KIB);
  const buffer = pool.acquire(16 * KIB);
  if (buffer === undefined) throw new Error('there is room');
  pool.release(buffer);
  expect(pool.acquire(16 * KIB - 5)).toBe(buffer);
});

test('beyond the budget nothing is lent, until something comes back', () => {
  const pool = new BufferPool(32 * KIB);
  const first = pool.acquire(16 * KIB);
  pool.acquire(16 * KIB);
  expect(pool.acquire(4 * KIB)).toBeUndefined();
  if (first) pool.release(first);
  expect(pool.acquire(16 * KIB)).toBeDefined();
});

test('one buffer larger than the whole budget is lent when nothing else is, and not kept', () => {
  const pool = new BufferPool(16 * KIB);
  const huge = pool.acquire(64 * KIB);
  expect(huge?.length).toBe(64 * KIB);
  expect(pool.acquire(4 * KIB)).toBeUndefined();
  if (huge) pool.release(huge);
  expect(pool.acquire(64 * KIB)).not.toBe(huge);
});

test('a buffer that comes back twice counts once', () => {
  const pool = new BufferPool(16 * KIB);
  const buffer = pool.acquire(16 * KIB);
  if (buffer === undefined) throw new Error('there is room');
  pool.release(buffer);
  pool.release(buffer);
  expect(pool.lentBytes).toBe(0);
  expect(pool.acquire(16 * KIB)).toBe(buffer);
  expect(pool.acquire(16 * KIB)).toBeUndefined();
});

test('whatever is lent and given back, lent bytes are right and no buffer is lent twice', () => {
  const budgetBytes = 256 * KIB;
  const action = fc.record({ take: fc.boolean(), sizeBytes: fc.integer({ min: 1, max: 100 * KIB }) });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 100 }), (actions) => {
      const pool = new BufferPool(budgetBytes);
      const lent = new Set<Uint8Array<ArrayBuffer>>();
      for (const { take, sizeBytes } of actions) {
        const [oldest] = lent;
        if (!take && oldest) {
          pool.release(oldest);
          lent.delete(oldest);
        } else {
          const buffer = pool.acquire(sizeBytes);
          if (buffer === undefined) continue;
          expect(buffer.length).toBeGreaterThanOrEqual(sizeBytes);
          expect(lent.has(buffer)).toBe(false);
          lent.add(buffer);
        }
        expect(pool.lentBytes).toBe([...lent].reduce((sum, { length }) => sum + length, 0));
        expect(pool.lentBytes).toBeLessThanOrEqual(budgetBytes);
      }
    }),
  );
});

test('the share of one borrower shrinks with what is left, so that many who keep theirs leave something', () => {
  const pool = new BufferPool(64 * MIB);
  expect(pool.shareBytes).toBe(4 * MIB);
  let keepers = 0;
  while (pool.acquire(Math.max(64 * KIB, Math.min(MIB, pool.shareBytes))) !== undefined) keepers++;
  expect(keepers).toBeGreaterThan(100);
});
