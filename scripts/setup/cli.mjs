/** How the `seedbed` command is started. */
import path from 'node:path';
import { ROOT } from './root.mjs';

/**
 * Program and arguments; `node` stands for the right Node. V8 lets its young generation grow to 16 MiB a half while the
 * server starts and does not give that back; with 8 MiB a server takes 7 MB less and answers as fast (`npm run bench restart
 * delivery`).
 */
export const CLI = ['node', '--max-semi-space-size=8', path.join(ROOT, 'src/cli/main.ts')];
