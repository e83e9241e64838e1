/** Damaged bytes are found and never served; the right bytes heal them. */
import { rename, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { alice, bodyOf, never, openMedia, sha256Of } from '../../test/contracts/media-fixture.ts';
import type { OpenMedia } from '../../test/contracts/media-fixture.ts';
import { eventually } from '../../test/support/eventually.ts';
import { seededBytes, seededRandom } from '../../test/support/random-bytes.ts';
import { swarmKeyOf } from '../base/ids.ts';
import { sampleOf } from './sampling.ts';

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
  await (await media.openBlob(sha256))?.close();
  await flipOneBit(opened);
  expect(await media.verify(sha256, never)).toBe('damaged');
  expect(media.find(sha256)).toBeUndefined();
  expect(await media.openBlob(sha256)).toBeUndefined();
  expect(media.torrentBySha(sha256)).toBeUndefined();
  expect(infoHash && media.torrentByKey(swarmKeyOf(infoHash))).toBeUndefined();
});

test('a file that was changed behind our back is looked at before its first byte is served', async () => {
  const opened = await stored();
  await flipOneBit(opened);
  expect(await opened.media.openBlob(sha256)).toBeUndefined();
  await eventually('the full check has recorded the damage', () => opened.media.find(sha256) === undefined);
});

test('a file with a new date and the right bytes, as after a restore, is sampled, served, and checked once', async () => {
  const opened = await stored();
  await utimes(fileIn(opened), 1, 1);
  const reader = await opened.media.openBlob(sha256);
  expect(reader?.sizeBytes).toBe(bytes.length);
  await reader?.close();
  const query = opened.rows.query.selectFrom('blob').selectAll().compile();
  const recorded = (): boolean => opened.rows.read(query)[0]?.fingerprint === reader?.fingerprint;
  await eventually('the new fingerprint is recorded', recorded);
  expect(opened.media.find(sha256)).toBeDefined();
});

test('a file that was replaced while it was open is not served from the old handle', async () => {
  const opened = await stored();
  await (await opened.media.openBlob(sha256))?.close();
  const copy = `${fileIn(opened)}.copy`;
  await writeFile(copy, bytes);
  await rename(copy, fileIn(opened));
  const reader = await opened.media.openBlob(sha256);
  expect(reader?.sizeBytes).toBe(bytes.length);
  await reader?.close();
});

test.each([
  { count: 1, samples: 4, want: 1 },
  { count: 4, samples: 4, want: 4 },
  { count: 40, samples: 4, want: 4 },
  { count: 60_000, samples: 44, want: 44 },
])(
  'of $count pieces $want different ones are sampled, the first and the last among them',
  ({ count, samples, want }) => {
    const sample = sampleOf(count, samples, seededRandom(count));
    expect(sample.size).toBe(want);
    expect(sample.has(0) && sample.has(count - 1)).toBe(true);
    for (const index of sample) expect(Number.isInteger(index) && index >= 0 && index < count).toBe(true);
  },
);

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
