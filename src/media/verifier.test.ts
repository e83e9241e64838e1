/** Damaged bytes are found and never served; the right bytes heal them. */
import { utimes, writeFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { alice, bodyOf, never, openMedia, sha256Of } from '../../test/contracts/media-fixture.ts';
import type { OpenMedia } from '../../test/contracts/media-fixture.ts';
import { seededBytes } from '../../test/support/random-bytes.ts';
import { swarmKeyOf } from '../base/ids.ts';

const bytes = seededBytes('verified', 200_000);
const sha256 = sha256Of(bytes);
const fileIn = ({ folder }: OpenMedia): string =>
  path.join(folder, 'store', 'blobs', sha256.slice(0, 2), sha256.slice(2, 4), sha256);

async function stored(): Promise<OpenMedia> {
  const opened = await openMedia();
  await opened.media.ingest(alice, bodyOf(bytes), { name: 'x' }, never);
  return opened;
}

async function flipOneBit(opened: OpenMedia): Promise<void> {
  const damaged = bytes.slice();
  damaged[123_456] = (damaged[123_456] ?? 0) ^ 1;
  await writeFile(fileIn(opened), damaged);
}

test('intact bytes are found intact and served on', async () => {
  const { media } = await stored();
  expect(await media.verify(sha256, never)).toBe('intact');
  expect(media.find(sha256)).toBeDefined();
});

test('one flipped bit is found by a check; then nothing of it is served, and its torrent sleeps', async () => {
  const opened = await stored();
  const { media } = opened;
  const infoHash = media.find(sha256)?.infoHash;
  await flipOneBit(opened);
  expect(await media.verify(sha256, never)).toBe('damaged');
  expect(media.find(sha256)).toBeUndefined();
  expect(await media.openBlob(sha256)).toBeUndefined();
  expect(media.torrentBySha(sha256)).toBeUndefined();
  expect(infoHash && media.torrentByKey(swarmKeyOf(infoHash))).toBeUndefined();
});

test('a file that was changed behind our back is checked before its first byte is served', async () => {
  const opened = await stored();
  await flipOneBit(opened);
  expect(await opened.media.openBlob(sha256)).toBeUndefined();
  expect(opened.media.find(sha256)).toBeUndefined();
});

test('a file with a new date and the right bytes, as after a restore, is checked once and served', async () => {
  const opened = await stored();
  await utimes(fileIn(opened), 1, 1);
  const reader = await opened.media.openBlob(sha256);
  expect(reader?.sizeBytes).toBe(bytes.length);
  const known = opened.rows.read(opened.rows.query.selectFrom('blob').selectAll().compile());
  expect(known).toMatchObject([{ fingerprint: reader?.fingerprint, damaged_at_ms: null }]);
  await reader?.close();
});

test('a file that is gone is found missing', async () => {
  const opened = await stored();
  await rm(fileIn(opened));
  expect(await opened.media.verify(sha256, never)).toBe('missing');
  expect(opened.media.find(sha256)).toBeUndefined();
});

test.each(['damaged', 'missing'] as const)('sending the bytes again heals a %s blob', async (state) => {
  const opened = await stored();
  const { media } = opened;
  if (state === 'damaged') await flipOneBit(opened);
  else await rm(fileIn(opened));
  expect(await media.verify(sha256, never)).toBe(state);
  const upload = await media.createUpload(alice, { name: 'x', sizeBytes: bytes.length, sha256 });
  expect(upload.state).toBe('open');
  await media.append(alice, upload.id, 0, bodyOf(bytes), never);
  const view = new Uint8Array(bytes.length);
  await using reader = await media.openBlob(sha256);
  expect(await reader?.read([view], 0)).toBe(bytes.length);
  expect(view).toEqual(bytes);
  expect([media.usedBytes(alice), media.totalUsedBytes()]).toEqual([bytes.length, bytes.length]);
});
