/** Peers that know nothing of each other but a DHT node: no tracker, no address. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startProgram } from '../support/program.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { testFolder } from '../support/temp-dir.ts';
import { eventually } from '../support/eventually.ts';
import { SwarmNode } from '../../src/kit/node/swarm-node.ts';

const MAIN = path.resolve(import.meta.dirname, '../../src/cli/main.ts');
const FILE = seededBytes('dht', 2_000_000);

test('a file is seeded and fetched by its magnet alone, through the DHT', { timeout: 120_000 }, async () => {
  const folder = await testFolder('dht');
  await writeFile(path.join(folder, 'film.bin'), FILE);
  await using middle = await SwarmNode.open({ host: '127.0.0.1', allowPrivate: true, dht: { port: 0, bootstrap: [] } });
  const dht = ['--dht', '--dht-node', `localhost:${middle.dht?.port}`];
  const seeder = startProgram(process.execPath, [MAIN, 'seed', 'film.bin', '--host', '127.0.0.1', ...dht], {
    cwd: folder,
  });
  onTestFinished(async () => void (await seeder.stop()));
  const [magnet = ''] = await seeder.line(/magnet:\S+/);
  await eventually('the nodes know each other', () => middle.dht?.size === 1);
  const args = [MAIN, 'get', magnet, '-o', 'copy.bin', '--local', '--timeout', '90', ...dht];
  const get = startProgram(process.execPath, args, { cwd: folder });
  onTestFinished(async () => void (await get.stop()));
  expect((await get.ended).code, get.output).toBe(0);
  const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  expect(hash(await readFile(path.join(folder, 'copy.bin')))).toBe(hash(FILE));
});
