/** Who may upload and how much: refused before the first byte, and never overdrawn by a race. */
import { describe, expect, test } from 'vitest';
import { alice, bob, bodyOf, guest, keyClaim, never, openMedia } from '../../test/contracts/media-fixture.ts';
import { overriding } from '../../test/contracts/overriding.ts';
import { seededBytes } from '../../test/support/random-bytes.ts';
import type { Claim } from '../accounts/claim.ts';
import { Forbidden, InvalidInput, LengthRequired, NoSpace, TooLarge, Unauthorized } from '../base/errors.ts';
import { parseUploadId } from '../base/ids.ts';
import { MIB } from '../base/units.ts';
import type { MediaPorts } from './context.ts';

describe('room', () => {
  test.each([
    { what: 'a size that is none', wish: { sizeBytes: -1 }, error: InvalidInput },
    { what: 'half a byte', wish: { sizeBytes: 1.5 }, error: InvalidInput },
    { what: 'more than one upload may have', wish: { sizeBytes: 1001 }, error: TooLarge },
    {
      what: 'more than the identity may keep',
      wish: { sizeBytes: 600 },
      claim: keyClaim('a', { quotaBytes: 599 }),
      error: NoSpace,
    },
    { what: 'more than the server may keep', wish: { sizeBytes: 900 }, error: NoSpace },
  ])('is refused before the first byte for $what', async ({ wish, error, claim = alice }) => {
    const { media } = await openMedia({ limits: { maxUploadBytes: 1000, totalQuotaBytes: 800 } });
    expect(() => media.checkUpload(claim, { name: 'x', ...wish })).toThrow(error);
    await expect(media.createUpload(claim, { name: 'x', ...wish })).rejects.toBeInstanceOf(error);
    expect(media.totalUsedBytes()).toBe(0);
  });

  test('is not overdrawn by a hundred uploads begun at once', async () => {
    const { media } = await openMedia();
    const claim = keyClaim('a', { quotaBytes: 1000 });
    const creations = Array.from({ length: 100 }, () => media.createUpload(claim, { name: 'x', sizeBytes: 90 }));
    const outcomes = await Promise.allSettled(creations);
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(11);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(NoSpace);
    }
    expect(media.usedBytes(claim)).toBe(990);
  });

  test('of visitors without a key is shared by them', async () => {
    const { media } = await openMedia();
    const visitor: Claim = { kind: 'guest', quotaBytes: 100 };
    await media.createUpload(visitor, { name: 'x', sizeBytes: 70 });
    await expect(media.createUpload(visitor, { name: 'y', sizeBytes: 40 })).rejects.toBeInstanceOf(NoSpace);
  });

  test('for a body of unknown size ends where the quota ends, and nothing is left', async () => {
    const { media } = await openMedia();
    const claim = keyClaim('a', { quotaBytes: 3 * MIB });
    const bytes = seededBytes('quota', 4 * MIB);
    await expect(media.ingest(claim, bodyOf(bytes), { name: 'x' }, never)).rejects.toBeInstanceOf(NoSpace);
    expect([media.usedBytes(claim), media.totalUsedBytes()]).toEqual([0, 0]);
    const fits = await media.ingest(claim, bodyOf(bytes.subarray(0, 3 * MIB)), { name: 'x' }, never);
    expect(fits.medium.sizeBytes).toBe(3 * MIB);
  });

  test('on the disk counts what other uploads have reserved', async () => {
    const freeBytes = async (): Promise<number> => 1000;
    const withDisk = (ports: MediaPorts): MediaPorts => ({ ...ports, store: overriding(ports.store, { freeBytes }) });
    const { media } = await openMedia({ wrap: withDisk });
    await media.createUpload(alice, { name: 'x', sizeBytes: 600 });
    await expect(media.createUpload(bob, { name: 'y', sizeBytes: 401 })).rejects.toBeInstanceOf(NoSpace);
    await media.createUpload(bob, { name: 'y', sizeBytes: 400 });
  });

  test('asks for a length first', async () => {
    const { media } = await openMedia();
    expect(() => media.checkUpload(alice, { name: 'x' })).toThrow(LengthRequired);
    expect(() => media.checkUpload(alice, { name: 'x', sizeBytes: 10 })).not.toThrow();
  });
});

describe('who may', () => {
  test.each([
    { policy: 'members', claim: guest, error: Unauthorized },
    { policy: 'members', claim: keyClaim('f', { role: 'guest' }), error: Forbidden },
    { policy: 'owner', claim: alice, error: Forbidden },
  ] as const)('uploads for $policy refuse others', async ({ policy, claim, error }) => {
    const { media } = await openMedia({ limits: { policy } });
    expect(() => media.checkUpload(claim, { name: 'x', sizeBytes: 1 })).toThrow(error);
    await expect(media.createUpload(claim, { name: 'x', sizeBytes: 1 })).rejects.toBeInstanceOf(error);
    await expect(media.ingest(claim, bodyOf(new Uint8Array(1)), { name: 'x' }, never)).rejects.toBeInstanceOf(error);
  });

  test('a foreign upload can be neither seen, continued nor given up', async () => {
    const { media } = await openMedia();
    const { id } = await media.createUpload(alice, { name: 'x', sizeBytes: 10 });
    expect(() => media.findUpload(bob, id)).toThrow(Forbidden);
    expect(() => media.findUpload(guest, id)).toThrow(Unauthorized);
    await expect(media.append(bob, id, 0, bodyOf(new Uint8Array(1)), never)).rejects.toBeInstanceOf(Forbidden);
    await expect(media.finish(bob, id, never)).rejects.toBeInstanceOf(Forbidden);
    await expect(media.terminate(bob, id)).rejects.toBeInstanceOf(Forbidden);
    await expect(media.declareLength(bob, id, 5)).rejects.toBeInstanceOf(Forbidden);
  });

  test('an upload without an owner belongs to whoever knows its id', async () => {
    const { media } = await openMedia();
    const { id } = await media.createUpload(guest, { name: 'x', sizeBytes: 1 });
    expect(await media.append(guest, id, 0, bodyOf(new Uint8Array(1)), never)).toMatchObject({ state: 'finished' });
    expect(media.findUpload(guest, parseUploadId('0'.repeat(32)))).toBeUndefined();
  });
});
