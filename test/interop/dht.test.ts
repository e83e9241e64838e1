/** Our DHT nodes and libtorrent's in one small network on two hosts, both ways: magnets without any tracker. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { formatMagnet } from '../../src/codec/magnet.ts';
import { writeMetainfo } from '../../src/codec/metainfo.ts';
import { hashFile } from '../../src/kit/node/seed-files.ts';
import { infoHashesOf } from '../../src/codec/metainfo.ts';
import { SwarmNode } from '../../src/kit/node/swarm-node.ts';
import { eventually } from '../support/eventually.ts';
import { describeWith } from '../support/peers.ts';
import { type Program, startProgram } from '../support/program.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { testFolder } from '../support/temp-dir.ts';
import { otherHost } from './network.ts';

const MAIN = path.resolve(import.meta.dirname, '../../src/cli/main.ts');
const LIBTORRENT = path.resolve(import.meta.dirname, 'peers/libtorrent_peer.py');
const FILE = seededBytes('dht interop', 3_000_000);
const SHA256 = createHash('sha256').update(FILE).digest('hex');

function ended(program: Program): Program {
  onTestFinished(async () => void (await program.stop()));
  return program;
}

/** A file, its canonical torrent, and libtorrent on another host with the DHT as its only way to find peers. */
async function scene() {
  const host = await otherHost();
  onTestFinished(() => host[Symbol.asyncDispose]());
  const folder = await testFolder('dht');
  const file = path.join(folder, SHA256);
  await writeFile(file, FILE);
  const { info } = await hashFile(file);
  const torrent = path.join(folder, 'bare.torrent');
  await writeFile(torrent, writeMetainfo({ rawInfo: info.rawInfo }));
  const magnet = formatMagnet(await infoHashesOf(info));
  // Two nodes: libtorrent takes the one it begins with for a router, and keeps only others.
  const first = await SwarmNode.open({ host: host.here, allowPrivate: true, dht: { port: 0, bootstrap: [] } });
  onTestFinished(() => first.stop());
  const begin = `${host.here}:${first.dht?.port}`;
  const second = await SwarmNode.open({ host: host.here, allowPrivate: true, dht: { port: 0, bootstrap: [begin] } });
  onTestFinished(() => second.stop());
  const settings = {
    enable_dht: true,
    dht_bootstrap_nodes: begin,
    dht_restrict_routing_ips: false,
    dht_restrict_search_ips: false,
    dht_announce_interval: 2, // s: whoever looks too early looks again
  };
  const libtorrent = (mode: 'seed' | 'leech', source: string, where: string): Program =>
    ended(
      host.start('/usr/bin/python3', [
        LIBTORRENT,
        mode,
        source,
        where,
        `${host.there}:6881`,
        JSON.stringify({ settings }),
      ]),
    );
  const seedbed = (...args: readonly string[]): Program =>
    ended(startProgram(process.execPath, [MAIN, ...args, '--dht', '--dht-node', begin], { cwd: folder }));
  await eventually('our nodes know each other', () => first.dht?.size === 1 && second.dht?.size === 1);
  return { host, folder, torrent, magnet, libtorrent, seedbed, nodes: [first, second] };
}

const hashOf = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

describeWith(['root', 'network namespaces', 'libtorrent'], 'libtorrent in our DHT', () => {
  test('is found there by us', { timeout: 120_000 }, async () => {
    const { folder, torrent, magnet, libtorrent, seedbed } = await scene();
    const seed = libtorrent('seed', torrent, folder);
    await seed.line(/READY/);
    const get = seedbed('get', magnet, '-o', 'copy', '--local', '--timeout', '90');
    expect((await get.ended).code, `${get.output}\n${seed.output}`).toBe(0);
    expect(await hashOf(path.join(folder, 'copy'))).toBe(SHA256);
  });

  test('finds us there', { timeout: 120_000 }, async () => {
    const { host, magnet, libtorrent, seedbed, nodes } = await scene();
    await seedbed('seed', SHA256, '--host', host.here).line(/magnet:\S+/);
    await eventually('the seeder is in the DHT', () => nodes.every(({ dht }) => dht?.size === 2));
    const target = await testFolder('leech');
    const leech = libtorrent('leech', magnet, target);
    await leech.line(/DONE/, 90_000).catch((error: unknown) => expect.fail(`${String(error)}\n${leech.output}`));
    expect(await hashOf(path.join(target, SHA256))).toBe(SHA256);
  });
});
