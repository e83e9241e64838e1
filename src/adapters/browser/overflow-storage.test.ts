/** With a disk that is full at a chosen moment; a real browser's quota is in test/browser/swarm-quota.test.ts. */
import { expect, test } from 'vitest';
import { NoSpace, StorageFailed } from '../../base/errors.ts';
import { Bitfield } from '../../codec/bitfield.ts';
import { MemoryBudget, MemoryStorage } from './memory-storage.ts';
import { OverflowStorage } from './overflow-storage.ts';

const PIECE = 4;
const piece = (fill: number): Uint8Array => new Uint8Array(PIECE).fill(fill);

/** A fake disk with room for so many bytes. */
function disk(roomBytes: number, error: () => Error = () => new NoSpace('full')) {
  const store = new MemoryStorage(PIECE, new MemoryBudget(1_000));
  let leftBytes = roomBytes;
  const write = (bytes: Uint8Array, position: number): Promise<void> => {
    if (leftBytes < bytes.length) return Promise.reject(error());
    leftBytes -= bytes.length;
    return store.write(bytes, position);
  };
  const free = (sizeBytes: number): void => void (leftBytes += sizeBytes);
  return Object.assign(Object.create(store) as MemoryStorage, {
    write,
    free,
    read: store.read.bind(store),
    close: store.close.bind(store),
    forget: store.forget.bind(store),
  });
}

const nothingGives = (): Promise<boolean> => Promise.resolve(false);

const overflowing = (roomBytes: number, memoryBytes: number, error?: () => Error): OverflowStorage =>
  new OverflowStorage(
    disk(roomBytes, error),
    new MemoryStorage(PIECE, new MemoryBudget(memoryBytes)),
    PIECE,
    nothingGives,
  );

test('what the disk has no room for goes to memory, and reads across both give every byte', async () => {
  const storage = overflowing(2 * PIECE, 10 * PIECE);
  for (const index of [0, 1, 2, 3]) await storage.write(piece(index + 1), index * PIECE);
  const views = [new Uint8Array(3), new Uint8Array(10)];
  await storage.read(views, 2);
  expect(views.map((view) => Array.from(view))).toEqual([
    [1, 1, 2],
    [2, 2, 2, 3, 3, 3, 3, 4, 4, 4],
  ]);
});

test('a record leaves out what only memory holds', async () => {
  const storage = overflowing(PIECE, 10 * PIECE);
  const have = new Bitfield(3);
  for (const index of [2, 0]) {
    await storage.write(piece(index), index * PIECE);
    have.set(index);
  }
  storage.dropPassing(have);
  expect([have.has(2), have.has(0)]).toEqual([true, false]);
});

test('memory has its cap: beyond it there is no space, said as such', async () => {
  const storage = overflowing(0, 2 * PIECE);
  await storage.write(piece(1), 0);
  await storage.write(piece(2), PIECE);
  await expect(storage.write(piece(3), 2 * PIECE)).rejects.toMatchObject({ code: 'no_space' });
});

test('a disk that fails otherwise is not papered over', async () => {
  const storage = overflowing(0, 10 * PIECE, () => new StorageFailed('broken'));
  await expect(storage.write(piece(1), 0)).rejects.toMatchObject({ code: 'storage_failed' });
});

test('closing gives the memory back', async () => {
  const budget = new MemoryBudget(10 * PIECE);
  const storage = new OverflowStorage(disk(0), new MemoryStorage(PIECE, budget), PIECE, nothingGives);
  await storage.write(piece(1), 0);
  expect(budget.usedBytes).toBe(PIECE);
  await storage.close();
  expect(budget.usedBytes).toBe(0);
});

test('others are given up for a full disk, one by one, before memory is used', async () => {
  const full = disk(0);
  const budget = new MemoryBudget(10 * PIECE);
  const others = [1, 3, 4]; // bytes that each of the others frees: the first alone is not enough
  const giveWay = (): Promise<boolean> => {
    const freed = others.shift();
    full.free(freed ?? 0);
    return Promise.resolve(freed !== undefined);
  };
  const storage = new OverflowStorage(full, new MemoryStorage(PIECE, budget), PIECE, giveWay);
  await storage.write(piece(1), 0);
  expect([others, budget.usedBytes]).toEqual([[4], 0]);
  await storage.write(piece(2), PIECE);
  await storage.write(piece(3), 2 * PIECE);
  expect([others, budget.usedBytes]).toEqual([[], PIECE]);
});

test('a piece that is given up frees its place in memory, or on the disk', async () => {
  const storage = overflowing(PIECE, PIECE);
  await storage.write(piece(1), 0);
  await storage.write(piece(2), PIECE);
  await expect(storage.write(piece(3), 2 * PIECE)).rejects.toThrow(NoSpace);
  storage.forget([1, 0]);
  await storage.write(piece(3), 2 * PIECE);
  const view = new Uint8Array(PIECE);
  await storage.read([view], 2 * PIECE);
  expect(view).toEqual(piece(3));
  await expect(storage.read([view], 0)).rejects.toThrow(StorageFailed);
});
