import path from 'node:path';
import { expect, test } from 'vitest';
import { startProgram } from '../support/program.ts';

const RUN = path.resolve(import.meta.dirname, '../../scripts/run.mjs');
const run = (...args: string[]): ReturnType<typeof startProgram> =>
  startProgram(process.execPath, [RUN, ...args], { group: true });

test('the exit status of the command is the exit status of the script', async () => {
  await using program = run('exec', 'node', '-e', 'process.exit(7)');
  expect(await program.ended).toEqual({ code: 7, signal: null });
});

test('a signal to the whole process group lets the command stop in its own way', async () => {
  const script = `process.on('SIGTERM', () => setTimeout(() => process.exit(3), 50)); setInterval(() => {}, 1e6); console.log('on')`;
  await using program = run('exec', 'node', '-e', script);
  await program.line(/on/);
  program.signal('SIGTERM');
  expect(await program.ended).toEqual({ code: 3, signal: null });
});

test('a signal to the script alone reaches the command', async () => {
  const script = `process.on('SIGTERM', () => process.exit(4)); setInterval(() => {}, 1e6); console.log('on')`;
  await using program = startProgram(process.execPath, [RUN, 'exec', 'node', '-e', script]);
  await program.line(/on/);
  program.signal('SIGTERM');
  expect(await program.ended).toEqual({ code: 4, signal: null });
});

test('a command that a signal ends is reported as shells do, 128 + the number', async () => {
  await using program = run('exec', 'sh', '-c', 'kill -KILL $$');
  expect(await program.ended).toEqual({ code: 137, signal: null });
});

test('an unknown command is told the known ones', async () => {
  await using program = run('sevre');
  expect(await program.ended).toEqual({ code: 2, signal: null });
  expect(program.output).toMatch(/serve \| test \| check/);
});

test("the project's tools are on PATH", async () => {
  await using program = run('exec', 'vitest', '--version');
  expect(await program.success()).toMatch(/vitest\/\d/);
});
