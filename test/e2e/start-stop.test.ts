/** `seedbed serve` as a process: what it says, how it ends. */
import path from 'node:path';
import { expect, test } from 'vitest';
import { type Program, startProgram } from '../support/program.ts';
import { startServer } from '../support/server.ts';
import { testFolder } from '../support/temp-dir.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const BOOTSTRAP = [process.execPath, 'scripts/run.mjs', 'serve'];

function serve(args: readonly string[], settings: Readonly<Record<string, string>> = {}): Program {
  const command = ['src/cli/main.ts', 'serve', ...args];
  return startProgram(process.execPath, command, { cwd: ROOT, env: { ...process.env, ...settings } });
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s to the whole process group, which reaches the server twice, is one clean stop',
  async (signal) => {
    await using server = await startServer({ dataFolder: await testFolder('stop'), command: BOOTSTRAP });
    server.program.signal(signal);
    expect(await server.program.ended).toEqual({ code: 0, signal: null });
    expect(server.program.output).toContain('"event":"server.stopped"');
  },
);

test('a crash leaves nothing that keeps the next start from being ready', async () => {
  const dataFolder = await testFolder('crash');
  await using first = await startServer({ dataFolder });
  first.program.signal('SIGKILL');
  await first.program.ended;
  await using second = await startServer({ dataFolder });
  expect((await fetch(`${second.adminOrigin}/livez`)).status).toBe(200);
});

test('a wrong setting stops the start, and its key is named', async () => {
  await using program = serve([], { SEEDBED_PORT: '80a' });
  expect((await program.ended).code).not.toBe(0);
  expect(program.output).toMatch(/SEEDBED_PORT=80a is not valid: expected a port/);
});

test('a port that is taken is named, with the setting that changes it', async () => {
  await using server = await startServer({ dataFolder: await testFolder('port') });
  const port = new URL(server.origin).port;
  await using program = serve([], { SEEDBED_PORT: port, SEEDBED_DATA: await testFolder('port') });
  expect((await program.ended).code).toBe(1);
  expect(program.output).toContain(port);
});

test('--print-config shows every setting with its value and starts nothing', async () => {
  await using program = serve(['--print-config', '--json'], { SEEDBED_NAME: 'Elsewhere' });
  expect(JSON.parse(await program.success())).toMatchObject({ SEEDBED_NAME: 'Elsewhere', SEEDBED_PORT: '24242' });
});

test('--help explains every setting', async () => {
  await using program = serve(['--help']);
  expect(await program.success()).toMatch(/SEEDBED_HOST[^]*SEEDBED_LOG_LEVEL[^]*Exit codes/);
});
