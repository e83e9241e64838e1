#!/usr/bin/env node
/** The `seedbed` command: sets up like `npm start` does, then hands its arguments to the CLI under the right Node. */
import path from 'node:path';
import { setUpAndRun } from './setup/main.mjs';
import { ROOT } from './setup/root.mjs';

const args = process.argv.slice(2);
const informs = args.some((arg) => ['--help', '-h', '--version', '--print-config'].includes(arg));
process.exitCode = await setUpAndRun({
  web: args[0] === 'serve' && !informs,
  argv: ['node', path.join(ROOT, 'src/cli/main.ts'), ...args],
});
