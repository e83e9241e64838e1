import { mkdir, readdir, readlink } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { makeTorrent } from '../../../test/support/swarm.ts';
import { testFolder } from '../../../test/support/temp-dir.ts';
import { StorageFailed } from '../../base/errors.ts';
import { KIB } from '../../base/units.ts';
import { openFiles } from './files.ts';

/** The files below the folder that this process has open. */
async function openBelow(folder: string): Promise<string[]> {
  const targets = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => 'closed meanwhile')),
  );
  return targets.filter((target) => target.startsWith(folder));
}

test.skipIf(process.platform !== 'linux')('where one file cannot be made, none is left open', async () => {
  const folder = await testFolder('open-files');
  const { info } = await makeTorrent(128 * KIB, 16 * KIB, {
    files: [{ lengthBytes: 64 * KIB }, { lengthBytes: 64 * KIB }],
  });
  await mkdir(path.join(folder, info.name, 'file 1'), { recursive: true }); // a folder has the second one's name
  await expect(openFiles(info, folder)).rejects.toBeInstanceOf(StorageFailed);
  expect(await openBelow(folder)).toEqual([]);
  const opened = await openFiles(info, await testFolder('open-files'));
  await opened.storage.close();
});
