import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { instantHasher, makeTorrent, MemoryStorage } from '../../../test/support/swarm.ts';
import { StorageFailed } from '../../base/errors.ts';
import { KIB } from '../../base/units.ts';
import { Bitfield } from '../../codec/bitfield.ts';
import { Geometry } from '../geometry.ts';
import { verifierFor } from '../hashes/verify.ts';
import { BufferPool } from '../limits/buffers.ts';
import { JobLimit } from '../limits/job-limit.ts';
import { PieceStore } from '../pieces/piece-store.ts';
import { Reader, type ReadOptions } from './reader.ts';

const PIECE = 16 * KIB;
const PIECES = 4;
const ignore = (): undefined => undefined;

/** Reads wait until the test lets them. */
class GatedStorage extends MemoryStorage {
  readonly reads: (() => void)[] = [];

  override async read(views: readonly Uint8Array[], position: number): Promise<void> {
    await new Promise<void>((resolve) => this.reads.push(resolve));
    await super.read(views, position);
  }
}

/** A reader of pieces that are all in storage; how often its window moved, and by what. */
async function reading(options: Partial<ReadOptions> = {}) {
  const { info, bytes } = await makeTorrent(PIECES * PIECE, PIECE);
  const storage = new GatedStorage(bytes);
  const store = new PieceStore({
    geometry: Geometry.of(info),
    verifier: verifierFor(info, undefined, instantHasher, ignore),
    storage,
    have: Bitfield.full(PIECES),
    pool: new BufferPool(PIECES * PIECE),
    hashJobs: new JobLimit(1),
    events: {
      verified: ignore,
      grown: ignore,
      blockRejected: ignore,
      held: ignore,
      failed: () => Promise.resolve(),
      storageFailed: ignore,
      missing: ignore,
      released: ignore,
    },
  });
  const moves: string[] = [];
  const reader = new Reader(
    { store, nowMs: () => 0, windowMoved: () => moves.push('moved'), closed: () => moves.push('closed') },
    { start: 0, endExclusive: PIECES * PIECE, ...options },
  );
  return { reader, storage, store, moves };
}

test.each<{ end: string; by: (reader: Reader, bytes: ReadableStreamDefaultReader) => unknown }>([
  { end: 'is cancelled', by: (_, bytes) => bytes.cancel() },
  { end: 'fails', by: (reader) => reader.fail(new StorageFailed('full')) },
])('a reader that $end while storage is read moves no window any more', async ({ by }) => {
  const { reader, storage, store, moves } = await reading();
  const bytes = reader.stream.getReader();
  const first = bytes.read().catch((error: unknown) => error);
  expect(storage.reads).toHaveLength(1);
  await by(reader, bytes);
  for (const go of storage.reads) go();
  await Promise.all([first, store.readsSettled()]);
  await new Promise((resolve) => setImmediate(resolve)); // whatever follows the read
  expect(moves).toEqual(['closed']);
});

test.each<{ end: string; by: (reader: Reader) => Promise<unknown> }>([
  { end: 'was read to its end', by: ({ stream }) => stream.pipeTo(new WritableStream()) },
  { end: 'was cancelled', by: ({ stream }) => stream.cancel() },
  {
    end: 'failed',
    by: async (reader) => {
      reader.fail(new StorageFailed('full'));
    },
  },
])('of a reader that $end nothing stays at the signal of whoever opens many', async ({ by }) => {
  const { signal } = new AbortController();
  const { reader, storage } = await reading({ signal, endExclusive: PIECE });
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  const ending = by(reader);
  for (const go of storage.reads) go();
  await ending;
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});
