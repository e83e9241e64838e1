import { expect, test } from 'vitest';
import { startProgram } from './program.ts';

const sh = (script: string, graceMs = 5_000): ReturnType<typeof startProgram> =>
  startProgram('/bin/sh', ['-c', script], { graceMs });

test('a line is awaited, and found also when it was printed before', async () => {
  await using program = sh('echo READY port=7; read wait </dev/tty || sleep 30');
  expect((await program.line(/port=(\d+)/))[1]).toBe('7');
  expect((await program.line(/READY/))[0]).toBe('READY');
});

test('a program that ends early fails the wait with its output', async () => {
  await using program = sh('echo cannot bind >&2; exit 3');
  await expect(program.line(/READY/)).rejects.toThrow(/ended with 3[^]*cannot bind/);
});

test('disposing ends a program that ignores SIGTERM', async () => {
  const program = sh(`trap '' TERM; echo on; while :; do sleep 0.05; done`, 100);
  await program.line(/on/);
  expect((await program.stop()).signal).toBe('SIGKILL');
});

test('a missing program is a failure, not a hang', async () => {
  const program = startProgram('/no/such/program', []);
  await expect(program.success()).rejects.toThrow('ENOENT');
});
