/** The secret of the set-up link: made once, kept in the data folder for its owner's eyes only, gone when used. */
import { randomBytes } from 'node:crypto';
import { open, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { BadSetting } from './config.ts';

const FILE = 'setup-token';

/** Reads the token, or makes it (mode 0600, synced). */
export async function loadSetupToken(dataFolder: string): Promise<string> {
  const file = path.join(dataFolder, FILE);
  const kept = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new BadSetting(`cannot read ${file}: ${error.message}`, { key: 'SEEDBED_DATA' }, { cause: error });
  });
  if (kept !== undefined && /^[\w-]{22}$/.test(kept.trim())) return kept.trim();
  const token = randomBytes(16).toString('base64url');
  await using handle = await open(file, 'w', 0o600);
  await handle.chmod(0o600);
  await handle.writeFile(`${token}\n`);
  await handle.sync();
  return token;
}

/** Called once the server has an owner. */
export async function dropSetupToken(dataFolder: string): Promise<void> {
  await rm(path.join(dataFolder, FILE), { force: true });
}
