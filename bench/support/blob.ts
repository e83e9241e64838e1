/** Inputs of benches: seeded files with the canonical torrent of each, made in one pass. */
import { createHash } from 'node:crypto';
import { mkdir, open, rename, statfs, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { concatBytes } from '../../src/base/bytes.ts';
import { type InfoHashV1, parseSha256, type Sha256 } from '../../src/base/ids.ts';
import { canonicalInfo, canonicalPieceLength } from '../../src/codec/canonical.ts';
import { infoHashV1Of, writeMetainfo } from '../../src/codec/metainfo.ts';
import { seededBytes } from '../../test/support/random-bytes.ts';
import { type TemporaryFolder, temporaryFolder } from '../../test/support/temp-dir.ts';

export interface SeededBlob {
  readonly sha256: Sha256;
  readonly infoHash: InfoHashV1;
  readonly sizeBytes: number;
  /** SHA-1 of each piece, back to back. */
  readonly pieces: Uint8Array;
  /** Folder that holds the bytes under the torrent's name, which is the sha256. */
  readonly dataFolder: string;
  readonly torrentFile: string;
}

/** Writes `<folder>/data/<sha256>` and `<folder>/torrents/<sha256>.torrent`. */
export async function makeBlob(folder: string, seed: string, sizeBytes: number): Promise<SeededBlob> {
  const [dataFolder, torrentFolder] = [path.join(folder, 'data'), path.join(folder, 'torrents')];
  await Promise.all([dataFolder, torrentFolder].map((made) => mkdir(made, { recursive: true })));
  const draft = path.join(dataFolder, `draft-${seed}`);
  const { sha256, pieces } = await writeHashed(draft, seed, sizeBytes);
  await rename(draft, path.join(dataFolder, sha256));
  const rawInfo = canonicalInfo({ sha256, sizeBytes, pieces });
  const torrentFile = path.join(torrentFolder, `${sha256}.torrent`);
  await writeFile(torrentFile, writeMetainfo({ rawInfo }));
  return { sha256, infoHash: await infoHashV1Of(rawInfo), sizeBytes, pieces, dataFolder, torrentFile };
}

async function writeHashed(
  file: string,
  seed: string,
  sizeBytes: number,
): Promise<{ sha256: Sha256; pieces: Uint8Array }> {
  const whole = createHash('sha256');
  const pieces: Uint8Array[] = [];
  const pieceBytes = canonicalPieceLength(sizeBytes);
  const handle = await open(file, 'w');
  try {
    for (let at = 0; at < sizeBytes; at += pieceBytes) {
      const piece = seededBytes(seed, Math.min(pieceBytes, sizeBytes - at), at);
      whole.update(piece);
      pieces.push(createHash('sha1').update(piece).digest());
      await handle.write(piece);
    }
  } finally {
    await handle.close();
  }
  return { sha256: parseSha256(whole.digest('hex')), pieces: concatBytes(pieces) };
}

/** A temporary folder in memory where there is room for so much, else on disk: benches of the wire must not measure a disk. */
export async function memoryFolder(purpose: string, neededBytes: number): Promise<TemporaryFolder> {
  const shm = await statfs('/dev/shm').catch(() => undefined);
  const hasRoom = shm !== undefined && shm.bavail * shm.bsize > 2 * neededBytes;
  return temporaryFolder(purpose, hasRoom ? '/dev/shm' : os.tmpdir());
}
