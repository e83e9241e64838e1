/** Folders for one test, on the machine's temp file system, gone when their owner is disposed of. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';

export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string;
}

/** `await using folder = await temporaryFolder('store');` */
export async function temporaryFolder(purpose: string, parent = os.tmpdir()): Promise<TemporaryFolder> {
  const folder = await mkdtemp(path.join(parent, `seedbed-${purpose}-`));
  return {
    path: folder,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true, maxRetries: 3 }),
  };
}

/** Path of a new folder that is removed when the running test has finished. Call it inside a test only. */
export async function testFolder(purpose: string): Promise<string> {
  const folder = await temporaryFolder(purpose);
  onTestFinished(() => folder[Symbol.asyncDispose]());
  return folder.path;
}
