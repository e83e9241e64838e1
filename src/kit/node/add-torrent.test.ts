import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { seededBytes } from '../../../test/support/random-bytes.ts';
import { testFolder } from '../../../test/support/temp-dir.ts';
import { MIB } from '../../base/units.ts';
import { formatMagnet } from '../../codec/magnet.ts';
import type { TorrentFormat } from '../../codec/make-info.ts';
import { parseMetainfo, writeMetainfo } from '../../codec/metainfo.ts';
import { addTorrent, hashFile, hashPath, seedFile, type SeededFile, SwarmNode } from './index.ts';

const FILES = { 'one.bin': seededBytes('add-torrent-1', 700_001), 'deep/two.bin': seededBytes('add-torrent-2', MIB) };
const FILM = seededBytes('add-torrent-film', 3 * MIB);

async function openNode(options: { readonly allowPrivate?: boolean } = {}): Promise<SwarmNode> {
  const node = await SwarmNode.open({ host: '127.0.0.1', utp: false, ...options });
  onTestFinished(() => node.stop());
  return node;
}

/** A node that seeds a folder of these files in the format. */
async function seedFolder(
  format: TorrentFormat,
  files: Readonly<Record<string, Uint8Array>> = FILES,
): Promise<SeededFile & { readonly node: SwarmNode }> {
  const folder = path.join(await testFolder('add-torrent-seed'), 'two-files');
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), bytes);
  }
  const node = await openNode();
  const hashed = await hashPath(folder, { format, pieceLengthBytes: 256 * 1024 });
  return { ...(await seedFile(node, hashed, [])), node };
}

/** A node that seeds a single file. */
async function seedFilm(): Promise<SeededFile & { readonly node: SwarmNode }> {
  const file = path.join(await testFolder('add-torrent-film'), 'film.bin');
  await writeFile(file, FILM);
  const node = await openNode();
  return { ...(await seedFile(node, await hashFile(file), [])), node };
}

/** Where `deep/nothing` stands, sorted by path. */
const EMPTY = { first: 0, last: 0 };

describe('a torrent that is added', () => {
  test.each([
    ['v1', 'magnet'],
    ['v1', 'metainfo'],
    ['v2', 'magnet'],
    ['v2', 'metainfo'],
    ['hybrid', 'magnet'],
    ['hybrid', 'metainfo'],
  ] as const)('comes whole into its folder: %s, by %s', async (format, by) => {
    const { [by]: source, node: seeder } = await seedFolder(format);
    const folder = await testFolder('add-torrent');
    const torrent = await addTorrent(await openNode(), source, { folder, peers: [seeder.address] });
    await torrent.done();
    for (const [name, bytes] of Object.entries(FILES))
      expect((await readFile(path.join(folder, 'two-files', name))).equals(bytes)).toBe(true);
  });

  test('is fetched as far as it is read, where that is all that is asked for', async () => {
    const { magnet, node: seeder } = await seedFilm();
    const options = { folder: await testFolder('add-torrent'), mode: 'on-demand', peers: [seeder.address] } as const;
    const torrent = await addTorrent(await openNode(), magnet, options);
    await torrent.ready();
    const read = await new Response(torrent.file(0).read({ start: 10, endExclusive: 1000 })).bytes();
    expect(Buffer.from(read).equals(FILM.subarray(10, 1000))).toBe(true);
    expect(torrent.isComplete).toBe(false);
  });

  test('has only the files that its magnet link names', async () => {
    const { magnet, node: seeder } = await seedFolder('v1');
    const options = { folder: await testFolder('add-torrent'), peers: [seeder.address] };
    const torrent = await addTorrent(await openNode(), `${magnet}&so=1`, options);
    await torrent.done();
    expect(torrent.files().map(({ priority }) => priority)).toEqual(['skip', 'normal']);
  });

  test('has those as well where a selection is given that is undefined', async () => {
    const { magnet, node: seeder } = await seedFolder('v1');
    const options: object = { selectedFiles: undefined, peers: [seeder.address] };
    const folder = await testFolder('add-torrent');
    const torrent = await addTorrent(await openNode(), `${magnet}&so=1`, { ...options, folder });
    await torrent.done();
    expect(torrent.files().map(({ priority }) => priority)).toEqual(['skip', 'normal']);
  });

  test.each(['magnet', 'metainfo'] as const)('is done at once with an empty file alone, by %s', async (by) => {
    const { [by]: source, node: seeder } = await seedFolder('v1', { 'deep/nothing': new Uint8Array(0), ...FILES });
    const options = { folder: await testFolder('add-torrent'), peers: [seeder.address], selectedFiles: [EMPTY] };
    const torrent = await addTorrent(await openNode(), source, options);
    await torrent.done();
    expect([torrent.files()[EMPTY.first]?.lengthBytes, torrent.isDone, torrent.stats().bytesFromPeers]).toEqual([
      0,
      true,
      0,
    ]);
  });

  test('of which files are asked for that it has not fails, as soon as that is known', async () => {
    const { magnet, metainfo, node: seeder } = await seedFolder('v1');
    const options = { folder: await testFolder('add-torrent'), peers: [seeder.address] };
    const selectedFiles = [{ first: 2, last: 99 }];
    const refused = { code: 'invalid_input', message: 'the torrent has no such file' };
    await expect(addTorrent(await openNode(), metainfo, { ...options, selectedFiles })).rejects.toMatchObject(refused);
    const torrent = await addTorrent(await openNode(), magnet, { ...options, selectedFiles });
    await expect(torrent.done()).rejects.toMatchObject(refused);
    await expect(torrent.ready()).rejects.toMatchObject(refused);
    const other = await addTorrent(await openNode(), magnet, { ...options, folder: await testFolder('add-torrent') });
    other.select(selectedFiles);
    await expect(other.done()).rejects.toMatchObject(refused);
    const known = await addTorrent(await openNode(), metainfo, { folder: await testFolder('add-torrent') });
    expect(() => known.select(selectedFiles)).toThrow(expect.objectContaining(refused));
    expect(known.files().map(({ priority }) => priority)).toEqual(['normal', 'normal']);
  });

  test('is found at the peers that its magnet link names, where strangers may name such', async () => {
    const { torrent: seeded, node: seeder } = await seedFilm();
    const magnet = formatMagnet({ ...seeded.hashes, peers: [seeder.address] });
    const folder = await testFolder('add-torrent');
    const torrent = await addTorrent(await openNode({ allowPrivate: true }), magnet, { folder });
    await torrent.done();
    expect(torrent.isComplete).toBe(true);
  });

  test('that is here from an earlier run is checked, and asked of nobody', async () => {
    const { magnet, metainfo, node: seeder } = await seedFolder('hybrid');
    const folder = await testFolder('add-torrent');
    await using first = await SwarmNode.open({ host: '127.0.0.1', utp: false });
    await (await addTorrent(first, magnet, { folder, peers: [seeder.address] })).done();
    await first.stop();
    const again = await addTorrent(await openNode(), metainfo, { folder });
    await again.done();
    expect(again.stats()).toMatchObject({ progress: 1, bytesFromPeers: 0 });
  });

  test('is not added twice, and the first goes on', async () => {
    const { metainfo, node: seeder } = await seedFilm();
    const node = await openNode();
    const options = { folder: await testFolder('add-torrent'), peers: [seeder.address] };
    const torrent = await addTorrent(node, metainfo, options);
    await expect(addTorrent(node, metainfo, options)).rejects.toMatchObject({
      code: 'conflict',
      message: 'the torrent is running already',
    });
    await torrent.done();
  });

  test.each([
    ['was deleted', (file: string): Promise<void> => unlink(file)],
    [
      'was replaced by another file',
      async (file: string): Promise<void> => {
        await writeFile(`${file}.new`, new Uint8Array(FILM.length));
        await rename(`${file}.new`, file);
      },
    ],
  ])('whose file %s while it was open is found incomplete by a recheck, and fetched anew', async (_, spoil) => {
    const { metainfo, info, node: seeder } = await seedFilm();
    const folder = await testFolder('add-torrent');
    const torrent = await addTorrent(await openNode(), metainfo, { folder, peers: [seeder.address] });
    await torrent.done();
    const file = path.join(folder, info.name);
    await spoil(file);
    const lost: number[] = [];
    torrent.events.on('lost', ({ pieces }) => lost.push(...pieces));
    await torrent.recheck();
    expect(lost).toHaveLength(info.pieceCount);
    await torrent.done();
    expect((await readFile(file)).equals(FILM)).toBe(true);
  });

  test.each([
    ['an address that is no magnet link', 'https://example.org/film.torrent', 'not a magnet link'],
    ['a magnet link without a hash', 'magnet:?dn=film', 'without an info hash'],
    ['bytes that are no .torrent file', new TextEncoder().encode('<!doctype html>'), /./],
  ])('cannot be %s', async (_, source, message) => {
    const adding = addTorrent(await openNode(), source, { folder: await testFolder('add-torrent') });
    await expect(adding).rejects.toThrow(message);
    await expect(adding).rejects.toMatchObject({ code: 'invalid_input' });
  });
});

describe('a caller without types is told what is wrong', () => {
  test.each([
    ['no options', undefined, 'options'],
    ['no folder', {}, 'folder'],
    ['a folder without a name', { folder: '' }, 'folder'],
    ['a mode that is none', { folder: 'never-made', mode: 'seed' }, 'mode'],
    ['a limit that is none', { folder: 'never-made', downloadBytesPerSecond: '9' }, 'downloadBytesPerSecond'],
  ])('of %s, before anything is written', async (_, options, option) => {
    const adding = addTorrent(await openNode(), (await seedFilm()).metainfo, options as never);
    await expect(adding).rejects.toMatchObject({ code: 'invalid_input', facts: { option } });
    expect(existsSync('never-made')).toBe(false);
  });

  test.each([undefined, 5, { magnet: 'magnet:?' }])('of a torrent that is %s', async (source) => {
    const adding = addTorrent(await openNode(), source as never, { folder: 'never-made' });
    await expect(adding).rejects.toMatchObject({ code: 'invalid_input' });
  });

  test.each([
    ['encryption', { encryption: 'required' }],
    ['port', { port: 70_000 }],
    ['dht.port', { dht: { port: 99_999, bootstrap: [] } }],
  ])('of %s, and no port is opened', async (option, options) => {
    const opening = SwarmNode.open({ host: '127.0.0.1', utp: false, ...(options as object) });
    await expect(opening).rejects.toMatchObject({ code: 'invalid_input', facts: { option } });
  });
});

/** An HTTP server of the film; how often it was asked. */
async function serveFilm(): Promise<{ readonly url: string; readonly asked: () => number }> {
  let asked = 0;
  const server = createServer(({ headers: { range = '' } }, response) => {
    asked++;
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    const [start, end] = [Number(first), Number(last)];
    response.writeHead(206, {
      'content-range': `bytes ${start}-${end}/${FILM.length}`,
      'content-length': end - start + 1,
    });
    response.end(FILM.subarray(start, end + 1));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo; // of a TCP server
  return { url: `http://127.0.0.1:${port}/film.bin`, asked: () => asked };
}

/** The .torrent file with an HTTP source. */
function withWebSeed(metainfo: Uint8Array, url: string): Uint8Array {
  return writeMetainfo({ rawInfo: parseMetainfo(metainfo).info.rawInfo, webSeeds: [url] });
}

/** Resolves when a torrent's files are open, whichever way it was named. */
async function addAndOpen(...args: Parameters<typeof addTorrent>): Promise<void> {
  await (await addTorrent(...args)).done();
}

describe('a file that has the name of one of the torrent', () => {
  test.each(['magnet', 'metainfo'] as const)('stays as it is where it is longer: Conflict, by %s', async (by) => {
    const { [by]: source, node: seeder } = await seedFolder('v1');
    const folder = await testFolder('add-torrent');
    const file = path.join(folder, 'two-files', 'one.bin');
    const mine = seededBytes('mine', FILES['one.bin'].length + 1);
    await mkdir(path.dirname(file));
    await writeFile(file, mine);
    const adding = addAndOpen(await openNode(), source, { folder, peers: [seeder.address] });
    await expect(adding).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining(file) });
    expect((await readFile(file)).equals(mine)).toBe(true);
    expect(await readdir(path.dirname(file))).toEqual(['one.bin']); // nothing was made beside it
  });

  test.each([
    ['shorter', FILM.subarray(0, 2 * MIB + 5), true],
    ['as long and wrong', new Uint8Array(FILM.length), false],
  ])('is taken for an earlier run where it is %s: what is right in it is not fetched', async (_, bytes, isUseful) => {
    const { metainfo, info, node: seeder } = await seedFilm();
    const folder = await testFolder('add-torrent');
    await writeFile(path.join(folder, info.name), bytes);
    const torrent = await addTorrent(await openNode(), metainfo, { folder, peers: [seeder.address] });
    await torrent.done();
    expect((await readFile(path.join(folder, info.name))).equals(FILM)).toBe(true);
    expect(torrent.stats().bytesFromPeers < FILM.length).toBe(isUseful);
  });

  test.each(['magnet', 'metainfo'] as const)(
    'stays as it is while another torrent of the process has it, and is free afterwards: by %s',
    async (by) => {
      const first = await seedFolder('v1');
      const other = await seedFolder('v2'); // the same names
      const folder = await testFolder('add-torrent');
      const node = await openNode();
      const running = await addTorrent(node, first.metainfo, { folder, peers: [first.node.address] });
      const options = { folder, peers: [other.node.address] };
      await expect(addAndOpen(await openNode(), other[by], options)).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringMatching(/two-files.*stop that one or choose another folder/),
      });
      await running.done();
      await running.stop();
      await addAndOpen(await openNode(), other[by], options);
    },
  );

  test('stays as it is while it is being seeded', async () => {
    const seeded = await seedFolder('v1');
    const other = await seedFolder('v2');
    const options = { folder: path.dirname(seeded.file), peers: [other.node.address] };
    const adding = addTorrent(await openNode(), other.metainfo, options);
    await expect(adding).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining(seeded.file) });
    await expect(seedFile(seeded.node, seeded)).rejects.toMatchObject({ code: 'conflict' });
    await seeded.torrent.stop();
    await addAndOpen(await openNode(), other.metainfo, options); // the seed that was refused holds nothing
  });
});

describe('an HTTP source that a torrent names', () => {
  test('is enough to have the torrent', async () => {
    const { metainfo, node: seeder } = await seedFilm();
    await seeder.stop();
    const { url } = await serveFilm();
    const node = await openNode({ allowPrivate: true });
    const options = { folder: await testFolder('add-torrent'), webSeedUse: 'always' } as const;
    const torrent = await addTorrent(node, withWebSeed(metainfo, url), options);
    await torrent.done();
    expect(torrent.stats()).toMatchObject({ bytesFromHttp: FILM.length, bytesFromPeers: 0 });
  });

  test('serves a magnet link, too, once the metadata has come from a peer', async () => {
    const { torrent: seeded, node: seeder } = await seedFilm();
    const { url } = await serveFilm();
    const magnet = formatMagnet({ ...seeded.hashes, webSeeds: [url] });
    const options = { mode: 'on-demand', webSeedUse: 'always', peers: [seeder.address] } as const;
    const folder = await testFolder('add-torrent');
    const torrent = await addTorrent(await openNode({ allowPrivate: true }), magnet, { folder, ...options });
    await torrent.ready();
    await seeder.stop();
    torrent.setMode('all');
    await torrent.done();
    expect(torrent.stats()).toMatchObject({ bytesFromHttp: FILM.length, bytesFromPeers: 0 });
  });

  test.each([
    ['lies inside the network, which strangers may not name', {}, {}],
    ['is not to be used', { allowPrivate: true }, { useWebSeeds: false }],
  ])('is never asked where it %s', async (_, nodeOptions, torrentOptions) => {
    const { metainfo, node: seeder } = await seedFilm();
    const { url, asked } = await serveFilm();
    const torrent = await addTorrent(await openNode(nodeOptions), withWebSeed(metainfo, url), {
      folder: await testFolder('add-torrent'),
      peers: [seeder.address],
      webSeedUse: 'always',
      ...torrentOptions,
    });
    await torrent.done();
    expect(asked()).toBe(0);
  });
});
