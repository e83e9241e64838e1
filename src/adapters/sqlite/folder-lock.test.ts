import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { testFolder } from '../../../test/support/temp-dir.ts';
import { Unavailable } from '../../base/errors.ts';
import { FolderLock } from './folder-lock.ts';

test('a data folder has one owner at a time', async () => {
  const folder = await testFolder('lock');
  const first = FolderLock.take(folder);
  expect(() => FolderLock.take(folder)).toThrow(Unavailable);
  first[Symbol.dispose]();
  FolderLock.take(folder)[Symbol.dispose]();
});

test('a process that was killed leaves no lock behind', async () => {
  const folder = await testFolder('lock');
  const script = `
    import { FolderLock } from ${JSON.stringify(import.meta.resolve('./folder-lock.ts'))};
    FolderLock.take(${JSON.stringify(folder)});
    process.kill(process.pid, 'SIGKILL');`;
  const killed = spawnSync(process.execPath, ['--input-type=module', '-e', script]);
  expect(killed.signal).toBe('SIGKILL');
  FolderLock.take(folder)[Symbol.dispose]();
});
