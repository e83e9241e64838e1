/** The end of uploads and blobs: by word, by time, and against races. */
import { describe, expect, test } from 'vitest';
import {
  alice,
  bob,
  bodyOf,
  contentOf,
  guest,
  keyClaim,
  never,
  openMedia,
  publish,
  serverOwner,
  sha256Of,
  wishFor,
} from '../../test/contracts/media-fixture.ts';
import { seededBytes } from '../../test/support/random-bytes.ts';
import { Forbidden, NotFound, Unauthorized } from '../base/errors.ts';

describe('removing', () => {
  test('drops one owner after the other; the last one makes it disappear, and its bytes go after the grace time', async () => {
    const { media, clock, store: blobs } = await openMedia();
    const bytes = seededBytes('removed', 1000);
    const { sha256, infoHash } = await publish(media, bytes, alice, 'a');
    clock.advance(1);
    await publish(media, bytes, bob, 'b');
    const removed: unknown[] = [];
    media.events.on('removed', (event) => removed.push(event));
    expect(await contentOf(media, sha256)).toEqual(bytes);

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
    const { sha256 } = await publish(media, bytes);
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
    const { sha256 } = await publish(media, bytes);
    for (let round = 0; round < 20; round++) {
      await media.remove(alice, sha256);
      clock.advance(3_600_000);
      await Promise.all([media.collectGarbage(), publish(media, bytes), media.collectGarbage()]);
      expect(await contentOf(media, sha256)).toEqual(bytes);
      expect([media.usedBytes(alice), media.totalUsedBytes()]).toEqual([50_000, 50_000]);
    }
  });

  test('is for who keeps it and for the server owner, whose word drops it for all', async () => {
    const { media } = await openMedia();
    const { sha256 } = await publish(media, seededBytes('x', 10));
    await expect(media.remove(bob, sha256)).rejects.toBeInstanceOf(Forbidden);
    await expect(media.remove(guest, sha256)).rejects.toBeInstanceOf(Unauthorized);
    const otherToken = keyClaim('a', { blobs: new Set([sha256Of(new Uint8Array(9))]) });
    await expect(media.remove(otherToken, sha256)).rejects.toBeInstanceOf(Forbidden);
    await publish(media, seededBytes('x', 10), bob);
    await media.remove(serverOwner, sha256);
    expect(media.find(sha256)).toBeUndefined();
    await expect(media.remove(alice, sha256)).rejects.toBeInstanceOf(NotFound);
  });

  test('lets readers that are under way finish', async () => {
    const { media, clock } = await openMedia();
    const bytes = seededBytes('reading', 1000);
    const { sha256 } = await publish(media, bytes);
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

test('the number of torrents is right without counting them, whatever comes and goes', async () => {
  const opened = await openMedia();
  const { media, clock } = opened;
  const counts: number[] = [];
  const count = (): void => void counts.push(media.torrentCount());
  count();
  const { sha256 } = await publish(media, seededBytes('counted', 1000));
  await publish(media, seededBytes('another', 1000));
  count();
  await publish(media, seededBytes('counted', 1000), bob);
  await publish(media, new Uint8Array(0)); // has no torrent
  count();
  await media.remove(serverOwner, sha256);
  clock.advance(3_600_000);
  await media.collectGarbage();
  count();
  const { media: restarted } = await opened.restart();
  expect([...counts, restarted.torrentCount()]).toEqual([0, 2, 2, 1, 1]);
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
