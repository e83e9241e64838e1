/**
 * BitTorrent v2 and hybrids (BEP 52) between libtorrent and Seedbed, both ways, over loopback. The torrents are ours, so
 * that libtorrent also judges what we make; by magnet, the piece layers come by hash requests.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fetchTorrent } from '../../src/app/swarm/fetch-torrent.ts';
import { KIB } from '../../src/base/units.ts';
import type { TorrentFormat } from '../../src/codec/make-info.ts';
import { formatMagnet } from '../../src/codec/magnet.ts';
import { writeMetainfo } from '../../src/codec/metainfo.ts';
import { type HashedFile, hashPath, seedFile, SwarmNode } from '../../src/kit/node/index.ts';
import { infoHashesOf } from '../../src/codec/metainfo.ts';
import { freePort } from '../support/free-port.ts';
import { describeWith } from '../support/peers.ts';
import { type Program, startProgram } from '../support/program.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { testFolder } from '../support/temp-dir.ts';

const LIBTORRENT = path.resolve(import.meta.dirname, 'peers/libtorrent_peer.py');
const TEST_TIMEOUT_MS = 60_000;
const TRANSFER_MS = 40_000;
const HOST = '127.0.0.1';
const PIECE_BYTES = 64 * KIB;

/** More than 512 pieces, so that the layer takes several hash requests; the last piece is short. */
const ONE_FILE = { 'film.bin': 34_000_001 };
const MANY_FILES = {
  'a.bin': 3_000_001,
  'empty.bin': 0,
  'folder/one piece.bin': PIECE_BYTES,
  'folder/one block.bin': 16_384,
  'folder/tiny.bin': 5,
  'z.bin': 70_000,
};

interface Made {
  readonly hashed: HashedFile;
  /** Holds the file or folder. */
  readonly folder: string;
  readonly torrent: string;
  readonly magnets: Readonly<Record<string, string>>;
}

async function make(format: TorrentFormat, sizes: Readonly<Record<string, number>>): Promise<Made> {
  const folder = await testFolder('v2-source');
  const names = Object.keys(sizes);
  const root = path.join(folder, names.length === 1 ? (names[0] ?? '') : 'several');
  for (const [name, size] of Object.entries(sizes)) {
    const file = names.length === 1 ? root : path.join(root, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, seededBytes(`${format} ${name}`, size));
  }
  const signal = new AbortController().signal;
  const hashed = await hashPath(root, { format, pieceLengthBytes: PIECE_BYTES, signal });
  const { info, pieceLayers } = hashed;
  const torrent = path.join(await testFolder('v2-torrent'), 'made.torrent');
  await writeFile(torrent, writeMetainfo({ rawInfo: info.rawInfo, ...(pieceLayers && { pieceLayers }) }));
  const { v1, v2 } = await infoHashesOf(info);
  const magnets = { v2: formatMagnet({ ...(v2 && { v2 }) }), ...(v1 && v2 && { both: formatMagnet({ v1, v2 }) }) };
  return { hashed, folder, torrent, magnets };
}

/** Every file below the folder with its digest. */
async function contents(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    found[path.relative(folder, file)] = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
  }
  return found;
}

async function libtorrent(mode: 'seed' | 'leech', source: string, folder: string, peerPort?: number) {
  const port = await freePort();
  const options = peerPort === undefined ? {} : { peer: [HOST, peerPort] };
  const args = [LIBTORRENT, mode, source, folder, `${HOST}:${port}`, JSON.stringify(options)];
  const program: Program = startProgram('/usr/bin/python3', args);
  onTestFinished(async () => void (await program.stop()));
  return { program, port };
}

const SOURCES = {
  'a .torrent': ({ torrent }: Made) => torrent,
  'a magnet of its v2 hash': ({ magnets }: Made) => magnets['v2'],
  'a magnet of both hashes': ({ magnets }: Made) => magnets['both'],
};

describeWith(['libtorrent'], 'libtorrent', () => {
  const shapes = { 'one file': ONE_FILE, 'several files': MANY_FILES };
  const cases = (['v2', 'hybrid'] as const).flatMap((format) =>
    (['one file', 'several files'] as const).flatMap((shape) =>
      (['a .torrent', 'a magnet of its v2 hash', 'a magnet of both hashes'] as const)
        .filter((by) => format === 'hybrid' || by !== 'a magnet of both hashes')
        .map((by) => ({ format, shape, by })),
    ),
  );

  test.each(cases)(
    'fetches $shape from us as $format by $by',
    async ({ format, shape, by }) => {
      const made = await make(format, shapes[shape]);
      await using node = await SwarmNode.open({ host: HOST, allowPrivate: true });
      await seedFile(node, made.hashed, []);
      const folder = await testFolder('v2-leech');
      const { program } = await libtorrent('leech', SOURCES[by](made) ?? '', folder, node.address.port);
      await program.line(/^DONE$/m, TRANSFER_MS);
      expect(await contents(folder)).toEqual(await contents(made.folder));
    },
    TEST_TIMEOUT_MS,
  );

  test.each(cases)(
    'serves us $shape as $format by $by',
    async ({ format, shape, by }) => {
      const made = await make(format, shapes[shape]);
      const { program, port } = await libtorrent('seed', made.torrent, made.folder);
      await program.line(/^READY$/m);
      const target = path.join(await testFolder('v2-get'), path.basename(made.hashed.file));
      await using fetching = await fetchTorrent({
        source: SOURCES[by](made) ?? '',
        target,
        peers: [`${HOST}:${port}`],
        port: 0,
        useWebSeeds: false,
        allowPrivate: true,
        signal: AbortSignal.timeout(TRANSFER_MS),
      });
      await fetching.done;
      expect(await contents(path.dirname(target))).toEqual(await contents(made.folder));
    },
    TEST_TIMEOUT_MS,
  );
});
