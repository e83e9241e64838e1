/** Uploads become media: appends, races, lengths, declarations; on a real disk and database. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { digestOf } from '../../test/contracts/follower-pool.ts';
import {
  alice,
  bodyOf,
  brokenBodyOf,
  contentOf,
  infoHashOf,
  keyClaim,
  never,
  openMedia,
  publish,
  sha256Of,
  wishFor,
} from '../../test/contracts/media-fixture.ts';
import { overriding } from '../../test/contracts/overriding.ts';
import { seededBytes } from '../../test/support/random-bytes.ts';
import { Cancelled, Conflict, Forbidden, HashMismatch, NotFound, TooLarge, UnsupportedType } from '../base/errors.ts';
import { swarmKeyOf } from '../base/ids.ts';
import type { Sha256 } from '../base/ids.ts';
import { MIB } from '../base/units.ts';
import type { Follower } from '../store/follower.ts';
import type { MediaPorts } from './context.ts';

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

  test('goes on when its hashing failed in between', async () => {
    const failing: { follower?: Follower } = {};
    const wrap = (ports: MediaPorts): MediaPorts => ({
      ...ports,
      followers: overriding(ports.followers, {
        follow: (id, sizeBytes) => (failing.follower = ports.followers.follow(id, sizeBytes)),
      }),
    });
    const { media } = await openMedia({ wrap });
    const bytes = seededBytes('hashing failed', 200_000);
    const { id } = await media.createUpload(alice, wishFor(bytes));
    await media.append(alice, id, 0, bodyOf(bytes.subarray(0, 90_000)), never);
    failing.follower?.abandon();
    const { medium } = await media.append(alice, id, 90_000, bodyOf(bytes.subarray(90_000)), never);
    expect(medium?.sha256).toBe(sha256Of(bytes));
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

describe('stored bytes', () => {
  const fileOf = (folder: string, sha256: Sha256): string =>
    path.join(folder, 'store', 'blobs', sha256.slice(0, 2), sha256.slice(2, 4), sha256);

  test('lie under their hash', async () => {
    const { media, folder } = await openMedia();
    const bytes = seededBytes('lie', 1000);
    const { sha256 } = await publish(media, bytes);
    expect(new Uint8Array(await readFile(fileOf(folder, sha256)))).toEqual(bytes);
  });
});
