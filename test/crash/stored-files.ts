/** What lies on the disk, looked at without the product's help. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/** Files under `blobs/` whose bytes do not have the hash they are named by. */
export async function wronglyNamedBlobs(folder: string): Promise<string[]> {
  const root = path.join(folder, 'store', 'blobs');
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const wrong: string[] = [];
  for (const entry of entries.filter((one) => one.isFile())) {
    const bytes = await readFile(path.join(entry.parentPath, entry.name));
    if (createHash('sha256').update(bytes).digest('hex') !== entry.name) wrong.push(entry.name);
  }
  return wrong;
}
