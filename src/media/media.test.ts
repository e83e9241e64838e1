/** Uploads become media: the use cases on a real disk and database. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { digestOf } from '../../test/contracts/follower-pool.ts';
import {
  alice,
  bob,
  bodyOf,
  brokenBodyOf,
  keyClaim,
  never,
  openMedia,
  serverOwner,
  sha256Of,
} from '../../test/contracts/media-fixture.ts';
import { overriding } from '../../test/contracts/overriding.ts';
import { seededBytes } from '../../test/support/random-bytes.ts';
import type { Claim } from '../accounts/claim.ts';
import {
  Cancelled,
  Conflict,
  Forbidden,
  HashMismatch,
  InvalidInput,
  LengthRequired,
  NoSpace,
  NotFound,
  TooLarge,
  Unauthorized,
  UnsupportedType,
} from '../base/errors.ts';
import { parseInfoHashV1, parseUploadId, swarmKeyOf } from '../base/ids.ts';
import type { Sha256 } from '../base/ids.ts';
import { GIB, MIB } from '../base/units.ts';
import { canonicalInfo } from '../codec/canonical.ts';
import type { MediaPorts } from './context.ts';
import type { Media } from './media.ts';
import type { Medium } from './medium.ts';

const guest: Claim = { kind: 'guest', quotaBytes: GIB };
const wishFor = (bytes: Uint8Array, name = 'film.mp4') => ({ sizeBytes: bytes.length, name });

function infoHashOf(bytes: Uint8Array) {
  const info = canonicalInfo({ ...digestOf(bytes) });
  return parseInfoHashV1(createHash('sha1').update(info).digest('hex'));
}

async function store(media: Media, bytes: Uint8Array, claim: Claim = alice, name = 'film.mp4'): Promise<Medium> {
  return (await media.ingest(claim, bodyOf(bytes), { name, sizeBytes: bytes.length }, never)).medium;
}

async function contentOf(media: Media, sha256: Sha256): Promise<Uint8Array | undefined> {
  const reader = await media.openBlob(sha256);
  if (reader === undefined) return undefined;
  const bytes = new Uint8Array(reader.sizeBytes);
  await reader.read([bytes], 0);
  await reader.close();
  return bytes;
}

describe('an upload', () => {
  test('in one piece is a medium with the right hashes, and the canonical torrent', async () => {
    const { media } = await openMedia();
    const bytes = seededBytes('one piece', 3 * MIB + 17);
    const upload = await media.createUpload(alice, wishFor(bytes));
    expect(upload).toMatchObject({ state: 'open', offsetBytes: 0, sizeBytes: bytes.length, owner: alice.pubkey });
    const { state, medium } = await media.append(alice, upload.id, 0, bodyOf(bytes), never);
    const digest = digestOf(bytes);
    expect(state).toBe('finished');
    expect(medium).toEqual({
      sha256: digest.sha256,
      sizeBytes: bytes.length,
      crc32: digest.crc32,
      type: 'application/octet-stream',
      name: 'film.mp4',
      owner: alice.pubkey,
      createdAtMs: upload.createdAtMs,
      infoHash: infoHashOf(bytes),
      pieceLengthBytes: 256 * 1024,
      pieceCount: 13,
    });
    expect(await contentOf(media, digest.sha256)).toEqual(bytes);
    const torrent = media.torrentBySha(digest.sha256);
    expect(torrent).toMatchObject({
      infoHash: infoHashOf(bytes),
      pieceLengthBytes: 256 * 1024,
      sizeBytes: bytes.length,
    });
    expect(new Uint8Array(torrent?.pieces ?? [])).toEqual(digest.pieces);
    expect(media.torrentByKey(swarmKeyOf(infoHashOf(bytes)))).toEqual(torrent);
    expect(media.find(digest.sha256)).toEqual(medium);
  });

  test('in many appends, some in the middle of a restart, gives the same hashes', async () => {
    let opened = await openMedia();
    const bytes = seededBytes('many appends', 5 * MIB + 3);
    const { id } = await opened.media.createUpload(alice, wishFor(bytes));
    const cuts = [0, 1, 70_000, MIB + 1, 3 * MIB, bytes.length];
    for (const [index, start] of cuts.slice(0, -1).entries()) {
      const end = cuts[index + 1] ?? bytes.length;
      const after = await opened.media.append(alice, id, start, bodyOf(bytes.subarray(start, end)), never);
      expect(after.offsetBytes).toBe(end);
      if (index % 2 === 1) opened = await opened.restart();
    }
    expect(opened.media.findUpload(alice, id)?.medium?.sha256).toBe(sha256Of(bytes));
    expect(await contentOf(opened.media, sha256Of(bytes))).toEqual(bytes);
  });

  test('whose length comes late gives the same hashes', async () => {
    const { media } = await openMedia();
    const bytes = seededBytes('late length', MIB + 5);
    const { id } = await media.createUpload(alice, { name: 'x' });
    await media.append(alice, id, 0, bodyOf(bytes.subarray(0, MIB)), never);
    expect(await media.declareLength(alice, id, bytes.length)).toMatchObject({
      sizeBytes: bytes.length,
      state: 'open',
    });
    await expect(media.declareLength(alice, id, 5)).rejects.toBeInstanceOf(Conflict);
    const { medium } = await media.append(alice, id, MIB, bodyOf(bytes.subarray(MIB)), never);
    expect(medium).toMatchObject({ sha256: sha256Of(bytes), infoHash: infoHashOf(bytes) });
  });

  test('of no bytes is a medium without a torrent, at once', async () => {
    const { media } = await openMedia();
    const { state, medium } = await media.createUpload(alice, { name: 'empty', sizeBytes: 0 });
    expect(state).toBe('finished');
    expect(medium).toMatchObject({ sizeBytes: 0, sha256: sha256Of(new Uint8Array(0)) });
    expect(medium).not.toHaveProperty('infoHash');
    expect(media.torrentBySha(sha256Of(new Uint8Array(0)))).toBeUndefined();
    expect(await contentOf(media, sha256Of(new Uint8Array(0)))).toEqual(new Uint8Array(0));
  });

  test('keeps what arrived of a body that breaks off', async () => {
    const { media } = await openMedia();
    const bytes = seededBytes('breaks off', 200_000);
    const { id } = await media.createUpload(alice, wishFor(bytes));
    const broken = media.append(alice, id, 0, brokenBodyOf(bytes.subarray(0, 150_000)), never);
    await expect(broken).rejects.toBeInstanceOf(Cancelled);
    expect(media.findUpload(alice, id)?.offsetBytes).toBe(150_000);
    const { medium } = await media.append(alice, id, 150_000, bodyOf(bytes.subarray(150_000)), never);
    expect(medium?.sha256).toBe(sha256Of(bytes));
  });

  test('that is aborted while its sender is silent lets go and keeps what arrived', async () => {
    const { media } = await openMedia();
    const controller = new AbortController();
    const { id } = await media.createUpload(alice, { name: 'x', sizeBytes: 100 });
    async function* silent(): AsyncIterable<Uint8Array> {
      yield seededBytes('silent', 40);
      controller.abort();
      await Promise.withResolvers().promise;
    }
    await expect(media.append(alice, id, 0, silent(), controller.signal)).rejects.toBeInstanceOf(Cancelled);
    expect(media.findUpload(alice, id)?.offsetBytes).toBe(40);
  });

  test('has one writer: of fifty appends at once one wins and the others are told of the conflict', async () => {
    const { media } = await openMedia();
    const bytes = seededBytes('fifty', 300_000);
    const { id } = await media.createUpload(alice, wishFor(bytes));
    const appends = Array.from({ length: 50 }, () => media.append(alice, id, 0, bodyOf(bytes), never));
    const outcomes = await Promise.allSettled(appends);
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(Conflict);
    }
    expect(media.find(sha256Of(bytes))?.sizeBytes).toBe(bytes.length);
  });

  test.each([1, 99, 101, 1000])('at 100 bytes refuses an append at %i and changes nothing', async (offset) => {
    const { media } = await openMedia();
    const { id } = await media.createUpload(alice, { name: 'x', sizeBytes: 1000 });
    await media.append(alice, id, 0, bodyOf(seededBytes('a', 100)), never);
    await expect(media.append(alice, id, offset, bodyOf(seededBytes('b', 5)), never)).rejects.toBeInstanceOf(Conflict);
    expect(media.findUpload(alice, id)?.offsetBytes).toBe(100);
  });

  test('that is finished takes no more bytes and may be asked for its medium again and again', async () => {
    const { media } = await openMedia();
    const bytes = seededBytes('finished', 1000);
    const { id } = await media.createUpload(alice, wishFor(bytes));
    const { medium } = await media.append(alice, id, 0, bodyOf(bytes), never);
    await expect(media.append(alice, id, 1000, bodyOf(bytes), never)).rejects.toBeInstanceOf(Forbidden);
    expect(await media.finish(alice, id, never)).toEqual(medium);
    expect(await media.finish(alice, id, never)).toEqual(medium);
  });

  test('that is longer than declared is refused beyond its length', async () => {
    const { media } = await openMedia();
    const { id } = await media.createUpload(alice, { name: 'x', sizeBytes: 100 });
    const long = media.append(alice, id, 0, bodyOf(seededBytes('long', 101)), never);
    await expect(long).rejects.toBeInstanceOf(TooLarge);
    expect(media.findUpload(alice, id)?.offsetBytes).toBe(0);
  });

  test('cannot be finished before its last byte', async () => {
    const { media } = await openMedia();
    const { id } = await media.createUpload(alice, { name: 'x', sizeBytes: 100 });
    await expect(media.finish(alice, id, never)).rejects.toBeInstanceOf(Conflict);
  });

  test('that is given up leaves nothing and gives its room back', async () => {
    const { media, store: blobs } = await openMedia();
    const { id } = await media.createUpload(alice, { name: 'x', sizeBytes: 5000 });
    await media.append(alice, id, 0, bodyOf(seededBytes('given up', 100)), never);
    expect(media.usedBytes(alice)).toBe(5000);
    await media.terminate(alice, id);
    expect(media.findUpload(alice, id)).toBeUndefined();
    expect([media.usedBytes(alice), media.totalUsedBytes()]).toEqual([0, 0]);
    expect(await blobs.statPart(id)).toBeUndefined();
    await expect(media.append(alice, id, 100, bodyOf(seededBytes('x', 1)), never)).rejects.toBeInstanceOf(NotFound);
  });

  test('shows only the visible part of its name', async () => {
    const { media } = await openMedia();
    const { name } = await media.createUpload(alice, { name: '../\u202egpj.exe\0', sizeBytes: 1 });
    expect(name).toBe('.._gpj.exe');
  });
});

describe('what an upload declares is checked', () => {
  test.each(['sha256', 'infoHash'] as const)('a wrong %s refuses the bytes and leaves nothing', async (field) => {
    const { media, store: blobs } = await openMedia();
    const bytes = seededBytes('declared', 1000);
    const other = seededBytes('other', 1000);
    const declared = field === 'sha256' ? { sha256: sha256Of(other) } : { infoHash: infoHashOf(other) };
    const { id } = await media.createUpload(alice, { ...wishFor(bytes), ...declared });
    await expect(media.append(alice, id, 0, bodyOf(bytes), never)).rejects.toBeInstanceOf(HashMismatch);
    expect(media.find(sha256Of(bytes))).toBeUndefined();
    expect(await blobs.stat(sha256Of(bytes))).toBeUndefined();
    expect(await blobs.statPart(id)).toBeUndefined();
    expect([media.usedBytes(alice), media.totalUsedBytes()]).toEqual([0, 0]);
  });

  test('the right hashes are accepted', async () => {
    const { media } = await openMedia();
    const bytes = seededBytes('declared', 1000);
    const declared = { sha256: sha256Of(bytes), infoHash: infoHashOf(bytes) };
    const { id } = await media.createUpload(alice, { ...wishFor(bytes), ...declared });
    expect(await media.append(alice, id, 0, bodyOf(bytes), never)).toMatchObject({ state: 'finished' });
  });

  test('a token signed for other blobs does not store these', async () => {
    const { media } = await openMedia();
    const bytes = seededBytes('token', 1000);
    const claim = keyClaim('a', { blobs: new Set([sha256Of(seededBytes('1', 1)), sha256Of(seededBytes('2', 1))]) });
    await expect(media.createUpload(claim, { ...wishFor(bytes), sha256: sha256Of(bytes) })).rejects.toBeInstanceOf(
      Forbidden,
    );
    await expect(media.ingest(claim, bodyOf(bytes), { name: 'x' }, never)).rejects.toBeInstanceOf(HashMismatch);
    expect(media.totalUsedBytes()).toBe(0);
  });

  test('types the server does not take are refused, declared or not', async () => {
    const { media } = await openMedia({ limits: { acceptedTypes: ['image/*', 'video/mp4'] } });
    const page = new TextEncoder().encode('<!doctype html><script>');
    const declared = { name: 'x', sizeBytes: 10, declaredType: 'text/html' };
    await expect(media.createUpload(alice, declared)).rejects.toBeInstanceOf(UnsupportedType);
    await expect(media.ingest(alice, bodyOf(page), { name: 'x.png' }, never)).rejects.toBeInstanceOf(UnsupportedType);
    expect(media.totalUsedBytes()).toBe(0);
  });
});

describe('bytes that are stored already', () => {
  test('need not be sent: the second upload is finished at once, under its own owner and name', async () => {
    const { media } = await openMedia();
    const bytes = seededBytes('instant', 5000);
    await store(media, bytes, alice, 'mine.bin');
    const wish = { name: 'yours.bin', sizeBytes: bytes.length, sha256: sha256Of(bytes) };
    const upload = await media.createUpload(bob, wish);
    expect(upload).toMatchObject({ state: 'finished', offsetBytes: 5000, medium: { name: 'mine.bin' } });
    expect(media.findUpload(bob, upload.id)).toMatchObject({ state: 'finished' });
    expect(media.list({ owner: bob.pubkey, limit: 10 }).media).toMatchObject([
      { name: 'yours.bin', owner: bob.pubkey },
    ]);
    expect([media.usedBytes(alice), media.usedBytes(bob), media.totalUsedBytes()]).toEqual([5000, 5000, 5000]);
  });

  test('are not read again by the one-shot door', async () => {
    const { media } = await openMedia();
    const bytes = seededBytes('instant', 5000);
    await store(media, bytes);
    async function* untouched(): AsyncIterable<Uint8Array> {
      yield await Promise.reject<Uint8Array>(new Error('the body was read'));
    }
    const named = { name: 'x', sha256: sha256Of(bytes) };
    expect(await media.ingest(bob, untouched(), named, never)).toMatchObject({ isNew: false });
    const signedForOne = keyClaim('c', { blobs: new Set([sha256Of(bytes)]) });
    expect(await media.ingest(signedForOne, untouched(), { name: 'x' }, never)).toMatchObject({ isNew: false });
  });

  test('count once for one owner, however often they are sent, and once on the disk', async () => {
    const { media } = await openMedia();
    const bytes = seededBytes('twice', 5000);
    for (const claim of [alice, alice, bob]) await store(media, bytes, claim);
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

describe('removing', () => {
  test('drops one owner after the other; the last one makes it disappear, and its bytes go after the grace time', async () => {
    const { media, clock, store: blobs } = await openMedia();
    const bytes = seededBytes('removed', 1000);
    const { sha256, infoHash } = await store(media, bytes, alice, 'a');
    clock.advance(1);
    await store(media, bytes, bob, 'b');
    const removed: unknown[] = [];
    media.events.on('removed', (event) => removed.push(event));

    await media.remove(alice, sha256);
    expect(media.find(sha256)).toMatchObject({ name: 'b', owner: bob.pubkey });
    await media.remove(bob, sha256);
    expect(removed).toEqual([{ sha256, infoHash }]);
    expect(media.find(sha256)).toBeUndefined();
    expect(await media.openBlob(sha256)).toBeUndefined();
    expect(media.torrentBySha(sha256)).toBeUndefined();
    expect(media.list({ limit: 10 }).media).toEqual([]);
    expect(media.usedBytes(bob)).toBe(0);

    expect(await media.collectGarbage()).toBe(0);
    expect(await blobs.stat(sha256)).toBeDefined();
    clock.advance(3_600_000);
    expect(await media.collectGarbage()).toBe(1);
    expect(await blobs.stat(sha256)).toBeUndefined();
    expect(media.totalUsedBytes()).toBe(0);
    expect(await media.collectGarbage()).toBe(0);
  });

  test('is undone by uploading again within the grace time', async () => {
    const { media, clock } = await openMedia();
    const bytes = seededBytes('again', 1000);
    const { sha256 } = await store(media, bytes);
    await media.remove(alice, sha256);
    const upload = await media.createUpload(bob, { name: 'again', sizeBytes: 1000, sha256 });
    expect(upload).toMatchObject({ state: 'finished', medium: { owner: bob.pubkey } });
    clock.advance(10_000_000);
    expect(await media.collectGarbage()).toBe(0);
    expect(await contentOf(media, sha256)).toEqual(bytes);
  });

  test('and uploading the same bytes at the same time never leaves a medium without its bytes', async () => {
    const { media, clock } = await openMedia();
    const bytes = seededBytes('race', 50_000);
    const { sha256 } = await store(media, bytes);
    for (let round = 0; round < 20; round++) {
      await media.remove(alice, sha256);
      clock.advance(3_600_000);
      await Promise.all([media.collectGarbage(), store(media, bytes), media.collectGarbage()]);
      expect(await contentOf(media, sha256)).toEqual(bytes);
      expect([media.usedBytes(alice), media.totalUsedBytes()]).toEqual([50_000, 50_000]);
    }
  });

  test('is for who keeps it and for the server owner, whose word drops it for all', async () => {
    const { media } = await openMedia();
    const { sha256 } = await store(media, seededBytes('x', 10));
    await expect(media.remove(bob, sha256)).rejects.toBeInstanceOf(Forbidden);
    await expect(media.remove(guest, sha256)).rejects.toBeInstanceOf(Unauthorized);
    const otherToken = keyClaim('a', { blobs: new Set([sha256Of(new Uint8Array(9))]) });
    await expect(media.remove(otherToken, sha256)).rejects.toBeInstanceOf(Forbidden);
    await store(media, seededBytes('x', 10), bob);
    await media.remove(serverOwner, sha256);
    expect(media.find(sha256)).toBeUndefined();
    await expect(media.remove(alice, sha256)).rejects.toBeInstanceOf(NotFound);
  });

  test('lets readers that are under way finish', async () => {
    const { media, clock } = await openMedia();
    const bytes = seededBytes('reading', 1000);
    const { sha256 } = await store(media, bytes);
    const reader = await media.openBlob(sha256);
    await media.remove(alice, sha256);
    clock.advance(3_600_000);
    await media.collectGarbage();
    const view = new Uint8Array(1000);
    expect(await reader?.read([view], 0)).toBe(1000);
    expect(view).toEqual(bytes);
    await reader?.close();
  });
});

describe('time', () => {
  test('removes uploads that nobody continued, and gives their room back', async () => {
    const { media, clock, store: blobs } = await openMedia();
    const old = await media.createUpload(alice, { name: 'old', sizeBytes: 100 });
    await media.append(alice, old.id, 0, bodyOf(seededBytes('old', 10)), never);
    clock.advance(20 * 3_600_000);
    const young = await media.createUpload(alice, { name: 'young', sizeBytes: 50 });
    clock.advance(5 * 3_600_000);
    expect(await media.expire(clock.nowMs())).toBe(1);
    expect(media.findUpload(alice, old.id)).toBeUndefined();
    expect(await blobs.statPart(old.id)).toBeUndefined();
    expect(media.findUpload(alice, young.id)).toMatchObject({ offsetBytes: 0 });
    expect(media.usedBytes(alice)).toBe(50);
  });

  test('starts anew with every append', async () => {
    const { media, clock } = await openMedia();
    const { id } = await media.createUpload(alice, { name: 'x', sizeBytes: 100 });
    clock.advance(20 * 3_600_000);
    await media.append(alice, id, 0, bodyOf(seededBytes('x', 10)), never);
    clock.advance(20 * 3_600_000);
    expect(await media.expire(clock.nowMs())).toBe(0);
  });

  test('forgets finished uploads, not their media', async () => {
    const { media, clock } = await openMedia();
    const bytes = seededBytes('x', 10);
    const { id } = await media.createUpload(alice, wishFor(bytes));
    await media.append(alice, id, 0, bodyOf(bytes), never);
    clock.advance(25 * 3_600_000);
    expect(await media.expire(clock.nowMs())).toBe(1);
    expect(media.findUpload(alice, id)).toBeUndefined();
    expect(media.find(sha256Of(bytes))).toBeDefined();
    expect(media.usedBytes(alice)).toBe(10);
  });
});

describe('lists', () => {
  test('are newest first and page by cursor without gaps or repeats', async () => {
    const { media, clock } = await openMedia();
    const names: string[] = [];
    for (let index = 0; index < 25; index++) {
      await store(media, seededBytes(`list ${index}`, 10 + index), index % 5 === 0 ? bob : alice, `n${index}`);
      names.unshift(`n${index}`);
      clock.advance(index % 3); // some share a millisecond
    }
    const collect = (query: { owner?: typeof alice.pubkey }): string[] => {
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = media.list({ ...query, cursor, limit: 4 });
        seen.push(...page.media.map((medium) => medium.name));
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      return seen;
    };
    expect(collect({}).toSorted()).toEqual(names.toSorted());
    expect(collect({})[0]).toBe('n24');
    expect(collect({ owner: bob.pubkey })).toEqual(['n20', 'n15', 'n10', 'n5', 'n0']);
  });

  test.each([0, 201, 1.5])('have pages of 1 to 200, not %d', async (limit) => {
    const { media } = await openMedia();
    expect(() => media.list({ limit })).toThrow(InvalidInput);
    expect(() => media.list({ limit: 1, cursor: 'x; DROP TABLE blob' })).toThrow(InvalidInput);
  });
});

describe('news', () => {
  test('tell of pending swarms and stored media, and the tracker may admit both', async () => {
    const { media } = await openMedia();
    const bytes = seededBytes('news', 1000);
    const [sha256, infoHash] = [sha256Of(bytes), infoHashOf(bytes)];
    const news: unknown[] = [];
    media.events.on('pending', (event) => news.push(event));
    media.events.on('stored', (medium) => news.push(medium.sha256));
    expect(media.admits(swarmKeyOf(infoHash))).toBe(false);
    const { id } = await media.createUpload(alice, { ...wishFor(bytes), sha256, infoHash });
    expect(media.findPending(sha256)).toMatchObject({ id, state: 'open' });
    expect(media.admits(swarmKeyOf(infoHash))).toBe(true);
    await media.append(alice, id, 0, bodyOf(bytes), never);
    expect(news).toEqual([{ sha256, infoHash }, sha256]);
    expect(media.findPending(sha256)).toBeUndefined();
    expect(media.admits(swarmKeyOf(infoHash))).toBe(true);
  });
});

describe('stored bytes', () => {
  const fileOf = (folder: string, sha256: Sha256): string =>
    path.join(folder, 'store', 'blobs', sha256.slice(0, 2), sha256.slice(2, 4), sha256);

  test('lie under their hash', async () => {
    const { media, folder } = await openMedia();
    const bytes = seededBytes('lie', 1000);
    const { sha256 } = await store(media, bytes);
    expect(new Uint8Array(await readFile(fileOf(folder, sha256)))).toEqual(bytes);
  });
});
