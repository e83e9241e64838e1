import { array, assert, boolean, nat, property, record } from 'fast-check';
import { expect, test } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { DueQueue } from './due-queue.ts';

test('five thousand items cost one timer, and none when all are done', () => {
  const clock = new FakeClock();
  const due: number[] = [];
  const queue = new DueQueue<number>(clock, (item) => due.push(item));
  for (let item = 0; item < 5_000; item++) queue.set(item, (item * 7_919) % 5_000);
  expect(clock.pending).toBe(1);
  clock.advance(5_000);
  expect(due.map((item) => (item * 7_919) % 5_000)).toEqual(Array.from({ length: 5_000 }, (_, at) => at));
  expect(clock.pending).toBe(0);
});

test('an item that is set anew falls due at its new time only, earlier or later', () => {
  const clock = new FakeClock();
  const due: string[] = [];
  const queue = new DueQueue<string>(clock, (item) => due.push(`${item} at ${clock.monotonicMs()}`));
  queue.set('a', 100);
  queue.set('b', 200);
  queue.set('a', 300);
  queue.set('b', 50);
  clock.advance(1_000);
  expect(due).toEqual(['b at 50', 'a at 300']);
});

test('an item may set itself again, and what is deleted never comes', () => {
  const clock = new FakeClock();
  let rounds = 0;
  const queue = new DueQueue<string>(clock, (item) => {
    if (++rounds < 3) queue.set(item, clock.monotonicMs() + 10);
    queue.delete('b');
  });
  queue.set('a', 0);
  queue.set('b', 0);
  clock.advance(100);
  expect(rounds).toBe(3);
  expect([queue.size, clock.pending]).toEqual([0, 0]);
});

test('whatever is set and deleted, the rest comes in order and at its time', () => {
  const step = record({ item: nat(20), dueAtMs: nat(1_000), deletes: boolean() });
  assert(
    property(array(step, { maxLength: 200 }), (steps) => {
      const clock = new FakeClock();
      const due: [number, number][] = [];
      const queue = new DueQueue<number>(clock, (item) => due.push([clock.monotonicMs(), item]));
      const wanted = new Map<number, number>();
      for (const { item, dueAtMs, deletes } of steps) {
        if (deletes) queue.delete(item);
        else queue.set(item, dueAtMs);
        if (deletes) wanted.delete(item);
        else wanted.set(item, dueAtMs);
      }
      expect(clock.pending).toBeLessThanOrEqual(1);
      clock.advance(1_000);
      expect(due.map(([at]) => at)).toEqual(due.map(([at]) => at).sort((one, other) => one - other));
      expect(new Map(due.map(([at, item]) => [item, at]))).toEqual(wanted);
      expect(due).toHaveLength(wanted.size);
      expect(clock.pending).toBe(0);
    }),
  );
});
