/** Every bench still runs, at sizes that say nothing about speed. */
import { globSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { startProgram } from '../support/program.ts';

/** Their rival alone takes up to four minutes; test/browser/swarm-{node,channels,crowd}.test.ts run our half. */
const TOO_LONG = new Set(['node-to-browser', 'webrtc']);
const root = path.resolve(import.meta.dirname, '../..');
const names = globSync('bench/*.ts', { cwd: root })
  .map((file) => path.basename(file, '.ts'))
  .filter((name) => name !== 'run' && !TOO_LONG.has(name));

test.each(names)(
  'the bench %s runs and gives figures',
  async (name) => {
    const args = ['bench/run.ts', name, '--rounds', '1', '--scale', '0.002'];
    await using program = startProgram(process.execPath, args, { cwd: root });
    expect(await program.success(230_000)).toMatch(/median \(min–max\)\n(?:.*\n)*?.*\d/);
  },
  240_000,
);
