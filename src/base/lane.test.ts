import { describe, expect, test } from 'vitest';
import { Lane } from './lane.ts';

/** Jobs that end when they are told to. */
function jobs() {
  const started: number[] = [];
  const ends: PromiseWithResolvers<void>[] = [];
  const job = (number: number) => () => {
    started.push(number);
    const end = Promise.withResolvers<void>();
    ends.push(end);
    return end.promise;
  };
  return { started, ends, job };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a lane', () => {
  test('runs so many jobs at once, the others in the order they came', async () => {
    const lane = new Lane({ atOnce: 2, maxWaiting: 10 });
    const { started, ends, job } = jobs();
    const all = [1, 2, 3, 4].map((number) => lane.run(job(number)));
    expect([started, lane.running, lane.waiting]).toEqual([[1, 2], 2, 2]);
    ends[1]?.resolve();
    await turn();
    expect([started, lane.running, lane.waiting]).toEqual([[1, 2, 3], 2, 1]);
    ends[0]?.resolve();
    await turn();
    ends[2]?.resolve();
    ends[3]?.resolve();
    for (const one of all) await one;
    expect([started, lane.running, lane.waiting]).toEqual([[1, 2, 3, 4], 0, 0]);
  });

  test('refuses a job when too many wait, without starting it', async () => {
    const lane = new Lane({ atOnce: 1, maxWaiting: 1 });
    const { started, ends, job } = jobs();
    const [first, second, third] = [1, 2, 3].map((number) => lane.run(job(number)));
    expect(third).toBeUndefined();
    ends[0]?.resolve();
    await first;
    await turn();
    ends[1]?.resolve();
    await second;
    expect(started).toEqual([1, 2]);
  });

  test('a job that fails gives its place to the next', async () => {
    const lane = new Lane({ atOnce: 1, maxWaiting: 1 });
    const failing = lane.run(() => Promise.reject(new Error('no')));
    const next = lane.run(() => Promise.resolve('done'));
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('done');
    expect(lane.running).toBe(0);
  });
});
