import { expect, test } from 'vitest';
import { Gate } from './gate.ts';

const never = new AbortController().signal;

test('no more tasks run at once than there are places, in the order they came', async () => {
  const gate = new Gate(2);
  const running: string[] = [];
  const ends = new Map<string, () => void>();
  const task = (name: string) => () =>
    new Promise<void>((resolve) => {
      running.push(name);
      ends.set(name, resolve);
    });
  const all = ['a', 'b', 'c'].map((name) => gate.pass(never, task(name)));
  await Promise.resolve();
  await Promise.resolve();
  expect(running).toEqual(['a', 'b']);
  ends.get('b')?.();
  await all[1];
  await Promise.resolve();
  await Promise.resolve();
  expect(running).toEqual(['a', 'b', 'c']);
  ends.get('a')?.();
  ends.get('c')?.();
  await Promise.all(all);
});

test('a task that fails or gives up frees its place', async () => {
  const gate = new Gate(1);
  await expect(gate.pass(never, () => Promise.reject(new RangeError('broken')))).rejects.toThrow('broken');
  await expect(gate.pass(AbortSignal.abort(), async () => 1)).rejects.toMatchObject({ code: 'cancelled' });
  await expect(gate.pass(never, async () => 2)).resolves.toBe(2);
});
