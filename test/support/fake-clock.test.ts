import { expect, test } from 'vitest';
import { sleep } from '../../src/base/tasks.ts';
import { FakeClock } from './fake-clock.ts';

test('timers run in the order of their time, and see that time', () => {
  const clock = new FakeClock(1_000);
  const seen: string[] = [];
  clock.after(20, () => seen.push(`b at ${clock.monotonicMs()}`));
  clock.after(10, () => {
    seen.push(`a at ${clock.nowMs()}`);
    clock.after(5, () => seen.push(`nested at ${clock.monotonicMs()}`));
  });
  clock.after(21, () => seen.push('too late'));
  clock.advance(20);
  expect(seen).toEqual(['a at 1010', 'nested at 15', 'b at 20']);
  expect(clock.pending).toBe(1);
});

test('a cancelled timer never runs', () => {
  const clock = new FakeClock();
  const cancel = clock.after(1, () => expect.unreachable());
  cancel();
  clock.advance(1_000);
  expect(clock.pending).toBe(0);
});

test('a chain of sleeps goes as far as the time that passes', async () => {
  const clock = new FakeClock();
  let rounds = 0;
  const chain = (async () => {
    for (; rounds < 5; rounds++) await sleep(clock, 100);
  })();
  await clock.advanceAsync(350);
  expect(rounds).toBe(3);
  await clock.advanceAsync(150);
  await chain;
  expect(rounds).toBe(5);
});

test('a jump of the wall clock leaves monotonic time alone', () => {
  const clock = new FakeClock(0);
  clock.jumpWall(-5_000);
  clock.advance(10);
  expect([clock.nowMs(), clock.monotonicMs()]).toEqual([-4_990, 10]);
});
