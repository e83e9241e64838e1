/** A fresh clone of this repository's HEAD, and the environment a newcomer would have: nothing of ours in it. */
import { execFileSync } from 'node:child_process';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../..');
const OWN_VARIABLES = /^(?:SEEDBED_|npm_|NODE_|VITE|VITEST|TEST$|PROD$|DEV$|MODE$|BASE_URL$|INIT_CWD$)/;

/** Clones HEAD (not the working tree) into `folder`. */
export function cloneHead(git: string, folder: string): void {
  execFileSync(git, ['clone', '--quiet', ROOT, folder], { stdio: 'pipe' });
}

/** What `git status` finds changed or new in a clone; empty when it is as it came. */
export function gitStatus(git: string, folder: string): string {
  return execFileSync(git, ['-C', folder, 'status', '--porcelain'], { encoding: 'utf8' });
}

/** The environment without this project's settings and without the Node that runs the tests, where another is there. */
export function newcomerEnv(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !OWN_VARIABLES.test(name));
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  const others = folders.filter(
    (folder) => folder !== path.dirname(process.execPath) && !folder.includes('node_modules'),
  );
  return { ...Object.fromEntries(kept), PATH: (hasNode(others) ? others : folders).join(path.delimiter), ...extra };
}

function hasNode(folders: readonly string[]): boolean {
  try {
    execFileSync('npm', ['--version'], { env: { PATH: folders.join(path.delimiter) }, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
