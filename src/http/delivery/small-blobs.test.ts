import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { StorageFailed } from '../../base/errors.ts';
import { parseSha256, type Sha256 } from '../../base/ids.ts';
import type { BlobReader } from '../../store/blobs.ts';
import { SmallBlobs } from './small-blobs.ts';

const named = (name: string): Sha256 => parseSha256(createHash('sha256').update(name).digest('hex'));

function readerOf(bytes: Uint8Array): BlobReader {
  return {
    sizeBytes: bytes.length,
    fingerprint: 'x',
    read: async ([view], position) => {
      const part = bytes.subarray(position, position + (view?.length ?? 0));
      view?.set(part);
      return part.length;
    },
    close: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

const keep = async (blobs: SmallBlobs, name: string, sizeBytes: number): Promise<Uint8Array> =>
  await blobs.read(named(name), readerOf(new Uint8Array(sizeBytes).fill(name.charCodeAt(0))), sizeBytes);

test('a blob that was read is there the next time', async () => {
  const blobs = new SmallBlobs();
  expect(blobs.get(named('a'))).toBeUndefined();
  const bytes = await keep(blobs, 'a', 10);
  expect(blobs.get(named('a'))).toBe(bytes);
});

test('what is held stays within the bound; the least recently used goes first', async () => {
  const blobs = new SmallBlobs(100);
  for (const name of ['a', 'b', 'c']) await keep(blobs, name, 30);
  blobs.get(named('a'));
  await keep(blobs, 'd', 30);
  expect(['a', 'b', 'c', 'd'].filter((name) => blobs.get(named(name)) !== undefined)).toEqual(['a', 'c', 'd']);
  expect(blobs.heldBytes).toBe(90);
});

test('a blob read twice at once is held once', async () => {
  const blobs = new SmallBlobs(100);
  await Promise.all([keep(blobs, 'a', 40), keep(blobs, 'a', 40)]);
  expect(blobs.heldBytes).toBe(40);
});

test('a blob that lost bytes on disk is an error, and is not kept', async () => {
  const blobs = new SmallBlobs();
  await expect(blobs.read(named('a'), readerOf(new Uint8Array(9)), 10)).rejects.toThrow(StorageFailed);
  expect([blobs.get(named('a')), blobs.heldBytes]).toEqual([undefined, 0]);
});
