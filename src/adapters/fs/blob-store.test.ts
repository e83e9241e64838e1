/** The disk store: the shared contract, and what only a disk can do wrong. */
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { describeBlobStore, newUploadId, randomBytes, sha256Of } from '../../../test/contracts/blob-store.ts';
import { temporaryFolder, testFolder } from '../../../test/support/temp-dir.ts';
import { NoSpace, StorageFailed, Unavailable } from '../../base/errors.ts';
import { GIB } from '../../base/units.ts';
import { FsBlobStore } from './blob-store.ts';
import { nodeDisk } from './disk.ts';
import type { Disk } from './disk.ts';
import { lengthOf, viewsAfter } from './views.ts';
import { roomAbove } from './volume.ts';

const temporaryRoot = (): Promise<string> => testFolder('blobs');

describeBlobStore('the disk store', async () => {
  const folder = await temporaryFolder('blobs');
  const root = path.join(folder.path, 'not', 'yet', 'there');
  return {
    store: await FsBlobStore.open({ root }),
    reopen: () => FsBlobStore.open({ root }),
    remove: async () => folder[Symbol.asyncDispose](),
  };
});

function failing(errno: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${errno}: made by the test`), { code: errno });
}

/** The real disk, writing at most 7 bytes per call and failing with `errno` once `roomBytes` are written. */
function tightDisk(room: { bytes: number }, errno = 'ENOSPC'): Disk {
  return {
    ...nodeDisk,
    async write(fd, views, position) {
      const [first = new Uint8Array(0)] = views;
      const take = Math.min(7, first.length, room.bytes);
      if (take === 0) throw failing(errno);
      room.bytes -= take;
      return nodeDisk.write(fd, [first.subarray(0, take)], position);
    },
  };
}

test('short writes are continued until every byte is on the disk', async () => {
  const root = await temporaryRoot();
  const store = await FsBlobStore.open({ root, disk: tightDisk({ bytes: 1000 }) });
  const bytes = randomBytes(100);
  const part = await store.openPart(newUploadId());
  await part.write([bytes.subarray(0, 30), bytes.subarray(30)], 0);
  await part.commit(sha256Of(bytes));
  const view = new Uint8Array(100);
  await using reader = await store.open(sha256Of(bytes));
  await reader?.read([view], 0);
  expect(view).toEqual(bytes);
});

test('a full disk is NoSpace, leaves the part as it was, and the upload goes on when there is room', async () => {
  const root = await temporaryRoot();
  const room = { bytes: 50 };
  const store = await FsBlobStore.open({ root, disk: tightDisk(room) });
  const bytes = randomBytes(100);
  const id = newUploadId();
  const part = await store.openPart(id);
  await part.write([bytes.subarray(0, 40)], 0);
  await expect(part.write([bytes.subarray(40)], 40)).rejects.toBeInstanceOf(NoSpace);
  expect(part.sizeBytes).toBe(40);
  expect(await store.statPart(id)).toMatchObject({ sizeBytes: 40 });
  room.bytes = 60;
  await part.write([bytes.subarray(40)], 40);
  await part.commit(sha256Of(bytes));
  expect(store.isReadOnly).toBe(false);
});

test.each(['write', 'datasync', 'rename', 'syncDirectory'] as const)(
  'an I/O error of %s makes the volume read-only until a restart, and reading goes on',
  async (call) => {
    const root = await temporaryRoot();
    let armed = false;
    const disk: Disk = {
      ...nodeDisk,
      async [call](...args: never[]) {
        if (armed) throw failing('EIO');
        return (nodeDisk[call] as (...given: never[]) => Promise<never>)(...args);
      },
    };
    const store = await FsBlobStore.open({ root, disk });
    const kept = await store.openPart(newUploadId());
    const bytes = randomBytes(10);
    await kept.write([bytes], 0);
    await kept.commit(sha256Of(bytes));

    const part = await store.openPart(newUploadId());
    armed = true;
    const other = randomBytes(10);
    await expect(part.write([other], 0).then(() => part.commit(sha256Of(other)))).rejects.toBeInstanceOf(StorageFailed);
    armed = false;
    expect(store.isReadOnly).toBe(true);
    await expect(part.write([other], part.sizeBytes)).rejects.toBeInstanceOf(Unavailable);
    await expect(store.openPart(newUploadId())).rejects.toBeInstanceOf(Unavailable);
    await using reader = await store.open(sha256Of(bytes));
    expect(await reader?.read([new Uint8Array(10)], 0)).toBe(10);
    await part.close();

    const restarted = await FsBlobStore.open({ root, disk });
    await (await restarted.openPart(newUploadId())).close();
  },
);

test('a commit syncs bytes, then renames, then syncs the directory of the name', async () => {
  const root = await temporaryRoot();
  const calls: string[] = [];
  const disk: Disk = {
    ...nodeDisk,
    datasync: (fd) => nodeDisk.datasync(fd).then(() => void calls.push('datasync')),
    rename: (from, to) => nodeDisk.rename(from, to).then(() => void calls.push('rename')),
    syncDirectory: (name) => nodeDisk.syncDirectory(name).then(() => void calls.push(path.relative(root, name))),
  };
  const store = await FsBlobStore.open({ root, disk });
  const bytes = randomBytes(10);
  const part = await store.openPart(newUploadId());
  await part.write([bytes], 0);
  calls.length = 0;
  await part.commit(sha256Of(bytes));
  const folder = path.join('blobs', sha256Of(bytes).slice(0, 2), sha256Of(bytes).slice(2, 4));
  expect(calls[0]).toBe('datasync');
  expect(calls.slice(calls.indexOf('rename'))).toEqual(['rename', folder, 'incoming']);
  expect(calls.slice(1, calls.indexOf('rename'))).toEqual(
    expect.arrayContaining([folder, path.dirname(folder), 'blobs', '']),
  );
});

test('a blob left behind by a process that died before its fsync is made durable when it is reported', async () => {
  const root = await temporaryRoot();
  const bytes = randomBytes(10);
  const first = await FsBlobStore.open({ root });
  const part = await first.openPart(newUploadId());
  await part.write([bytes], 0);
  await part.commit(sha256Of(bytes));
  const synced: string[] = [];
  const disk: Disk = {
    ...nodeDisk,
    syncDirectory: (name) => nodeDisk.syncDirectory(name).then(() => void synced.push(path.basename(name))),
  };
  const restarted = await FsBlobStore.open({ root, disk });
  await restarted.stat(sha256Of(bytes));
  expect(synced).toContain(sha256Of(bytes).slice(2, 4));
});

test('a blob whose length is wrong gives way to the verified part', async () => {
  const root = await temporaryRoot();
  const store = await FsBlobStore.open({ root });
  const bytes = randomBytes(100);
  const blob = sha256Of(bytes);
  const commit = async (): Promise<void> => {
    const part = await store.openPart(newUploadId());
    await part.write([bytes], 0);
    await part.commit(blob);
  };
  await commit();
  await writeFile(path.join(root, 'blobs', blob.slice(0, 2), blob.slice(2, 4), blob), 'cut');
  await commit();
  expect(await store.stat(blob)).toMatchObject({ sizeBytes: 100 });
});

test('foreign files in the folders are neither parts nor blobs', async () => {
  const root = await temporaryRoot();
  const store = await FsBlobStore.open({ root });
  await writeFile(path.join(root, 'incoming', '.DS_Store'), '');
  await writeFile(path.join(root, 'blobs', 'lost+found'), '');
  for await (const id of store.listParts()) expect.unreachable(id);
  for await (const blob of store.list()) expect.unreachable(blob);
  expect(await readdir(root)).toEqual(['blobs', 'incoming']);
});

describe('room above the floor', () => {
  const floor = { share: 0.05, bytes: 2 * GIB };
  test.each([
    { totalGib: 1000, availableGib: 10, wantGib: 8 },
    { totalGib: 1000, availableGib: 1, wantGib: 0 },
    { totalGib: 20, availableGib: 10, wantGib: 9 },
  ])('$availableGib of $totalGib GiB leave $wantGib', ({ totalGib, availableGib, wantGib }) => {
    const space = { totalBytes: totalGib * GIB, availableBytes: availableGib * GIB };
    expect(roomAbove(floor, space)).toBe(wantGib * GIB);
  });
});

test.each([
  { skip: 0, want: [3, 4] },
  { skip: 2, want: [1, 4] },
  { skip: 3, want: [4] },
  { skip: 7, want: [] },
])('after $skip bytes views of 3 and 4 leave $want', ({ skip, want }) => {
  const rest = viewsAfter([new Uint8Array(3), new Uint8Array(4)], skip);
  expect(rest.map((view) => view.length)).toEqual(want);
  expect(lengthOf(rest)).toBe(7 - skip);
});
