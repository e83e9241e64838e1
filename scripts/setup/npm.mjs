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
  // Windows has npm only as a script of its shell; its JavaScript lies beside Node.
  const beside = path.join(path.dirname(process.execPath), 'node_modules', 'npm', 'bin', 'npm-cli.js');
  const script = [env.npm_execpath, process.platform === 'win32' ? beside : undefined].find(
    (file) => file && path.basename(file) === 'npm-cli.js' && fs.existsSync(file),
  );
  return script ? [process.execPath, script] : ['npm'];
}
