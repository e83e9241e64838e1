/** The order of set-up: Node, dependencies, web app; then the command. A finished set-up costs a few milliseconds. */
import path from 'node:path';
import { chooseNode } from './node.mjs';
import { ensureDependencies } from './dependencies.mjs';
import { ensureWeb } from './web.mjs';
import { runCommand } from './child.mjs';
import { ROOT, SIDE } from './root.mjs';
import { SetUpFailed } from './say.mjs';

/**
 * Sets up what the command needs and runs it. Resolves with the exit status to leave with: the command's own, or 1
 * when set-up failed and said why.
 */
export async function setUpAndRun({ web, argv, cwd = process.cwd() }) {
  try {
    const node = await chooseNode();
    const env = environment(node);
    await ensureDependencies(env);
    if (web) await ensureWeb(node, env);
    if (argv.length === 0) return 0;
    return await runCommand(argv[0] === 'node' ? node : argv[0], argv.slice(1), { env, cwd });
  } catch (error) {
    if (!(error instanceof SetUpFailed)) throw error;
    console.error(`seedbed: ${error.message}`);
    return error.status;
  }
}

/** The environment in which everything runs: the right Node and the project's tools first on PATH. */
function environment(node) {
  const folders = [path.dirname(node), path.join(ROOT, 'node_modules', '.bin'), process.env.PATH];
  return {
    ...process.env,
    PATH: folders.filter(Boolean).join(path.delimiter),
    // Stripped and compiled sources are kept, which halves the time to ready.
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE || path.join(SIDE, 'compile-cache'),
  };
}
