import { describe, expect, test } from 'vitest';
import { parseInfoHashV1 } from '../../../src/base/ids.ts';
import { TabCaller } from './tab-calls.ts';
import type { TabMessage } from './tab-protocol.ts';

const film = parseInfoHashV1('ab'.repeat(20));

function setUp(): { caller: TabCaller; said: TabMessage[]; names: () => string[] } {
  const said: TabMessage[] = [];
  const caller = new TabCaller('tab', (message) => said.push(message));
  return { caller, said, names: () => said.map((message) => ('name' in message ? message.name : message.kind)) };
}

describe('calls of a tab', () => {
  test('wait for a leader, and are asked again when another takes over, until they are answered', async () => {
    const { caller, names } = setUp();
    const list = caller.call('list', undefined);
    const usage = caller.call('usage', undefined);
    expect(names()).toEqual([]);
    caller.ledAnew();
    caller.hear({ kind: 'done', tab: 'tab', call: 1, gets: [] });
    caller.ledAnew();
    expect(names()).toEqual(['list', 'usage', 'usage']);
    caller.hear({ kind: 'done', tab: 'tab', call: 2, gets: { usedBytes: 1 } });
    expect([await list, await usage]).toEqual([[], { usedBytes: 1 }]);
  });

  test('get their errors back as the classes they were', async () => {
    const { caller } = setUp();
    const removing = caller.call('remove', film);
    caller.hear({
      kind: 'refused',
      tab: 'tab',
      call: 1,
      error: { code: 'not_found', message: 'not held', facts: { infoHash: film } },
    });
    await expect(removing).rejects.toMatchObject({ name: 'NotFound', code: 'not_found', facts: { infoHash: film } });
  });

  test('hear nothing of what other tabs asked', async () => {
    const { caller } = setUp();
    const list = caller.call('list', undefined);
    caller.hear({ kind: 'done', tab: 'other', call: 1, gets: ['wrong'] });
    caller.hear({ kind: 'done', tab: 'tab', call: 1, gets: [] });
    expect(await list).toEqual([]);
  });

  test('can be given up: the worker is told, and a late answer changes nothing', async () => {
    const { caller, names } = setUp();
    caller.ledAnew();
    const abort = new AbortController();
    const seeding = caller.call('seed', { file: new File(['x'], 'x') }, { signal: abort.signal });
    abort.abort();
    caller.hear({ kind: 'done', tab: 'tab', call: 1, gets: {} });
    await expect(seeding).rejects.toMatchObject({ code: 'cancelled' });
    caller.ledAnew();
    expect(names()).toEqual(['seed', 'abort']);
  });

  test('tell of their progress', async () => {
    const { caller } = setUp();
    const seen: number[] = [];
    const seeding = caller.call(
      'seed',
      { file: new File(['x'], 'x') },
      { onProgress: ({ hashedBytes }) => seen.push(hashedBytes) },
    );
    for (const hashedBytes of [1, 2])
      caller.hear({ kind: 'progress', tab: 'tab', call: 1, progress: { hashedBytes, sizeBytes: 2 } });
    caller.close();
    await expect(seeding).rejects.toMatchObject({ code: 'cancelled' });
    expect(seen).toEqual([1, 2]);
  });
});
