import { describe, expect, test } from 'vitest';
import { endInTurn, endTogether } from './endings.ts';
import { SeveralFailed, StorageFailed, Unavailable } from './errors.ts';

describe('ending several things', () => {
  test('in turn goes on behind one that failed, and tells of it', async () => {
    const error = new StorageFailed('broken');
    const ended: string[] = [];
    const ending = endInTurn([
      () => ended.push('first'),
      () => Promise.reject(error),
      () => {
        throw error; // the same failure by a second way
      },
      async () => void ended.push('last'),
    ]);
    await expect(ending).rejects.toBe(error);
    expect(ended).toEqual(['first', 'last']);
  });

  test('together waits for all of them, and tells of every failure once', async () => {
    const [one, two] = [new StorageFailed('one'), new Unavailable('two')];
    const { promise, resolve } = Promise.withResolvers<void>();
    let isOver = false;
    const ending = endTogether([endTogether([Promise.reject(one), Promise.reject(two)]), promise, Promise.reject(two)]);
    const settled = ending.catch((error: unknown) => error).finally(() => (isOver = true));
    await Promise.allSettled([Promise.reject(one)]);
    expect(isOver).toBe(false);
    resolve();
    const failure = await settled;
    expect(failure).toBeInstanceOf(SeveralFailed);
    expect(failure).toMatchObject({ errors: [one, two], cause: one, facts: { failures: 2 } });
  });

  test('that end well ends well', async () => {
    await expect(endTogether([undefined, Promise.resolve(1)])).resolves.toBeUndefined();
    await expect(endInTurn([() => undefined])).resolves.toBeUndefined();
  });
});
