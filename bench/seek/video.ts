/** A file that is a film to every engine: random bytes, one bitrate, and private torrents of it. */
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { nodeHasher } from '../../src/adapters/node-crypto/hasher.ts';
import { encodeBencode } from '../../src/codec/bencode.ts';
import { writeMetainfo } from '../../src/codec/metainfo.ts';
import type { TorrentInfo } from '../../src/codec/torrent-info.ts';
import { makeTorrent } from '../../src/torrent/index.ts';
import { writeSeededFile } from '../../test/support/random-bytes.ts';

export interface Film {
  readonly sizeBytes: number;
  /** Holds the bytes under the torrents' name. */
  readonly folder: string;
}

const NAME = 'film.mkv';

/** Writes `<folder>/film.mkv`. */
export async function makeFilm(folder: string, sizeBytes: number): Promise<Film> {
  await writeSeededFile(path.join(folder, NAME), 'film', sizeBytes);
  return { sizeBytes, folder };
}

/** Writes a torrent of the film beside it and resolves with its path. */
export async function makeFilmTorrent(film: Film, format: 'v1' | 'v2', pieceLengthBytes: number): Promise<string> {
  const { folder, sizeBytes: lengthBytes } = film;
  const file = { path: [NAME], lengthBytes, read: () => createReadStream(path.join(folder, NAME)) };
  const made = await makeTorrent({ format, name: NAME, pieceLengthBytes, files: [file], hasher: nodeHasher });
  const torrentFile = path.join(folder, `${format}-${pieceLengthBytes}.torrent`);
  const { pieceLayers } = made;
  await writeFile(torrentFile, writeMetainfo({ rawInfo: privateInfo(made.info), ...(pieceLayers && { pieceLayers }) }));
  return torrentFile;
}

/** The same with BEP 27's flag: peer exchange would lead clients round the shaper. */
function privateInfo({ files, pieces, pieceLengthBytes, totalBytes }: TorrentInfo): Uint8Array {
  const common = { name: NAME, 'piece length': pieceLengthBytes, private: 1 };
  if (pieces !== undefined) return encodeBencode({ ...common, length: totalBytes, pieces });
  const leaf = { length: totalBytes, 'pieces root': files[0]?.piecesRoot };
  return encodeBencode({ ...common, 'file tree': { [NAME]: { '': leaf } }, 'meta version': 2 });
}
