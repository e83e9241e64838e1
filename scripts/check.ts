/**
 * `npm run check`: everything about the sources that a machine can judge without running the product. All steps run,
 * also after a failure, so that one run shows all there is to mend. `npm run check -- lint format` runs those alone.
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { formatDuration } from '../src/base/units.ts';

interface Step {
  readonly name: string;
  readonly what: string;
  readonly command: readonly string[];
}

const root = path.resolve(import.meta.dirname, '..');
const tool = (file: string): string => path.join(root, 'node_modules', file);
const tsc = tool('typescript/bin/tsc');

const STEPS: readonly Step[] = [
  { name: 'types', what: 'types, Node', command: [tsc, '-p', 'tsconfig.json'] },
  { name: 'types-browser', what: 'types, browser-safe folders', command: [tsc, '-p', 'tsconfig.browser.json'] },
  { name: 'types-web', what: 'types, web app', command: [tsc, '-p', 'web/tsconfig.json'] },
  { name: 'lint', what: 'lint, with promise rules', command: [tool('oxlint/bin/oxlint'), '--type-aware', '--quiet'] },
  { name: 'format', what: 'format', command: [tool('oxfmt/bin/oxfmt'), '--check', '.'] },
  { name: 'unused', what: 'unused files, exports, packages', command: [tool('knip/bin/knip.js')] },
  {
    name: 'imports',
    what: 'import table, docs name real tests',
    command: [tool('vitest/vitest.mjs'), 'run', 'test/architecture.test.ts', 'test/docs.test.ts'],
  },
  { name: 'web', what: 'web app builds within its size', command: ['scripts/run.mjs', 'prepare'] },
];

interface Outcome {
  readonly ok: boolean;
  readonly output: string;
  readonly durationMs: number;
}

function run(command: readonly string[]): Promise<Outcome> {
  const startedAtMs = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, command, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (text: string): void => {
      output += text;
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    child.once('error', reject);
    child.once('close', (code) => resolve({ ok: code === 0, output, durationMs: performance.now() - startedAtMs }));
  });
}

async function check(names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => !STEPS.some((step) => step.name === name));
  if (unknown.length > 0) {
    console.error(`no such check: ${unknown.join(', ')}; there are ${STEPS.map((step) => step.name).join(', ')}`);
    return 2;
  }
  let failures = 0;
  for (const step of STEPS.filter(({ name }) => names.length === 0 || names.includes(name))) {
    const { ok, output, durationMs } = await run(step.command);
    console.log(`${ok ? 'ok    ' : 'FAILED'}  ${step.what.padEnd(36)} ${formatDuration(durationMs)}`);
    if (!ok) console.log(output.trimEnd());
    failures += ok ? 0 : 1;
  }
  console.log(failures === 0 ? 'All checks passed.' : `${failures} of the checks failed.`);
  return failures === 0 ? 0 : 1;
}

process.exitCode = await check(process.argv.slice(2));
