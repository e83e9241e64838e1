/** Local service discovery (BEP 14) with libtorrent on another host of the same network, both ways: nothing but a magnet. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { formatMagnet } from '../../src/codec/magnet.ts';
import { infoHashesOf, writeMetainfo } from '../../src/codec/metainfo.ts';
import { silentLog } from '../../src/base/log.ts';
import { openFiles } from '../../src/kit/node/files.ts';
import { hashFile, seedFile } from '../../src/kit/node/seed-files.ts';
import { SwarmNode } from '../../src/kit/node/swarm-node.ts';
import { eventually } from '../support/eventually.ts';
import { describeWith } from '../support/peers.ts';
import type { Program } from '../support/program.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { testFolder } from '../support/temp-dir.ts';
import { otherHost } from './network.ts';

const LIBTORRENT = path.resolve(import.meta.dirname, 'peers/libtorrent_peer.py');
const FILE = seededBytes('lsd interop', 2_000_000);
const SHA256 = createHash('sha256').update(FILE).digest('hex');

async function scene(addresses: 'private' | 'public6') {
  const host = await otherHost(addresses);
  onTestFinished(() => host[Symbol.asyncDispose]());
  const folder = await testFolder('lsd');
  const file = path.join(folder, SHA256);
  await writeFile(file, FILE);
  const hashed = await hashFile(file);
  const torrent = path.join(folder, 'bare.torrent');
  await writeFile(torrent, writeMetainfo({ rawInfo: hashed.info.rawInfo }));
  const hashes = await infoHashesOf(hashed.info);
  const node = await SwarmNode.open({ host: host.here, lsd: true });
  onTestFinished(() => node.stop());
  const libtorrent = (mode: 'seed' | 'leech', source: string, where: string): Program => {
    const options = JSON.stringify({ settings: { enable_lsd: true, local_service_announce_interval: 5 } });
    const place = [
      LIBTORRENT,
      mode,
      source,
      where,
      host.there.includes(':') ? `[${host.there}]:6881` : `${host.there}:6881`,
      options,
    ];
    const program = host.start('/usr/bin/python3', place);
    onTestFinished(async () => void (await program.stop()));
    return program;
  };
  return { node, folder, hashed, torrent, hashes, libtorrent };
}

const hashOf = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

describeWith(['root', 'network namespaces', 'libtorrent'], 'libtorrent in our local network', () => {
  const FAMILIES = ['private', 'public6'] as const;
  test.each(FAMILIES)('hears that we seed: %s', { timeout: 120_000 }, async (addresses) => {
    const { node, hashed, hashes, libtorrent } = await scene(addresses);
    const target = await testFolder('leech');
    const leech = libtorrent('leech', formatMagnet(hashes), target);
    await leech.line(/added torrent/);
    await seedFile(node, hashed, [], silentLog);
    await leech.line(/DONE/, 90_000);
    expect(await hashOf(path.join(target, SHA256))).toBe(SHA256);
  });

  test.each(FAMILIES)('tells us that it seeds: %s', { timeout: 120_000 }, async (addresses) => {
    const { node, folder, torrent, hashes, libtorrent } = await scene(addresses);
    const target = await testFolder('leech');
    const wanted = node.engine.addByHash({ ...hashes, openStorage: (info) => openFiles(info, target) });
    node.announce(wanted, []);
    await libtorrent('seed', torrent, folder).line(/READY/);
    await eventually('all is here', () => wanted.isComplete, { timeoutMs: 90_000 });
    expect(await hashOf(path.join(target, SHA256))).toBe(SHA256);
  });
});
