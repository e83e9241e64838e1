/** The disk is full under two writes at once; a real browser's quota is in test/browser/swarm-quota.test.ts. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { MemoryBudget, MemoryStorage } from '../../../src/adapters/browser/memory-storage.ts';
import { OverflowStorage } from '../../../src/adapters/browser/overflow-storage.ts';
import { LeastRecentBudget } from '../../../src/adapters/browser/storage-budget.ts';
import { NoSpace } from '../../../src/base/errors.ts';
import { type InfoHashV1, parseInfoHashV1 } from '../../../src/base/ids.ts';
import { FullDisk } from './full-disk.ts';

const PIECE = 4;
const A = parseInfoHashV1('a'.repeat(40));
const B = parseInfoHashV1('b'.repeat(40));
const IDLE = parseInfoHashV1('c'.repeat(40));

/** Media that nobody has open, on a disk with room for nothing more, each given up only when its writes have ended. */
function browser(...media: readonly InfoHashV1[]) {
  const running = new Set(media);
  const writes = new Map<InfoHashV1, Promise<void>>();
  const givenUp: InfoHashV1[] = [];
  let roomPieces = 0;
  const disk = new FullDisk({
    budget: new LeastRecentBudget({ hasDisk: true, memoryLimitBytes: 0 }),
    kept: () =>
      Array.from(
        running,
        (key, at) => ({ key, place: 'disk', sizeBytes: PIECE, lastUsedMs: at, inUse: false }) as const,
      ),
    giveUp: async (infoHash) => {
      givenUp.push(infoHash);
      await nextTurn();
      await writes.get(infoHash);
      running.delete(infoHash);
      roomPieces += 2;
    },
  });
  const write = (infoHash: InfoHashV1): Promise<void> => {
    const file = new MemoryStorage(PIECE, new MemoryBudget(PIECE));
    const onDisk = {
      read: file.read.bind(file),
      sync: file.sync.bind(file),
      close: file.close.bind(file),
      write: async (bytes: Uint8Array, position: number) => {
        if (roomPieces === 0) throw new NoSpace('full');
        roomPieces--;
        await file.write(bytes, position);
      },
    };
    const memory = new MemoryStorage(PIECE, new MemoryBudget(PIECE));
    const storage = new OverflowStorage(onDisk, memory, PIECE, () => disk.giveWayTo(infoHash));
    const writing = storage.write(new Uint8Array(PIECE), 0);
    writes.set(infoHash, writing);
    return writing;
  };
  return { write, givenUp };
}

/** Whether it ends by itself: nothing here waits for anything but turns. */
async function endsSoon(work: Promise<unknown>): Promise<boolean> {
  const ended = work.then(() => true);
  for (let turn = 0; turn < 100; turn++) if (await Promise.race([ended, nextTurn(false)])) return true;
  return false;
}

test('two writes that wait for room both get on: neither medium waits for the other to end', async () => {
  const { write } = browser(A, B);
  expect(await endsSoon(Promise.all([write(A), write(B)]))).toBe(true);
});

test('what goes for one goes for all who wait, and once', async () => {
  const { write, givenUp } = browser(IDLE, A, B);
  expect(await endsSoon(Promise.all([write(A), write(B)]))).toBe(true);
  expect(givenUp).toEqual([IDLE]);
});

test('a medium that has got its room may be given up again', async () => {
  const { write, givenUp } = browser(IDLE, A, B);
  for (const infoHash of [A, A]) expect(await endsSoon(write(infoHash))).toBe(true);
  expect(await endsSoon(write(B))).toBe(true);
  expect(givenUp).toEqual([IDLE, A]);
});
