/**
 * The one canonical torrent of a blob: v1, single file, named by its sha256, piece length fixed by the size, nothing else
 * in `info`. The info hash is therefore a function of the bytes, on every server. Seen by other programs: never change it.
 */
import { equalBytes } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import { isSha256, type Sha256 } from '../base/ids.ts';
import { KIB, MIB } from '../base/units.ts';
import { encodeBencode } from './bencode.ts';
import { SHA1_BYTES, type TorrentInfo } from './torrent-info.ts';

const MIN_PIECE_LENGTH_BYTES = 256 * KIB;
const MAX_PIECE_LENGTH_BYTES = 16 * MIB;
const MAX_PIECE_COUNT = 2_048;

/** Smallest power of two from 256 KiB to 16 MiB that gives at most 2,048 pieces. @throws InvalidInput for empty blobs. */
export function canonicalPieceLength(sizeBytes: number): number {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0)
    throw new InvalidInput('only a blob with bytes has a torrent', { sizeBytes });
  let pieceLengthBytes = MIN_PIECE_LENGTH_BYTES;
  while (pieceLengthBytes < MAX_PIECE_LENGTH_BYTES && sizeBytes > pieceLengthBytes * MAX_PIECE_COUNT)
    pieceLengthBytes *= 2;
  return pieceLengthBytes;
}

/** @throws InvalidInput for empty blobs. */
export function canonicalPieceCount(sizeBytes: number): number {
  return Math.ceil(sizeBytes / canonicalPieceLength(sizeBytes));
}

/** What the canonical torrent of a blob is made from. */
export interface CanonicalBlob {
  readonly sha256: Sha256;
  readonly sizeBytes: number;
  /** SHA-1 of each piece, back to back. */
  readonly pieces: Uint8Array;
}

/** The raw info dictionary. @throws InvalidInput for empty blobs and when the number of hashes does not fit the size. */
export function canonicalInfo({ sha256, sizeBytes, pieces }: CanonicalBlob): Uint8Array<ArrayBuffer> {
  const pieceLengthBytes = canonicalPieceLength(sizeBytes);
  if (pieces.length !== canonicalPieceCount(sizeBytes) * SHA1_BYTES)
    throw new InvalidInput('the number of piece hashes does not fit the size', { bytes: pieces.length, sizeBytes });
  return encodeBencode({ length: sizeBytes, name: sha256, 'piece length': pieceLengthBytes, pieces });
}

/** The sha256 that a torrent claims for its bytes when it has the canonical form; undefined otherwise. A claim, not a proof. */
export function canonicalSha256Of(info: TorrentInfo): Sha256 | undefined {
  if (!isSha256(info.name) || info.pieces === undefined) return undefined;
  if (info.pieceLengthBytes !== canonicalPieceLength(info.totalBytes)) return undefined;
  const canonical = canonicalInfo({ sha256: info.name, sizeBytes: info.totalBytes, pieces: info.pieces });
  return equalBytes(canonical, info.rawInfo) ? info.name : undefined;
}
