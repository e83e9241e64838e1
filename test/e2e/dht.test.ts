/** Peers that know nothing of each other but a DHT node: no tracker, no address. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startProgram } from '../support/program.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { freePort } from '../support/free-port.ts';
import { startServer } from '../support/server.ts';
import { testFolder } from '../support/temp-dir.ts';
import { ScriptedPeer } from '../support/scripted-peer.ts';
import { eventually } from '../support/eventually.ts';
import { TcpDialer } from '../../src/adapters/tcp/dialer.ts';
import { ConnectionLimits } from '../../src/adapters/tcp/limits.ts';
import { Cancelled } from '../../src/base/errors.ts';
import { parseInfoHashV1, swarmKeyOf } from '../../src/base/ids.ts';
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

describe('a server whose DHT is', () => {
  async function middleNode(): Promise<SwarmNode> {
    const node = await SwarmNode.open({ host: '127.0.0.1', allowPrivate: true, dht: { port: 0, bootstrap: [] } });
    onTestFinished(() => node.stop());
    return node;
  }

  function rememberedIn(dataFolder: string): number {
    using database = new DatabaseSync(path.join(dataFolder, 'seedbed.db'));
    return database.prepare('SELECT family FROM dht_memory').all().length;
  }

  test('on finds its way back after a restart without bootstrap nodes', async () => {
    const dataFolder = await testFolder('dht-restart');
    const middle = await middleNode();
    const settings = {
      SEEDBED_DHT: 'on',
      SEEDBED_DHT_PORT: String(await freePort()),
      SEEDBED_ALLOW_PRIVATE_PEERS: 'true',
    };
    {
      await using first = await startServer({
        dataFolder,
        settings: { ...settings, SEEDBED_DHT_NODES: `127.0.0.1:${middle.dht?.port}` },
      });
      await first.program.line(/"nodes":1,.*dht\.joined/);
    }
    expect(rememberedIn(dataFolder)).toBe(1);
    await using again = await startServer({ dataFolder, settings });
    await again.program.line(/"nodes":1,.*dht\.joined/);
  });

  test('off remembers nobody', async () => {
    const dataFolder = await testFolder('dht-off');
    {
      await using _server = await startServer({ dataFolder });
    }
    expect(rememberedIn(dataFolder)).toBe(0);
  });
});

test.each([
  { isReadOnly: false, says: true },
  { isReadOnly: true, says: false },
])('peers hear of our DHT node: $says, where it only asks: $isReadOnly', async ({ isReadOnly, says }) => {
  await using node = await SwarmNode.open({ host: '127.0.0.1', dht: { port: 0, bootstrap: [], isReadOnly } });
  const infoHash = parseInfoHashV1('c12fe1c06bba254a9dc9f519b335aa7c1367a88a');
  node.engine.addByHash({ v1: infoHash, openStorage: () => Promise.reject(new Cancelled('not needed')) });
  const dialer = new TcpDialer({ limits: new ConnectionLimits() });
  const peer = new ScriptedPeer(await dialer.dial(node.address, new AbortController().signal));
  peer.sayHello({ swarmKey: swarmKeyOf(infoHash), dht: true });
  await eventually('the handshake', () => peer.handshake);
  expect(peer.handshake?.dht).toBe(says);
});
