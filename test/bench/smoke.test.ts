/** Every bench still runs, at sizes that say nothing about speed. */
import { globSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { startProgram } from '../support/program.ts';

/** Their rival alone may take up to four minutes: browsers of its make miss each other and wait for the next announce. */
const SLOW_RIVAL = new Set(['node-to-browser', 'webrtc']);
const root = path.resolve(import.meta.dirname, '../..');
const names = globSync('bench/*.ts', { cwd: root })
  .map((file) => path.basename(file, '.ts'))
  .filter((name) => name !== 'run');

test.each(names)(
  'the bench %s runs and gives figures',
  async (name) => {
    const args = ['bench/run.ts', name, '--rounds', '1', '--scale', '0.002'];
    if (SLOW_RIVAL.has(name)) args.push('--only', 'Seedbed');
    await using program = startProgram(process.execPath, args, { cwd: root });
    expect(await program.success(230_000)).toMatch(/median \(min–max\)\n(?:.*\n)*?.*\d/);
  },
  240_000,
);
