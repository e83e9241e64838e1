/** npm as set-up uses it: exactly the lockfile, never a script of a package. */
import fs from 'node:fs';
import path from 'node:path';

/** `npm ci` as we mean it; development tools too, because the web app is built with them. */
export const NPM_CI = [
  'ci',
  '--ignore-scripts',
  '--include=dev',
  '--include=optional',
  '--no-audit',
  '--no-fund',
  '--prefer-offline',
];

/** How to start npm: the one that started us (under our own Node), else the one on PATH. */
export function findNpm(env) {
  const script = env.npm_execpath;
  if (script && path.basename(script).startsWith('npm-cli') && fs.existsSync(script)) return [process.execPath, script];
  return [process.platform === 'win32' ? 'npm.cmd' : 'npm'];
}
