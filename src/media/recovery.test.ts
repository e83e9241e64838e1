/** After a crash rows and bytes agree again: each way they can differ, on a real disk and database. */
import { appendFile, truncate } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { alice, bodyOf, brokenBodyOf, never, openMedia, sha256Of } from '../../test/contracts/media-fixture.ts';
import type { OpenMedia } from '../../test/contracts/media-fixture.ts';
import { overriding } from '../../test/contracts/overriding.ts';
import { eventually } from '../../test/support/eventually.ts';
import { seededBytes } from '../../test/support/random-bytes.ts';
import { Cancelled, NoSpace, StorageFailed } from '../base/errors.ts';
import { parseUploadId } from '../base/ids.ts';
import type { UploadId } from '../base/ids.ts';
import type { Rows, WriteStep } from '../store/rows.ts';
import type { MediaPorts } from './context.ts';
import { repairOf } from './recovery.ts';
import type { Repair } from './recovery.ts';
import type { MediaTables, UploadRow } from './tables.ts';

type Facts = Pick<UploadRow, 'kind' | 'state' | 'size_bytes' | 'offset_bytes'>;

test.each<[what: string, upload: Partial<Facts>, remains: { partBytes?: number; blobBytes?: number }, repair: Repair]>([
  ['all agrees', { offset_bytes: 40 }, { partBytes: 40 }, { kind: 'wait', cutBytes: 0 }],
  ['nothing was written yet', {}, {}, { kind: 'wait', cutBytes: 0 }],
  ['more was written than acknowledged', { offset_bytes: 40 }, { partBytes: 70 }, { kind: 'wait', cutBytes: 30 }],
  [
    'acknowledged bytes are gone',
    { offset_bytes: 40 },
    { partBytes: 30 },
    { kind: 'lower', offsetBytes: 30, lostBytes: 10 },
  ],
  ['the part is gone', { offset_bytes: 40 }, {}, { kind: 'lower', offsetBytes: 0, lostBytes: 40 }],
  [
    'it died between the last byte and the finish',
    { offset_bytes: 100 },
    { partBytes: 100 },
    { kind: 'finish', cutBytes: 0 },
  ],
  ['the length is not known', { size_bytes: null, offset_bytes: 40 }, { partBytes: 41 }, { kind: 'wait', cutBytes: 1 }],
  ['it died before the rename', { state: 'finishing', offset_bytes: 100 }, { partBytes: 100 }, { kind: 'complete' }],
  ['it died after the rename', { state: 'finishing', offset_bytes: 100 }, { blobBytes: 100 }, { kind: 'complete' }],
  [
    'a decided blob is gone',
    { state: 'finishing', offset_bytes: 100 },
    { blobBytes: 7 },
    { kind: 'lower', offsetBytes: 0, lostBytes: 100 },
  ],
  ['nobody can come back to it', { kind: 'single', offset_bytes: 40 }, { partBytes: 40 }, { kind: 'forget' }],
  [
    'a one-shot body was decided',
    { kind: 'single', state: 'finishing', offset_bytes: 100 },
    { blobBytes: 100 },
    { kind: 'complete' },
  ],
  ['an empty upload was decided', { state: 'finishing', size_bytes: 0 }, {}, { kind: 'complete' }],
])('when %s the repair is the right one', (_what, upload, remains, repair) => {
  const facts: Facts = { kind: 'resumable', state: 'open', size_bytes: 100, offset_bytes: 0, ...upload };
  expect(repairOf(facts, { partBytes: remains.partBytes, blobBytes: remains.blobBytes })).toEqual(repair);
});

const partOf = (opened: OpenMedia, id: UploadId): string => path.join(opened.folder, 'store', 'incoming', id);

async function halfUploaded(bytes: Uint8Array): Promise<{ opened: OpenMedia; id: UploadId }> {
  const opened = await openMedia();
  const { id } = await opened.media.createUpload(alice, { name: 'x', sizeBytes: bytes.length });
  await opened.media.append(alice, id, 0, bodyOf(bytes.subarray(0, bytes.length / 2)), never);
  return { opened, id };
}

describe('at the next start', () => {
  const bytes = seededBytes('recovery', 100_000);

  test('bytes that were not acknowledged are cut off, and the upload goes on', async () => {
    const { opened, id } = await halfUploaded(bytes);
    await appendFile(partOf(opened, id), 'never acknowledged');
    const { media } = await opened.restart();
    expect(await media.recover()).toMatchObject({ open: 1, cutBytes: 18, lostBytes: 0 });
    const { medium } = await media.append(alice, id, 50_000, bodyOf(bytes.subarray(50_000)), never);
    expect(medium?.sha256).toBe(sha256Of(bytes));
  });

  test('acknowledged bytes that are gone are counted, and the sender is told to send them again', async () => {
    const { opened, id } = await halfUploaded(bytes);
    await truncate(partOf(opened, id), 20_000);
    await expect(opened.media.append(alice, id, 50_000, bodyOf(bytes), never)).rejects.toBeInstanceOf(StorageFailed);
    const { media } = await opened.restart();
    expect(await media.recover()).toMatchObject({ open: 1, lostBytes: 30_000 });
    expect(media.findUpload(alice, id)?.offsetBytes).toBe(20_000);
    const { medium } = await media.append(alice, id, 20_000, bodyOf(bytes.subarray(20_000)), never);
    expect(medium?.sha256).toBe(sha256Of(bytes));
  });

  test('parts of no upload and one-shot bodies are swept, and their room is free again', async () => {
    const undroppable = (sql: string): boolean => sql.startsWith('delete from "upload"');
    const opened = await openMedia({
      wrap: (ports) => ({ ...ports, rows: failingRows(ports.rows, undroppable, () => true) }),
    });
    const broken = opened.media.ingest(alice, brokenBodyOf(bytes), { name: 'x', sizeBytes: 200_000 }, never);
    await expect(broken).rejects.toBeInstanceOf(Cancelled);
    await (await opened.store.openPart(parseUploadId('f'.repeat(32)))).close();
    expect(opened.media.usedBytes(alice)).toBe(200_000);

    const { media, store } = await opened.restart({ wrap: (ports) => ports });
    expect(await media.recover()).toMatchObject({ open: 0, sweptParts: 2, lostBytes: 0 });
    expect([media.usedBytes(alice), media.totalUsedBytes()]).toEqual([0, 0]);
    for await (const part of store.listParts()) expect.unreachable(part);
  });
});

/** Rows that refuse units with a matching statement while `isFailing`. */
function failingRows(
  rows: Rows<MediaTables>,
  matches: (sql: string) => boolean,
  isFailing: () => boolean,
): Rows<MediaTables> {
  return overriding(rows, {
    write: (steps: readonly WriteStep[]) =>
      isFailing() && steps.some(({ query }) => matches(query.sql))
        ? Promise.reject(new NoSpace('made by the test'))
        : rows.write(steps),
  });
}

const setsState = (sql: string): boolean => sql.startsWith('update "upload"') && sql.includes('"state" = ?, ');

describe('a finish that could not be recorded', () => {
  const bytes = seededBytes('unfinished', 100_000);
  const phases = [
    { phase: 'before it was decided', matches: (sql: string) => setsState(sql) && sql.includes('"fin_sha256"') },
    { phase: 'after the bytes got their name', matches: (sql: string) => sql.startsWith('insert into "blob"') },
  ];

  test.each(phases)('$phase is completed when asked again', async ({ matches }) => {
    let isFailing = true;
    const wrap = (ports: MediaPorts): MediaPorts => ({
      ...ports,
      rows: failingRows(ports.rows, matches, () => isFailing),
    });
    const { media } = await openMedia({ wrap });
    const { id } = await media.createUpload(alice, { name: 'x', sizeBytes: bytes.length });
    await expect(media.append(alice, id, 0, bodyOf(bytes), never)).rejects.toBeInstanceOf(NoSpace);
    expect(media.findUpload(alice, id)).toMatchObject({ state: 'open', offsetBytes: bytes.length });
    expect(media.find(sha256Of(bytes))).toBeUndefined();
    isFailing = false;
    expect(await media.finish(alice, id, never)).toMatchObject({ sha256: sha256Of(bytes) });
    expect([media.usedBytes(alice), media.totalUsedBytes()]).toEqual([bytes.length, bytes.length]);
  });

  test.each(phases)('$phase is completed by the next start', async ({ matches }) => {
    const wrap = (ports: MediaPorts): MediaPorts => ({ ...ports, rows: failingRows(ports.rows, matches, () => true) });
    const opened = await openMedia({ wrap });
    const { id } = await opened.media.createUpload(alice, { name: 'x', sizeBytes: bytes.length });
    await expect(opened.media.append(alice, id, 0, bodyOf(bytes), never)).rejects.toBeInstanceOf(NoSpace);
    const { media } = await opened.restart({ wrap: (ports) => ports });
    const report = await media.recover();
    expect(report.completed + report.finishing).toBe(1);
    expect(report.lostBytes).toBe(0);
    const medium = await eventually('the upload is finished', () => media.find(sha256Of(bytes)));
    expect(medium).toMatchObject({ sizeBytes: bytes.length });
    expect([media.usedBytes(alice), media.totalUsedBytes()]).toEqual([bytes.length, bytes.length]);
    expect(await media.recover()).toMatchObject({ completed: 0, finishing: 0, open: 0, lostBytes: 0 });
  });

  test('after the bytes got their name is completed by the housekeeping too', async () => {
    let isFailing = true;
    const matches = (sql: string): boolean => sql.startsWith('insert into "blob"');
    const wrap = (ports: MediaPorts): MediaPorts => ({
      ...ports,
      rows: failingRows(ports.rows, matches, () => isFailing),
    });
    const { media, clock } = await openMedia({ wrap });
    await expect(media.ingest(alice, bodyOf(bytes), { name: 'x' }, never)).rejects.toBeInstanceOf(NoSpace);
    isFailing = false;
    await media.expire(clock.nowMs());
    expect(media.find(sha256Of(bytes))).toBeDefined();
    expect([media.usedBytes(alice), media.totalUsedBytes()]).toEqual([bytes.length, bytes.length]);
  });
});
