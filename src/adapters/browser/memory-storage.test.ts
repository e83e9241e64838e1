import { expect, test } from 'vitest';
import { MemoryBudget, MemoryStorage } from './memory-storage.ts';

test('reads within and across written pieces see the bytes; a hole is a failure, not zeros', async () => {
  const storage = new MemoryStorage(4, new MemoryBudget(100));
  await storage.write(Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7), 0);
  await storage.write(Uint8Array.of(12, 13), 12);
  const views = [new Uint8Array(3), new Uint8Array(2)];
  await storage.read(views, 2);
  expect(views.map((view) => Array.from(view))).toEqual([
    [2, 3, 4],
    [5, 6],
  ]);
  await expect(storage.read([new Uint8Array(2)], 7)).rejects.toMatchObject({ code: 'storage_failed' });
  await expect(storage.read([new Uint8Array(3)], 12)).rejects.toMatchObject({ code: 'storage_failed' });
});

test('all storages share one cap, and closing one makes room for another', async () => {
  const budget = new MemoryBudget(6);
  const first = new MemoryStorage(4, budget);
  const second = new MemoryStorage(4, budget);
  await first.write(new Uint8Array(4), 0);
  await first.write(new Uint8Array(4), 0);
  await expect(second.write(new Uint8Array(4), 0)).rejects.toMatchObject({ code: 'no_space' });
  await first.close();
  await second.write(new Uint8Array(4), 0);
  expect(budget.usedBytes).toBe(4);
});
