/** A file that is a film to every engine: random bytes, one bitrate, and a private torrent per piece size. */
import { createHash } from 'node:crypto';
import { open, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { concatBytes } from '../../src/base/bytes.ts';
import { MIB } from '../../src/base/units.ts';
import { encodeBencode } from '../../src/codec/bencode.ts';
import { writeMetainfo } from '../../src/codec/metainfo.ts';
import { seededBytes } from '../../test/support/random-bytes.ts';

export interface Film {
  readonly sizeBytes: number;
  /** Holds the bytes under the torrents' name. */
  readonly folder: string;
  /** One per piece length asked for, in that order. */
  readonly torrentFiles: readonly string[];
}

const NAME = 'film.mkv';

/** Writes `<folder>/film.mkv` and its torrents. Private: peer exchange would lead clients round the shaper. */
export async function makeFilm(folder: string, sizeBytes: number, pieceLengths: readonly number[]): Promise<Film> {
  const hashes = pieceLengths.map((): Uint8Array[] => []);
  const handle = await open(path.join(folder, NAME), 'w');
  const stepBytes = Math.max(MIB, ...pieceLengths);
  try {
    for (let at = 0; at < sizeBytes; at += stepBytes) {
      const bytes = seededBytes('film', Math.min(stepBytes, sizeBytes - at), at);
      for (const [index, length] of pieceLengths.entries()) hashes[index]?.push(...sha1s(bytes, length));
      await handle.write(bytes);
    }
  } finally {
    await handle.close();
  }
  const torrentFiles = pieceLengths.map((length) => path.join(folder, `${length}.torrent`));
  for (const [index, file] of torrentFiles.entries()) {
    const pieces = concatBytes(hashes[index] ?? []);
    const info = { length: sizeBytes, name: NAME, 'piece length': pieceLengths[index] ?? 0, pieces, private: 1 };
    await writeFile(file, writeMetainfo({ rawInfo: encodeBencode(info) }));
  }
  return { sizeBytes, folder, torrentFiles };
}

function sha1s(bytes: Uint8Array, length: number): Uint8Array[] {
  const hashes: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += length)
    hashes.push(
      createHash('sha1')
        .update(bytes.subarray(at, at + length))
        .digest(),
    );
  return hashes;
}
