/** The one-shot door, and bytes that need not be sent again. */
import { describe, expect, test } from 'vitest';
import {
  alice,
  bob,
  bodyOf,
  brokenBodyOf,
  infoHashOf,
  keyClaim,
  never,
  openMedia,
  publish,
  sha256Of,
} from '../../test/contracts/media-fixture.ts';
import { seededBytes } from '../../test/support/random-bytes.ts';
import { Cancelled, HashMismatch, InvalidInput, TooLarge } from '../base/errors.ts';
import { MIB } from '../base/units.ts';

describe('the one-shot door', () => {
  test('stores a body of unknown size', async () => {
    const { media } = await openMedia();
    const bytes = seededBytes('unknown size', 2 * MIB + 1);
    const { medium, isNew } = await media.ingest(alice, bodyOf(bytes), { name: 'x' }, never);
    expect({ isNew, ...medium }).toMatchObject({ isNew: true, sha256: sha256Of(bytes), infoHash: infoHashOf(bytes) });
    expect([media.usedBytes(alice), media.totalUsedBytes()]).toEqual([bytes.length, bytes.length]);
  });

  test.each([
    { what: 'ends early', body: bodyOf(seededBytes('early', 50)), error: InvalidInput },
    { what: 'is too long', body: bodyOf(seededBytes('long', 150)), error: TooLarge },
    { what: 'breaks off', body: brokenBodyOf(seededBytes('broken', 50)), error: Cancelled },
  ])('leaves nothing of a body that $what', async ({ body, error }) => {
    const { media, store: blobs } = await openMedia();
    await expect(media.ingest(alice, body, { name: 'x', sizeBytes: 100 }, never)).rejects.toBeInstanceOf(error);
    expect([media.usedBytes(alice), media.totalUsedBytes()]).toEqual([0, 0]);
    for await (const part of blobs.listParts()) expect.unreachable(part);
    for await (const blob of blobs.list()) expect.unreachable(blob);
  });

  test('tells the type from the bytes', async () => {
    const { media } = await openMedia();
    const png = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3]);
    const { medium } = await media.ingest(alice, bodyOf(png), { name: 'x', declaredType: 'text/html' }, never);
    expect(medium.type).toBe('image/png');
  });
});

describe('bytes that are stored already', () => {
  test('need not be sent: the second upload is finished at once, under its own owner and name', async () => {
    const { media } = await openMedia();
    const bytes = seededBytes('instant', 5000);
    await publish(media, bytes, alice, 'mine.bin');
    const wish = { name: 'yours.bin', sizeBytes: bytes.length, sha256: sha256Of(bytes) };
    const upload = await media.createUpload(bob, wish);
    expect(upload).toMatchObject({ state: 'finished', offsetBytes: 5000, medium: { name: 'mine.bin' } });
    expect(media.findUpload(bob, upload.id)).toMatchObject({ state: 'finished' });
    expect(media.list({ owner: bob.pubkey, limit: 10 }).media).toMatchObject([
      { name: 'yours.bin', owner: bob.pubkey },
    ]);
    expect([media.usedBytes(alice), media.usedBytes(bob), media.totalUsedBytes()]).toEqual([5000, 5000, 5000]);
  });

  test('are held to their hash all the same when a body comes', async () => {
    const { media } = await openMedia();
    const bytes = seededBytes('held', 5000);
    const others = seededBytes('others', 5000);
    await publish(media, bytes);
    const named = { name: 'x', sha256: sha256Of(bytes), sizeBytes: 5000 };
    expect(await media.ingest(bob, bodyOf(bytes), named, never)).toMatchObject({ isNew: false });
    await expect(media.ingest(bob, bodyOf(others), named, never)).rejects.toThrow(HashMismatch);
    const signedForOne = keyClaim('c', { blobs: new Set([sha256Of(bytes)]) });
    await expect(media.ingest(signedForOne, bodyOf(others), { name: 'x' }, never)).rejects.toThrow(HashMismatch);
    expect(media.find(sha256Of(others))).toBeUndefined();
  });

  test('count once for one owner, however often they are sent, and once on the disk', async () => {
    const { media } = await openMedia();
    const bytes = seededBytes('twice', 5000);
    for (const claim of [alice, alice, bob]) await publish(media, bytes, claim);
    expect([media.usedBytes(alice), media.usedBytes(bob), media.totalUsedBytes()]).toEqual([5000, 5000, 5000]);
    expect(media.list({ limit: 10 }).media).toHaveLength(1);
  });

  test('sent by many at once become one blob that all of them keep', async () => {
    const { media, store: blobs } = await openMedia();
    const bytes = seededBytes('at once', 400_000);
    const claims = Array.from('123456789').map((digit) => keyClaim(digit));
    const stored = await Promise.all(claims.map((claim) => media.ingest(claim, bodyOf(bytes), { name: 'x' }, never)));
    expect(stored.filter((one) => one.isNew)).toHaveLength(1);
    expect(media.ownersOf(sha256Of(bytes))).toHaveLength(9);
    expect(media.totalUsedBytes()).toBe(bytes.length);
    for await (const part of blobs.listParts()) expect.unreachable(part);
  });
});
