/** A system without WebRTC's native library: everything else works, and one line says what is missing. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import type { MediumInfo } from '../../src/base/api.ts';
import { startProgram } from '../support/program.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { startServer } from '../support/server.ts';
import { testFolder } from '../support/temp-dir.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const WITHOUT = ['--import', pathToFileURL(path.join(ROOT, 'test/support/no-webrtc.ts')).href];
const MAIN = path.join(ROOT, 'src/cli/main.ts');
const FILE = seededBytes('no-webrtc', 700_000);
const SHA256 = createHash('sha256').update(FILE).digest('hex');

test('the server serves over HTTP and to torrent clients, and logs once that WebRTC is missing', async () => {
  const dataFolder = await testFolder('no-webrtc');
  await using server = await startServer({
    dataFolder,
    settings: { SEEDBED_UPLOADS: 'anyone' },
    command: [process.execPath, ...WITHOUT, MAIN, 'serve', '--json'],
  });
  const lines = server.program.output.split('\n').filter((line) => line.includes('webrtc.unavailable'));
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ reason: 'no binary for this system' });

  const form = new FormData();
  form.append('file', new Blob([FILE]), 'film.bin');
  const published = await fetch(`${server.origin}/api/v1/media`, { method: 'POST', body: form });
  const { sha256, url } = (await published.json()) as MediumInfo;
  expect(sha256).toBe(SHA256);
  expect(new Uint8Array(await (await fetch(new URL(url, server.origin))).arrayBuffer())).toEqual(FILE);

  // The command line's own peer, without WebRTC too, and without HTTP: over TCP from the server's seeder.
  const get = startProgram(
    process.execPath,
    [
      ...WITHOUT,
      MAIN,
      'get',
      `${server.origin}/m/${sha256}`,
      '--no-web-seeds',
      '--peer',
      server.peerAddress,
      '-o',
      'copy',
    ],
    { cwd: dataFolder },
  );
  expect(await get.success()).toContain('0 B over HTTP. Verified.');
  expect(await readFile(path.join(dataFolder, 'copy'))).toEqual(Buffer.from(FILE));
});

test('a seeder with a WebSocket tracker in its list still seeds over TCP', async () => {
  const folder = await testFolder('no-webrtc');
  await writeFile(path.join(folder, 'film.bin'), FILE);
  await using seeder = startProgram(
    process.execPath,
    [...WITHOUT, MAIN, 'seed', 'film.bin', '--host', '127.0.0.1', '--tracker', 'ws://127.0.0.1:9/announce'],
    { cwd: folder },
  );
  const [magnet = ''] = await seeder.line(/magnet:\S+/);
  const [, address = ''] = await seeder.line(/reach you at (\S+)\. /);
  const args = ['get', magnet, '--peer', address, '-o', 'copy'];
  await startProgram(process.execPath, [...WITHOUT, MAIN, ...args], { cwd: folder }).success();
  expect(await readFile(path.join(folder, 'copy'))).toEqual(Buffer.from(FILE));
});
