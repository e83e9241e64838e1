/** Hashes a few pieces of a blob to notice what size, time and inode cannot tell: bytes that changed under them. */
import { equalBytes } from '../base/bytes.ts';
import { throwIfAborted } from '../base/errors.ts';
import type { BlobReader } from '../store/blobs.ts';
import type { Hasher } from '../torrent/index.ts';
import type { TorrentRow } from './medium.ts';

const SHA1_BYTES = 20;
/** Catches most damage at hardly any cost; for files that look untouched. */
const FEW_SAMPLES = 4;
/** Catches a file that lacks a tenth of its pieces with 99 % (n = ln 0.01 / ln 0.9); for files that look changed. */
export const MANY_SAMPLES = 44;

export interface SamplePorts {
  readonly hasher: Pick<Hasher, 'sha1'>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** At most so many pieces; default 4. */
  readonly samples?: number;
}

/** The index of a piece whose bytes are wrong; undefined when every sampled one is right. The first and last are always among them. */
export async function samplePieces(
  row: TorrentRow,
  reader: BlobReader,
  ports: SamplePorts,
  signal: AbortSignal,
): Promise<number | undefined> {
  for (const piece of sampleOf(row.pieces.length / SHA1_BYTES, ports.samples ?? FEW_SAMPLES, ports.random)) {
    throwIfAborted(signal);
    if (!(await isRight(row, reader, ports.hasher, piece))) return piece;
  }
  return undefined;
}

/**
 * Indexes below `count`, spread evenly with a random one in each stretch, the first and the last among them; all of them
 * when there are no more than `samples`. Pure but for `random`.
 */
export function sampleOf(count: number, samples: number, random: () => number): ReadonlySet<number> {
  if (count <= samples) return new Set(Array.from({ length: count }, (_, index) => index));
  const chosen = new Set([0, count - 1]);
  for (let stretch = 1; stretch < samples - 1; stretch++) {
    chosen.add(Math.floor(((stretch + random()) * count) / samples));
  }
  return chosen;
}

async function isRight(
  row: TorrentRow,
  reader: BlobReader,
  hasher: SamplePorts['hasher'],
  piece: number,
): Promise<boolean> {
  const position = piece * row.pieceLengthBytes;
  const bytes = new Uint8Array(Math.min(row.pieceLengthBytes, row.sizeBytes - position));
  if ((await reader.read([bytes], position)) !== bytes.length) return false;
  const wanted = row.pieces.subarray(piece * SHA1_BYTES, (piece + 1) * SHA1_BYTES);
  return equalBytes(await hasher.sha1(bytes), wanted);
}
