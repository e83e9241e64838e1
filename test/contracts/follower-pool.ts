/** What every FollowerPool promises. An adapter's test calls `describeFollowerPool` with a way to make one. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { concatBytes } from '../../src/base/bytes.ts';
import { Cancelled, InvalidInput, StorageFailed } from '../../src/base/errors.ts';
import type { UploadId } from '../../src/base/ids.ts';
import { MIB } from '../../src/base/units.ts';
import { canonicalPieceLength } from '../../src/codec/canonical.ts';
import type { BlobStore } from '../../src/store/blobs.ts';
import type { ContentDigest, FollowerPool } from '../../src/store/follower.ts';
import { newUploadId, randomBytes, sha256Of } from './blob-store.ts';

export interface FollowerPoolUnderTest {
  readonly store: BlobStore;
  readonly pool: FollowerPool;
  remove(): Promise<void>;
}

/** What must come out, computed the plain way. */
export function digestOf(bytes: Uint8Array): ContentDigest {
  const pieces: Uint8Array[] = [];
  const pieceLengthBytes = bytes.length === 0 ? 1 : canonicalPieceLength(bytes.length);
  for (let at = 0; at < bytes.length; at += pieceLengthBytes) {
    pieces.push(
      createHash('sha1')
        .update(bytes.subarray(at, at + pieceLengthBytes))
        .digest(),
    );
  }
  return {
    sizeBytes: bytes.length,
    sha256: sha256Of(bytes),
    crc32: crc32(bytes),
    head: bytes.slice(0, 4096),
    pieces: concatBytes(pieces),
  };
}

const never = new AbortController().signal;

async function writePart(store: BlobStore, bytes: Uint8Array): Promise<UploadId> {
  await using part = await store.openPart(newUploadId());
  await part.write([bytes], 0);
  return part.id;
}

/** Registers the suite under `name`. */
export function describeFollowerPool(name: string, make: () => Promise<FollowerPoolUnderTest>): void {
  async function fresh(): Promise<FollowerPoolUnderTest> {
    const made = await make();
    onTestFinished(() => made.remove());
    return made;
  }

  describe(`${name} keeps the FollowerPool contract`, () => {
    test.each([
      { sizeBytes: 0, steps: [0] },
      { sizeBytes: 1, steps: [1] },
      { sizeBytes: 4096, steps: [4095, 4096] },
      { sizeBytes: 262_144, steps: [100_000, 262_144] },
      { sizeBytes: 262_145, steps: [262_144, 262_145] },
      { sizeBytes: 3 * MIB, steps: [MIB, 2 * MIB, 3 * MIB] },
      { sizeBytes: 3 * MIB + 77, steps: [5, MIB + 5, 3 * MIB, 3 * MIB + 77] },
    ])('$sizeBytes bytes that grow to $steps have the right hashes', async ({ sizeBytes, steps }) => {
      const { store, pool } = await fresh();
      const bytes = randomBytes(sizeBytes);
      const follower = pool.follow(await writePart(store, bytes), sizeBytes);
      for (const step of steps) follower.advance(step);
      expect(await follower.finish(sizeBytes, never)).toEqual(digestOf(bytes));
    });

    test.each([0, 10, 5 * MIB + 3])('%i bytes whose size was not known give the same hashes', async (sizeBytes) => {
      const { store, pool } = await fresh();
      const bytes = randomBytes(sizeBytes);
      const follower = pool.follow(await writePart(store, bytes), undefined);
      follower.advance(sizeBytes);
      expect(await follower.finish(sizeBytes, never)).toEqual(digestOf(bytes));
    });

    test('fifty files at once, in turns, each get their own hashes', async () => {
      const { store, pool } = await fresh();
      const files = await Promise.all(
        Array.from({ length: 50 }, async (_, index) => {
          const bytes = randomBytes(40_000 * index);
          return { bytes, follower: pool.follow(await writePart(store, bytes), bytes.length) };
        }),
      );
      for (const share of [0.3, 0.7, 1]) {
        for (const { bytes, follower } of files) follower.advance(Math.floor(bytes.length * share));
      }
      const digests = await Promise.all(files.map(({ bytes, follower }) => follower.finish(bytes.length, never)));
      expect(digests.map((digest) => digest.sha256)).toEqual(files.map(({ bytes }) => sha256Of(bytes)));
    });

    test('a stored blob is read from end to end; one that is not there has no digest', async () => {
      const { store, pool } = await fresh();
      const bytes = randomBytes(2 * MIB + 1);
      const part = await store.openPart(newUploadId());
      await part.write([bytes], 0);
      await part.commit(sha256Of(bytes));
      expect(await pool.digest(sha256Of(bytes), never)).toEqual(digestOf(bytes));
      expect(await pool.digest(sha256Of(randomBytes(5)), never)).toBeUndefined();
    });

    test('a writer that stays near is told so at once, and after an abort no longer waits', async () => {
      const { store, pool } = await fresh();
      const follower = pool.follow(await writePart(store, randomBytes(100)), 100);
      follower.advance(100);
      await follower.caughtUp(never);
      expect(follower.hasFailed).toBe(false);
      follower.abandon();
      expect(follower.hasFailed).toBe(true);
      await expect(follower.caughtUp(never)).rejects.toBeInstanceOf(Cancelled);
    });

    test('bytes that are not there are StorageFailed', async () => {
      const { store, pool } = await fresh();
      const follower = pool.follow(await writePart(store, randomBytes(100)), 200);
      follower.advance(200);
      await expect(follower.finish(200, never)).rejects.toBeInstanceOf(StorageFailed);
    });

    test('announced bytes cannot be taken back, and only announced bytes can be finished', async () => {
      const { store, pool } = await fresh();
      const follower = pool.follow(await writePart(store, randomBytes(100)), 100);
      follower.advance(50);
      expect(follower.availableBytes).toBe(50);
      expect(() => follower.advance(49)).toThrow(InvalidInput);
      await expect(follower.finish(100, never)).rejects.toBeInstanceOf(InvalidInput);
    });

    test.each(['abort', 'abandon', 'close'] as const)('after %s a finish under way is Cancelled', async (how) => {
      const { store, pool } = await fresh();
      const controller = new AbortController();
      const follower = pool.follow(await writePart(store, randomBytes(8 * MIB)), 8 * MIB);
      follower.advance(8 * MIB);
      const finishing = expect(follower.finish(8 * MIB, controller.signal)).rejects.toBeInstanceOf(Cancelled);
      if (how === 'abort') controller.abort();
      if (how === 'abandon') follower.abandon();
      if (how === 'close') await pool.close();
      await finishing;
    });
  });
}
