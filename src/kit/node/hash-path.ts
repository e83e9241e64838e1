/**
 * A file or folder of the user's as a torrent of a chosen format, under its own name: read once to be hashed, then served
 * from where it lies. (The canonical torrent of a single file is `hashFile`'s.)
 */
import { createReadStream } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { PlacedFile } from '../../adapters/fs/placement.ts';
import { nodeHasher } from '../../adapters/node-crypto/hasher.ts';
import { InvalidInput } from '../../base/errors.ts';
import { checkKeys, checkSignal, type OptionKeys } from '../../base/options.ts';
import { MIB } from '../../base/units.ts';
import { canonicalPieceLength } from '../../codec/canonical.ts';
import { inTorrentOrder, type TorrentFormat } from '../../codec/make-info.ts';
import { MAX_FILES } from '../../codec/torrent-files.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';
import { makeTorrent } from '../../torrent/index.ts';
import type { HashedFile, HashFileOptions } from './seed-files.ts';

const READ_BYTES = MIB;

/** What torrent is made of a file or folder. */
export interface HashPathOptions extends HashFileOptions {
  readonly format: TorrentFormat;
  /** A power of two from 16 KiB on; default: as for canonical torrents. */
  readonly pieceLengthBytes?: number;
}

const PATH_KEYS: OptionKeys<HashPathOptions> = { format: true, pieceLengthBytes: true, hashed: true, signal: true };

interface FoundFile {
  readonly file: string;
  readonly path: readonly string[];
  readonly lengthBytes: number;
}

/**
 * Hashes a file or folder, reading each byte once. Links and special files in a folder are left out.
 * @throws InvalidInput for what is missing, empty or has too many files, and an option that is none, Conflict when a file changes meanwhile, Cancelled
 */
export async function hashPath(target: string, options: HashPathOptions): Promise<HashedFile> {
  checkKeys('hashPath', options, PATH_KEYS);
  checkSignal(options.signal);
  const root = path.resolve(target);
  const name = path.basename(root);
  const files = inTorrentOrder(await findFiles(root, name));
  const totalBytes = files.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  if (totalBytes === 0) throw new InvalidInput(`${target} is empty; only files with bytes make a torrent`, { target });
  const { format, pieceLengthBytes = canonicalPieceLength(totalBytes), signal, hashed } = options;
  const { info, pieceLayers } = await makeTorrent({
    format,
    name,
    pieceLengthBytes,
    files: files.map((file) => Object.assign({ read: () => readFrom(file.file, signal) }, file)),
    hasher: nodeHasher,
    ...(signal && { signal }),
    hashed: (hashedBytes) => hashed?.(hashedBytes, totalBytes),
  });
  return { file: root, name, info, placed: place(info, files), ...(pieceLayers && { pieceLayers }) };
}

async function findFiles(root: string, name: string): Promise<FoundFile[]> {
  const found = await stat(root).catch((error: unknown) => {
    throw new InvalidInput(`${root} cannot be read`, { file: root }, { cause: error });
  });
  if (!found.isDirectory()) return [{ file: root, path: [name], lengthBytes: found.size }];
  const files: FoundFile[] = [];
  for await (const entry of await opendir(root, { recursive: true })) {
    if (!entry.isFile()) continue;
    if (files.length === MAX_FILES) throw new InvalidInput(`more than ${MAX_FILES} files make no torrent`);
    const file = path.join(entry.parentPath, entry.name);
    const { size } = await stat(file);
    files.push({ file, path: path.relative(root, file).split(path.sep), lengthBytes: size });
  }
  return files;
}

function readFrom(file: string, signal: AbortSignal | undefined): AsyncIterable<Uint8Array> {
  return createReadStream(file, { highWaterMark: READ_BYTES, ...(signal && { signal }) });
}

/** Where each file of the torrent lies; `files` are in the torrent's order. */
function place(info: TorrentInfo, files: readonly FoundFile[]): PlacedFile[] {
  let next = 0;
  return info.files.map(({ isPad, lengthBytes, offsetBytes }) => ({
    file: isPad ? undefined : files[next++]?.file,
    lengthBytes,
    offsetBytes,
  }));
}
