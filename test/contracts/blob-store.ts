/** What every BlobStore promises. An adapter's test calls `describeBlobStore` with a way to make one. */
import { createHash, randomBytes as nodeRandomBytes } from 'node:crypto';
import { describe, expect, onTestFinished, test } from 'vitest';
import { concatBytes, toHex } from '../../src/base/bytes.ts';
import { Conflict, InvalidInput, NotFound } from '../../src/base/errors.ts';
import { parseSha256, parseUploadId } from '../../src/base/ids.ts';
import type { Sha256, UploadId } from '../../src/base/ids.ts';
import type { BlobReader, BlobStore } from '../../src/store/blobs.ts';

export interface BlobStoreUnderTest {
  readonly store: BlobStore;
  /** A second store over the same place, as after a restart. */
  reopen(): Promise<BlobStore>;
  remove(): Promise<void>;
}

/** Random bytes in an array of their own, of any number. */
export function randomBytes(sizeBytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(nodeRandomBytes(sizeBytes));
}

export function sha256Of(bytes: Uint8Array): Sha256 {
  return parseSha256(createHash('sha256').update(bytes).digest('hex'));
}

export function newUploadId(): UploadId {
  return parseUploadId(toHex(randomBytes(16)));
}

async function put(store: BlobStore, bytes: Uint8Array): Promise<Sha256> {
  const part = await store.openPart(newUploadId());
  await part.write([bytes], 0);
  await part.sync();
  await part.commit(sha256Of(bytes));
  return sha256Of(bytes);
}

async function readAll(reader: BlobReader | undefined): Promise<Uint8Array | undefined> {
  if (reader === undefined) return undefined;
  const bytes = new Uint8Array(reader.sizeBytes);
  await reader.read([bytes], 0);
  await reader.close();
  return bytes;
}

async function sorted(items: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const item of items) all.push(item);
  return all.sort(compareText);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

async function openStored(store: BlobStore, blob: Sha256): Promise<BlobReader> {
  const reader = await store.open(blob);
  if (reader === undefined) throw new NotFound('the blob is not there');
  return reader;
}

/** Registers the suite under `name`. */
export function describeBlobStore(name: string, make: () => Promise<BlobStoreUnderTest>): void {
  async function fresh(): Promise<BlobStoreUnderTest> {
    const made = await make();
    onTestFinished(() => made.remove());
    return made;
  }

  describe(`${name} keeps the BlobStore contract for parts`, () => {
    test('a committed part is readable under its hash and gone as a part', async () => {
      const { store } = await fresh();
      const bytes = randomBytes(50_000);
      const blob = await put(store, bytes);
      expect(await readAll(await store.open(blob))).toEqual(bytes);
      expect(await store.stat(blob)).toMatchObject({ sizeBytes: 50_000 });
      expect(await sorted(store.listParts())).toEqual([]);
    });

    test('nothing is visible under a hash before the commit', async () => {
      const { store } = await fresh();
      const bytes = randomBytes(1000);
      await using part = await store.openPart(newUploadId());
      await part.write([bytes], 0);
      await part.sync();
      expect(await store.open(sha256Of(bytes))).toBeUndefined();
      expect(await store.stat(sha256Of(bytes))).toBeUndefined();
      expect(await sorted(store.list())).toEqual([]);
    });

    test('many chunks, empty ones among them, arrive in order', async () => {
      const { store } = await fresh();
      const chunks = Array.from({ length: 1500 }, (_, index) => randomBytes(index % 7));
      const bytes = concatBytes(chunks);
      const part = await store.openPart(newUploadId());
      await part.write(chunks, 0);
      expect(part.sizeBytes).toBe(bytes.length);
      await part.commit(sha256Of(bytes));
      expect(await readAll(await store.open(sha256Of(bytes)))).toEqual(bytes);
    });

    test('the empty blob is a blob', async () => {
      const { store } = await fresh();
      const blob = await put(store, new Uint8Array(0));
      expect(await store.stat(blob)).toMatchObject({ sizeBytes: 0 });
      expect(await readAll(await store.open(blob))).toEqual(new Uint8Array(0));
    });

    test('a part goes on where it was after a restart', async () => {
      const { store, ...place } = await fresh();
      const [first, second] = [randomBytes(3000), randomBytes(4000)];
      const id = newUploadId();
      const before = await store.openPart(id);
      await before.write([first], 0);
      await before.sync();
      await before.close();
      const restarted = await place.reopen();
      expect(await restarted.statPart(id)).toMatchObject({ sizeBytes: 3000 });
      expect(await sorted(restarted.listParts())).toEqual([id]);
      const after = await restarted.openPart(id);
      await after.write([second], after.sizeBytes);
      const bytes = concatBytes([first, second]);
      await after.commit(sha256Of(bytes));
      expect(await readAll(await restarted.open(sha256Of(bytes)))).toEqual(bytes);
    });

    test('a part has one writer at a time', async () => {
      const { store } = await fresh();
      const id = newUploadId();
      const part = await store.openPart(id);
      await expect(store.openPart(id)).rejects.toBeInstanceOf(Conflict);
      await part.close();
      await (await store.openPart(id)).close();
    });

    test.each([1, -1, 100])('a write %i bytes off the end is refused and changes nothing', async (offBytes) => {
      const { store } = await fresh();
      await using part = await store.openPart(newUploadId());
      await part.write([randomBytes(10)], 0);
      await expect(part.write([randomBytes(5)], 10 + offBytes)).rejects.toBeInstanceOf(Conflict);
      expect(part.sizeBytes).toBe(10);
    });

    test('a part can be cut back and continued, but not stretched', async () => {
      const { store } = await fresh();
      const bytes = randomBytes(1000);
      const part = await store.openPart(newUploadId());
      await part.write([bytes], 0);
      await part.truncate(400);
      await expect(part.truncate(500)).rejects.toBeInstanceOf(InvalidInput);
      await expect(part.truncate(-1)).rejects.toBeInstanceOf(InvalidInput);
      await part.write([bytes.subarray(400)], 400);
      await part.commit(sha256Of(bytes));
      expect(await readAll(await store.open(sha256Of(bytes)))).toEqual(bytes);
    });

    test('a discarded part leaves nothing', async () => {
      const { store } = await fresh();
      const id = newUploadId();
      const part = await store.openPart(id);
      await part.write([randomBytes(10)], 0);
      await part.discard();
      expect(await store.statPart(id)).toBeUndefined();
      expect(await sorted(store.listParts())).toEqual([]);
    });
  });

  describe(`${name} keeps the BlobStore contract for blobs`, () => {
    test('of twenty equal parts committed at once one blob stays, and all commits succeed', async () => {
      const { store } = await fresh();
      const bytes = randomBytes(10_000);
      const parts = await Promise.all(Array.from({ length: 20 }, () => store.openPart(newUploadId())));
      await Promise.all(parts.map((part) => part.write([bytes], 0)));
      const stats = await Promise.all(parts.map((part) => part.commit(sha256Of(bytes))));
      expect(new Set(stats.map((stat) => stat.fingerprint)).size).toBe(1);
      expect(await sorted(store.list())).toEqual([sha256Of(bytes)]);
      expect(await sorted(store.listParts())).toEqual([]);
    });

    test('the fingerprint is the same from commit, stat, open and after a restart', async () => {
      const { store, ...place } = await fresh();
      const blob = await put(store, randomBytes(100));
      const stat = await store.stat(blob);
      await using reader = await openStored(store, blob);
      expect(reader.fingerprint).toBe(stat?.fingerprint);
      expect((await (await place.reopen()).stat(blob))?.fingerprint).toBe(stat?.fingerprint);
    });

    test.each([
      { position: 0, sizes: [100], want: 100 },
      { position: 90, sizes: [5, 5], want: 10 },
      { position: 90, sizes: [4, 100], want: 10 },
      { position: 100, sizes: [10], want: 0 },
      { position: 5000, sizes: [10], want: 0 },
    ])('of 100 bytes a read at $position into views of $sizes gives $want', async ({ position, sizes, want }) => {
      const { store } = await fresh();
      const bytes = randomBytes(100);
      await using reader = await openStored(store, await put(store, bytes));
      const views = sizes.map((size) => new Uint8Array(size));
      expect(await reader.read(views, position)).toBe(want);
      expect(concatBytes(views).subarray(0, want)).toEqual(bytes.subarray(position, position + want));
    });

    test('a hundred reads at once each get their own bytes', async () => {
      const { store } = await fresh();
      const bytes = randomBytes(100_000);
      await using reader = await openStored(store, await put(store, bytes));
      const views = Array.from({ length: 100 }, () => new Uint8Array(1000));
      await Promise.all(views.map((view, index) => reader.read([view], index * 1000)));
      expect(concatBytes(views)).toEqual(bytes);
    });

    test('a deleted blob is gone for newcomers, and open readers finish', async () => {
      const { store } = await fresh();
      const bytes = randomBytes(100);
      const blob = await put(store, bytes);
      const reader = await store.open(blob);
      expect(await store.delete(blob)).toBe(true);
      expect(await readAll(reader)).toEqual(bytes);
      expect(await store.open(blob)).toBeUndefined();
      expect(await store.delete(blob)).toBe(false);
    });

    test('closing waits for reads under way and may be repeated', async () => {
      const { store } = await fresh();
      const bytes = randomBytes(1_000_000);
      const reader = await openStored(store, await put(store, bytes));
      const view = new Uint8Array(bytes.length);
      const reading = reader.read([view], 0);
      await Promise.all([reader.close(), reader.close()]);
      expect(await reading).toBe(bytes.length);
      expect(view).toEqual(bytes);
    });

    test('every blob is listed once', async () => {
      const { store } = await fresh();
      const blobs = await Promise.all(Array.from({ length: 30 }, () => put(store, randomBytes(20))));
      expect(await sorted(store.list())).toEqual(blobs.sort(compareText));
    });

    test('free room is a number of bytes', async () => {
      const { store } = await fresh();
      expect(await store.freeBytes()).toBeGreaterThan(0);
    });
  });
}
