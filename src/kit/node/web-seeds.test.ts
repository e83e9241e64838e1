import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { seededBytes } from '../../../test/support/random-bytes.ts';
import { testFolder } from '../../../test/support/temp-dir.ts';
import { type Log, silentLog } from '../../base/log.ts';
import { KIB } from '../../base/units.ts';
import { formatMagnet } from '../../codec/magnet.ts';
import type { TorrentFormat } from '../../codec/make-info.ts';
import { parseMetainfo, writeMetainfo } from '../../codec/metainfo.ts';
import { addTorrent, addWebSeeds, hashPath, seedFile, SwarmNode } from './index.ts';

const FILES = new Map([
  ['one & 50% #1.bin', seededBytes('web-seeds-1', 100_001)],
  ['deep/nothing', new Uint8Array()],
  ['deep/zwei ä.bin', seededBytes('web-seeds-2', 300 * KIB)],
]);

async function openNode(): Promise<SwarmNode> {
  const node = await SwarmNode.open({ host: '127.0.0.1', utp: false, allowPrivate: true });
  onTestFinished(() => node.stop());
  return node;
}

/** An HTTP server that has the files below `/files/my show/`, and the paths it was asked for. */
async function serveFiles(): Promise<{ readonly url: string; readonly asked: Set<string> }> {
  const asked = new Set<string>();
  const server = createServer(({ url = '', headers: { range = '' } }, response) => {
    asked.add(url);
    const bytes = FILES.get(decodeURIComponent(url).replace('/files/my show/', ''));
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    if (bytes === undefined || Number(last) >= bytes.length) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(206, { 'content-range': `bytes ${first}-${last}/${bytes.length}` });
    response.end(bytes.subarray(Number(first), Number(last) + 1));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo; // of a TCP server
  return { url: `http://127.0.0.1:${port}/files/`, asked };
}

/** The files as a folder, hashed and seeded by a node. */
async function seedShow(format: TorrentFormat) {
  const folder = path.join(await testFolder('web-seeds'), 'my show');
  for (const [name, bytes] of FILES) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), bytes);
  }
  const node = await openNode();
  return { ...(await seedFile(node, await hashPath(folder, { format, pieceLengthBytes: 64 * KIB }), [])), node };
}

describe('a web seed of a torrent of many files', () => {
  test.each(['v1', 'v2', 'hybrid'] as const)('is enough to have it, byte by byte: %s', async (format) => {
    const { metainfo, torrent: seeded, node: seeder } = await seedShow(format);
    await seeder.stop();
    const { url, asked } = await serveFiles();
    const folder = await testFolder('web-seeds');
    const { info, pieceLayers } = parseMetainfo(metainfo);
    expect(info.files.some(({ isPad }) => isPad)).toBe(format !== 'v1');
    const named = writeMetainfo({ rawInfo: info.rawInfo, webSeeds: [url], ...(pieceLayers && { pieceLayers }) });
    const torrent = await addTorrent(await openNode(), named, { folder, webSeedUse: 'always' });
    await torrent.done();
    for (const [name, bytes] of FILES) {
      const kept = await readFile(path.join(folder, 'my show', name));
      expect(Buffer.compare(kept, bytes), name).toBe(0);
    }
    expect(torrent.keys).toEqual(seeded.keys);
    expect(torrent.stats().bytesFromPeers).toBe(0);
    expect([...asked].toSorted()).toEqual([
      '/files/my%20show/deep/zwei%20%C3%A4.bin',
      '/files/my%20show/one%20%26%2050%25%20%231.bin',
    ]);
  });

  test('that cannot serve it is said once for each, without its secrets; the others are used', async () => {
    const { torrent: seeded, node: seeder } = await seedShow('v1');
    const { url } = await serveFiles();
    const warned: unknown[] = [];
    const log: Log = {
      ...silentLog,
      warn: (event, fields) => warned.push([event, fields?.['source'], fields?.['code']]),
    };
    const magnet = formatMagnet(seeded.hashes);
    const options = { folder: await testFolder('web-seeds'), mode: 'on-demand', webSeedUse: 'always' } as const;
    const node = await openNode();
    const torrent = await addTorrent(node, magnet, { ...options, peers: [seeder.address] });
    const urls = ['ftp://a.example/film?token=secret', 'https://u:p@a.example/', 'ftp://a.example/', 'film', url];
    addWebSeeds(node, torrent, urls, { log });
    await torrent.ready();
    await seeder.stop();
    torrent.setMode('all');
    await torrent.done();
    expect(warned).toEqual([
      ['web_seed.refused', 'ftp://a.example/film', 'invalid_input'],
      ['web_seed.refused', 'https://a.example/', 'invalid_input'],
      ['web_seed.refused', 'ftp://a.example/', 'invalid_input'],
      ['web_seed.refused', 'no URL', 'invalid_input'],
    ]);
  });
});
