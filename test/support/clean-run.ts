/**
 * All temporary folders of one test run lie in one of its own, which goes with it; a folder of ours that a test left there
 * makes the run fail. Other programs may leave what they like.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

const MARK = 'seedbed-run-';

/** For vitest, before anything else; resolves to what is to be done in the end. Each project calls it, the first counts. */
export async function setup(): Promise<(() => Promise<void>) | undefined> {
  const outer = process.env['TMPDIR'];
  if (outer?.includes(MARK) === true) return undefined;
  const folder = await mkdtemp(path.join(os.tmpdir(), MARK));
  process.env['TMPDIR'] = folder;
  return async () => {
    if (outer === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = outer;
    const left = (await readdir(folder)).filter((name) => name.startsWith('seedbed-'));
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    if (left.length > 0) throw new Error(`tests left ${left.length} folders behind: ${left.slice(0, 9).join(', ')}`);
  };
}
