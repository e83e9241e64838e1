/** `node_modules` as the lockfile says: installed when missing or of another lockfile, left alone otherwise. */
import fs from 'node:fs';
import path from 'node:path';
import { runTool } from './child.mjs';
import { withLock } from './lock.mjs';
import { findNpm, NPM_CI } from './npm.mjs';
import { ROOT } from './root.mjs';
import { say } from './say.mjs';

const LOCKFILE = path.join(ROOT, 'package-lock.json');
const STAMP = path.join(ROOT, 'node_modules', '.seedbed-installed-from.json');
/** npm's own record of what it put into node_modules. */
const HIDDEN_LOCKFILE = path.join(ROOT, 'node_modules', '.package-lock.json');

/** @throws SetUpFailed when npm cannot install them. */
export async function ensureDependencies(env) {
  const wanted = fs.readFileSync(LOCKFILE, 'utf8');
  if (read(STAMP) !== wanted) await withLock(() => install(wanted, env));
}

async function install(wanted, env) {
  if (read(STAMP) === wanted) return;
  if (!isComplete(JSON.parse(wanted), read(HIDDEN_LOCKFILE))) {
    say('Installing dependencies…');
    const [npm, ...before] = findNpm(process.env);
    await runTool(npm, [...before, ...NPM_CI], {
      cwd: ROOT,
      env,
      help: 'could not install the dependencies. The first start needs the npm registry once; later ones need no network.',
    });
  }
  fs.writeFileSync(STAMP, wanted);
}

/**
 * Whether somebody's own `npm ci` has already put exactly the lockfile's packages in place. npm's record alone does not
 * prove it (`npm install --package-lock-only` writes there too), so the packages must be there as well.
 */
function isComplete(wanted, recordText) {
  if (recordText === undefined) return false;
  const present = JSON.parse(recordText).packages || {};
  const isSame = (name) => present[name].integrity === wanted.packages[name]?.integrity;
  const isThere = (name) => fs.existsSync(path.join(ROOT, name, 'package.json'));
  const isNeeded = ([name, entry]) => name !== '' && !entry.optional;
  return (
    Object.keys(present).every((name) => isSame(name) && isThere(name)) &&
    Object.entries(wanted.packages)
      .filter(isNeeded)
      .every(([name]) => present[name] !== undefined)
  );
}

function read(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  }
}
