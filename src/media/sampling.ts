/** Hashes a few pieces of a blob to notice what size, time and inode cannot tell: bytes that changed under them. */
import { equalBytes } from '../base/bytes.ts';
import { throwIfAborted } from '../base/errors.ts';
import type { BlobReader } from '../store/blobs.ts';
import type { Hasher } from '../torrent/index.ts';
import type { TorrentRow } from './medium.ts';

const SHA1_BYTES = 20;
const SAMPLES = 4;

/** The index of a piece whose bytes are wrong; undefined when every sampled one is right. The first and last are always among them. */
export async function samplePieces(
  row: TorrentRow,
  reader: BlobReader,
  ports: { readonly hasher: Hasher; readonly random: () => number },
  signal: AbortSignal,
): Promise<number | undefined> {
  const pieceCount = row.pieces.length / SHA1_BYTES;
  const chosen = new Set([0, pieceCount - 1]);
  for (let more = 2; more < SAMPLES; more++) chosen.add(Math.floor(ports.random() * pieceCount));
  for (const piece of chosen) {
    throwIfAborted(signal);
    if (!(await isRight(row, reader, ports.hasher, piece))) return piece;
  }
  return undefined;
}

async function isRight(row: TorrentRow, reader: BlobReader, hasher: Hasher, piece: number): Promise<boolean> {
  const position = piece * row.pieceLengthBytes;
  const bytes = new Uint8Array(Math.min(row.pieceLengthBytes, row.sizeBytes - position));
  if ((await reader.read([bytes], position)) !== bytes.length) return false;
  const wanted = row.pieces.subarray(piece * SHA1_BYTES, (piece + 1) * SHA1_BYTES);
  return equalBytes(await hasher.sha1(bytes), wanted);
}
