/** Windows of a body: what is synced when, and what may be recorded. Time and disk are in the test's hands. */
import { describe, expect, test } from 'vitest';
import { never, sha256Of } from '../../test/contracts/media-fixture.ts';
import { overriding } from '../../test/contracts/overriding.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { concatBytes } from '../base/bytes.ts';
import { NoSpace, StorageFailed } from '../base/errors.ts';
import { parseUploadId } from '../base/ids.ts';
import { MIB } from '../base/units.ts';
import type { BlobPart } from '../store/blobs.ts';
import type { Follower } from '../store/follower.ts';
import { BufferPool } from './buffer-pool.ts';
import { DurableAppender, SLOW_SYNC_MS, SYNC_BYTES, SYNC_MS } from './durable-appender.ts';

/** A part in memory that keeps a diary; `hold` stops syncs until released. */
function rig(startBytes = 0, counts = { taken: 0, given: 0 }) {
  const diary: string[] = [];
  const clock = new FakeClock();
  const pool = new BufferPool(MIB, 4);
  const buffers = overriding(pool, {
    take: () => (counts.taken++, pool.take()),
    give: (buffer) => (counts.given++, pool.give(buffer)),
  });
  let sizeBytes = startBytes;
  const gate: { hold?: Promise<void>; fail?: Error; failWrite?: Error } = {};
  const content: Uint8Array[] = [];
  const part: BlobPart = {
    id: parseUploadId('0'.repeat(32)),
    get sizeBytes() {
      return sizeBytes;
    },
    async write(chunks, position) {
      expect(position).toBe(sizeBytes);
      await Promise.resolve();
      if (gate.failWrite !== undefined) throw gate.failWrite;
      content.push(concatBytes(chunks));
      sizeBytes += chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      diary.push(`write ${sizeBytes / MIB}`);
    },
    async sync() {
      const covered = sizeBytes;
      await gate.hold;
      if (gate.fail !== undefined) throw gate.fail;
      diary.push(`sync ${covered / MIB}`);
    },
    truncate: async () => undefined,
    commit: async () => ({ sizeBytes, fingerprint: '' }),
    discard: async () => undefined,
    close: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
  const follower: Follower = {
    availableBytes: 0,
    hasFailed: false,
    advance: () => undefined,
    caughtUp: async () => undefined,
    finish: async () => ({
      sizeBytes,
      sha256: sha256Of(new Uint8Array(0)),
      crc32: 0,
      head: new Uint8Array(0),
      pieces: new Uint8Array(0),
    }),
    abandon: () => undefined,
  };
  const appender = new DurableAppender({
    part,
    follower,
    buffers,
    clock,
    signal: never,
    reserve: async () => undefined,
    record: async (endBytes) => void diary.push(`record ${endBytes / MIB}`),
  });
  return { appender, clock, diary, gate, written: () => concatBytes(content) };
}

/** Lets everything that can go on without the test's help go on. */
const turns = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const megabyte = new Uint8Array(MIB);
const windowChunks = SYNC_BYTES / MIB;

async function takeMany(appender: DurableAppender, count: number): Promise<void> {
  for (let taken = 0; taken < count; taken++) await appender.take(megabyte);
}

describe('a body', () => {
  test('that ends is written, synced and recorded, in this order', async () => {
    const { appender, diary } = rig();
    await appender.take(megabyte.subarray(0, MIB / 2));
    await appender.settle();
    expect(diary).toEqual(['write 0.5', 'sync 0.5', 'record 0.5']);
    expect(appender.recordedBytes).toBe(MIB / 2);
  });

  test('without bytes costs nothing', async () => {
    const { appender, diary } = rig(5 * MIB);
    await appender.settle();
    expect(diary).toEqual([]);
  });

  test('is gathered: small chunks are written by the megabyte', async () => {
    const { appender, diary } = rig();
    for (let chunk = 0; chunk < 64; chunk++) await appender.take(megabyte.subarray(0, MIB / 32));
    await turns();
    expect(diary).toEqual(['write 1', 'write 2']);
  });

  test.each([
    { chunks: windowChunks - 1, passedMs: SYNC_MS, syncs: 0 },
    { chunks: windowChunks, passedMs: SYNC_MS - 1, syncs: 0 },
    { chunks: windowChunks, passedMs: SYNC_MS, syncs: 1 },
    { chunks: 1, passedMs: SLOW_SYNC_MS, syncs: 1 },
  ])('of $chunks MiB in $passedMs ms is synced $syncs times on the way', async ({ chunks, passedMs, syncs }) => {
    const { appender, clock, diary } = rig();
    await takeMany(appender, chunks - 1);
    clock.advance(passedMs);
    await appender.take(megabyte);
    await turns();
    expect(diary.filter((entry) => entry.startsWith('sync'))).toHaveLength(syncs);
  });

  test('that drips in is made durable however little it is', async () => {
    const { appender, clock, diary } = rig();
    await appender.take(new Uint8Array(10));
    clock.advance(SLOW_SYNC_MS);
    await appender.take(new Uint8Array(10));
    await turns();
    expect(diary[0]).toBe(`write ${20 / MIB}`);
    expect(diary[1]).toBe(`sync ${20 / MIB}`);
  });

  test('goes on being received while a window is synced, and the next window waits for it', async () => {
    const { appender, clock, diary, gate } = rig();
    const { promise, resolve } = Promise.withResolvers<void>();
    gate.hold = promise;
    await takeMany(appender, windowChunks - 1);
    clock.advance(SYNC_MS);
    await appender.take(megabyte);
    await takeMany(appender, windowChunks - 1);
    await turns();
    expect(diary.at(-1)).toBe(`write ${2 * windowChunks - 1}`);
    expect(diary.some((entry) => entry.startsWith('record'))).toBe(false);
    clock.advance(SYNC_MS);
    await takeMany(appender, 1); // written, and waiting for the sync before
    const blocked = appender.take(megabyte);
    expect(await Promise.race([blocked.then(() => 'taken'), turns().then(() => 'waiting')])).toBe('waiting');
    resolve();
    await blocked;
    await appender.settle();
    const order = diary.filter((entry) => !entry.startsWith('write'));
    expect(order).toEqual(['sync 8', 'record 8', 'sync 16', 'record 16', 'sync 17', 'record 17']);
  });

  test('gives its chunks back at once, and its buffers when it is settled', async () => {
    const counts = { taken: 0, given: 0 };
    const { appender, written } = rig(0, counts);
    const chunk = new Uint8Array(MIB + 5).fill(1);
    await appender.take(chunk);
    chunk.fill(2); // the sender uses its memory again
    await appender.settle();
    expect(new Set(written())).toEqual(new Set([1]));
    expect(written()).toHaveLength(MIB + 5);
    expect(counts).toEqual({ taken: 2, given: 2 });
  });

  test('of which a write fails keeps what was written before, and nothing after', async () => {
    const { appender, diary, gate } = rig();
    await takeMany(appender, 2);
    await turns();
    gate.failWrite = new NoSpace('made by the test');
    await takeMany(appender, 1);
    await expect(takeMany(appender, 2)).rejects.toBe(gate.failWrite);
    await expect(appender.settle()).rejects.toBe(gate.failWrite);
    expect(diary).toEqual(['write 1', 'write 2', 'sync 2', 'record 2']);
  });

  test('whose sync fails is never recorded beyond what was synced before', async () => {
    const { appender, clock, diary, gate } = rig();
    await takeMany(appender, 1);
    await appender.settle();
    gate.fail = new StorageFailed('made by the test');
    await takeMany(appender, windowChunks - 1);
    clock.advance(SYNC_MS);
    await appender.take(megabyte);
    await expect(appender.settle()).rejects.toBe(gate.fail);
    expect(diary.filter((entry) => entry.startsWith('record'))).toEqual(['record 1']);
    expect(appender.recordedBytes).toBe(MIB);
  });
});
