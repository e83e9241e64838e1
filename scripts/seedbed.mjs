#!/usr/bin/env node
/** The `seedbed` command: sets up like `npm start` does, then hands its arguments to the CLI under the right Node. */
import { CLI } from './setup/cli.mjs';
import { setUpAndRun } from './setup/main.mjs';

const args = process.argv.slice(2);
const informs = args.some((arg) => ['--help', '-h', '--version', '--print-config'].includes(arg));
process.exitCode = await setUpAndRun({
  web: args[0] === 'serve' && !informs,
  argv: [...CLI, ...args],
});
