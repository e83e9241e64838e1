#!/usr/bin/env node
/**
 * Behind `npm start`, `npm test` and the other commands: sets up what the command needs, then runs it. This file and
 * `setup/` run on any Node from 18 on and import nothing but Node; everything after them runs on Node 24.
 *
 *     node scripts/run.mjs serve [flags of `seedbed serve`]
 *     node scripts/run.mjs test [arguments of vitest] | check [names] | bench [names] | format [files]
 *     node scripts/run.mjs package [--out folder]
 *     node scripts/run.mjs exec <program> [arguments]      with the right Node and the project's tools first on PATH
 */
import path from 'node:path';
import { CLI } from './setup/cli.mjs';
import { ROOT } from './setup/root.mjs';

const INFORMS = new Set(['--help', '-h', '--print-config']);
const at = (...parts) => path.join(ROOT, ...parts);
const tool = (...parts) => at('node_modules', ...parts);

/** command → whether it needs the web app, and what it runs; `node` stands for the right Node. */
const COMMANDS = {
  serve: (args) => ({
    web: !args.some((arg) => INFORMS.has(arg)),
    argv: [...CLI, 'serve', ...args],
  }),
  test: (args) => ({ web: true, argv: ['node', tool('vitest/vitest.mjs'), 'run', ...args], cwd: ROOT }),
  check: (args) => ({ web: false, argv: ['node', at('scripts/check.ts'), ...args], cwd: ROOT }),
  bench: (args) => ({ web: true, argv: ['node', at('bench/run.ts'), ...args], cwd: ROOT }),
  format: (args) => ({ web: false, argv: ['node', tool('oxfmt/bin/oxfmt'), ...args], cwd: ROOT }),
  package: (args) => ({ web: false, argv: ['node', at('scripts/package.ts'), ...args], cwd: ROOT }),
  exec: (args) => ({ web: false, argv: args }),
  /** Internal: sets up and builds the web app, runs nothing. */
  prepare: () => ({ web: true, argv: [] }),
};

const [name = '', ...args] = process.argv.slice(2);
if (!Object.hasOwn(COMMANDS, name)) {
  console.error(`usage: node scripts/run.mjs ${Object.keys(COMMANDS).join(' | ')} [arguments]`);
  process.exitCode = 2;
} else {
  // Only now: an unsuitable Node must get a sentence, not a syntax error out of the modules below.
  const { setUpAndRun } = await import('./setup/main.mjs');
  process.exitCode = await setUpAndRun(COMMANDS[name](args));
}
