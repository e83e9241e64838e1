/** `seedbed serve` as an operator meets it: starting, stopping, crashing, starting again. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { MediumInfo } from '../../src/base/api.ts';
import { startProgram } from '../support/program.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { startServer } from '../support/server.ts';
import { testFolder } from '../support/temp-dir.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const OPEN = { SEEDBED_UPLOADS: 'anyone' };

function cli(args: readonly string[], settings: Readonly<Record<string, string>> = {}) {
  return startProgram(process.execPath, ['src/cli/main.ts', ...args], {
    cwd: ROOT,
    env: { ...process.env, ...settings },
  });
}

async function publish(origin: string, bytes: Uint8Array<ArrayBuffer>): Promise<MediumInfo> {
  const form = new FormData();
  form.append('file', new Blob([bytes]), 'film.bin');
  const answer = await fetch(`${origin}/api/v1/media`, { method: 'POST', body: form });
  expect(answer.status).toBe(201);
  return (await answer.json()) as MediumInfo;
}

async function bytesAt(url: string): Promise<Uint8Array> {
  return new Uint8Array(await (await fetch(url)).arrayBuffer());
}

test('what was published is still there, and still a torrent, after kill -9 and a restart', async () => {
  const dataFolder = await testFolder('serve');
  const bytes = seededBytes('kill -9', 3_000_000);
  let medium: MediumInfo;
  {
    await using server = await startServer({ dataFolder, settings: OPEN });
    medium = await publish(server.origin, bytes);
    server.program.signal('SIGKILL');
    await server.program.ended;
  }
  await using server = await startServer({ dataFolder, settings: OPEN });
  expect(await bytesAt(`${server.origin}/${medium.sha256}`)).toEqual(bytes);
  const again = (await (await fetch(`${server.origin}/api/v1/media/${medium.sha256}`)).json()) as MediumInfo;
  expect(again.torrent?.infoHash).toBe(medium.torrent?.infoHash);
  expect(server.program.output).toContain('"torrents":1');
});

test('SIGTERM ends the server with status 0', async () => {
  const server = await startServer({ dataFolder: await testFolder('serve') });
  server.program.signal('SIGTERM');
  expect(await server.program.ended).toEqual({ code: 0, signal: null });
});

test('a second server on the same data folder says so and ends', async () => {
  const dataFolder = await testFolder('serve');
  await using _first = await startServer({ dataFolder });
  await using second = cli(['serve'], { SEEDBED_DATA: dataFolder });
  expect(await second.ended).toMatchObject({ code: 1 });
  expect(second.output).toContain('another Seedbed already runs');
});

test('a taken port is named', async () => {
  await using first = await startServer({ dataFolder: await testFolder('serve') });
  const { port } = new URL(first.origin);
  await using second = cli(['serve'], {
    SEEDBED_DATA: await testFolder('serve'),
    SEEDBED_PORT: port,
    SEEDBED_ADMIN_PORT: '1999',
  });
  expect(await second.ended).toMatchObject({ code: 1 });
  expect(second.output).toContain(port);
});

test.each([
  [{ SEEDBED_PORT: '99999' }, 'SEEDBED_PORT'],
  [{ SEEDBED_UPLOAD: 'anyone' }, 'SEEDBED_UPLOAD'],
])('the wrong setting %o stops the start with status 2 and is named', async (settings, key) => {
  await using program = cli(['serve'], settings);
  expect(await program.ended).toMatchObject({ code: 2 });
  expect(program.output).toContain(key);
});

test.each([
  ['a wrong setting', { SEEDBED_PORT: '99999' }, 2],
  ['a data folder that is a file', { SEEDBED_DATA: path.join(ROOT, 'package.json') }, 1],
])('with --json %s is told as one JSON line', async (_what, settings, code) => {
  await using program = cli(['serve', '--json'], settings);
  expect(await program.ended).toMatchObject({ code });
  const told = program.output.trim().split('\n');
  expect(told).toHaveLength(1);
  expect(JSON.parse(told[0] ?? '')).toMatchObject({ event: 'error', message: expect.any(String) });
});

test('the doctor finds nothing wrong beside the server that runs with the same settings', async () => {
  const dataFolder = await testFolder('serve');
  await using server = await startServer({ dataFolder });
  const portOf = (address: string): string => address.split(':').at(-1) ?? '';
  const ports = {
    SEEDBED_PORT: portOf(server.origin),
    SEEDBED_ADMIN_PORT: portOf(server.adminOrigin),
    SEEDBED_PEER_PORT: portOf(server.peerAddress),
  };
  await using beside = cli(['doctor', '--json'], { SEEDBED_DATA: dataFolder, ...ports });
  await beside.ended;
  expect(beside.output).toMatch(
    /"web port","state":"good","found":"TCP \d+ on .*EADDRINUSE, and a Seedbed is running here"/,
  );
  expect(beside.output).not.toMatch(/port","state":"bad"/);
  await using elsewhere = cli(['doctor', '--json'], { SEEDBED_DATA: dataFolder, ...ports, SEEDBED_ADMIN_PORT: '1' });
  expect(await elsewhere.ended).toMatchObject({ code: 1 });
  expect(elsewhere.output).toMatch(/"web port","state":"bad"/);
});

test('--print-config shows every setting and starts nothing', async () => {
  await using program = cli(['serve', '--print-config', '--json'], { SEEDBED_UPLOADS: 'owner' });
  expect(await program.ended).toMatchObject({ code: 0 });
  expect(JSON.parse(program.output)).toMatchObject({ SEEDBED_UPLOADS: 'owner', SEEDBED_PORT: '24242' });
});

test('the secret of the set-up link is in the data folder for its owner, and in no log', async () => {
  const dataFolder = await testFolder('serve');
  await using server = await startServer({ dataFolder, settings: { SEEDBED_LOG_LEVEL: 'debug' } });
  const token = (await readFile(path.join(dataFolder, 'setup-token'), 'utf8')).trim();
  await fetch(`${server.origin}/setup`);
  expect(token).toMatch(/^[\w-]{22}$/);
  expect(server.program.output).not.toContain(token);
});
