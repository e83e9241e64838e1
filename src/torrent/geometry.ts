/**
 * Piece and block arithmetic over one flat byte space. Invariants: spans of pieces tile [0, totalBytes) without gaps; a
 * piece's own bytes are its span less the padding at its end (v2 pieces end with their file, BEP 52; pad files, BEP 47),
 * and blocks tile just these, so that padding is never asked for.
 */
import { InvalidInput } from '../base/errors.ts';
import type { TorrentInfo } from '../codec/torrent-info.ts';
import { BLOCK_BYTES, type BlockRef } from '../codec/wire.ts';

/** What of the metadata says where pieces lie. */
export type PieceLayout = Pick<TorrentInfo, 'version' | 'totalBytes' | 'pieceLengthBytes' | 'files'>;

/** Where pieces end in padding. */
interface Padding {
  /** Pieces that end in padding, with their own bytes. */
  readonly padded: ReadonlyMap<number, number>;
  /** Whether others may count on padding behind the last byte, up to a whole piece. */
  readonly isPaddedBehind: boolean;
}

const NO_PADDING: Padding = { padded: new Map(), isPaddedBehind: false };

/** Where pieces and blocks lie in a torrent's flat byte space. */
export class Geometry {
  readonly totalBytes: number;
  readonly pieceLengthBytes: number;
  readonly pieceCount: number;
  readonly blocksPerPiece: number;
  readonly #padding: Padding;

  /** @throws InvalidInput unless both sizes are positive safe integers. */
  constructor(totalBytes: number, pieceLengthBytes: number, padding: Padding = NO_PADDING) {
    if (!Number.isSafeInteger(totalBytes) || totalBytes <= 0) throw new InvalidInput('a torrent has at least one byte');
    if (!Number.isSafeInteger(pieceLengthBytes) || pieceLengthBytes <= 0)
      throw new InvalidInput('a piece has at least one byte');
    this.totalBytes = totalBytes;
    this.pieceLengthBytes = pieceLengthBytes;
    this.pieceCount = Math.ceil(totalBytes / pieceLengthBytes);
    this.blocksPerPiece = Math.ceil(pieceLengthBytes / BLOCK_BYTES);
    this.#padding = padding;
  }

  static of(info: PieceLayout): Geometry {
    // libtorrent pads the last file of a v2 torrent like any other and asks for that padding.
    const padding = { padded: paddedPieces(info), isPaddedBehind: info.version === 'v2' };
    return new Geometry(info.totalBytes, info.pieceLengthBytes, padding);
  }

  /** Position of the piece's first byte. */
  pieceStart(piece: number): number {
    return piece * this.pieceLengthBytes;
  }

  /** The piece's own bytes, without the padding at its end; 0 beyond the end. */
  pieceBytes(piece: number): number {
    return this.#padding.padded.get(piece) ?? this.spanBytes(piece);
  }

  /** Room the piece takes in the flat byte space, padding included; 0 beyond the end. */
  spanBytes(piece: number): number {
    return Math.max(0, Math.min(this.pieceLengthBytes, this.totalBytes - this.pieceStart(piece)));
  }

  blockCount(piece: number): number {
    return Math.ceil(this.pieceBytes(piece) / BLOCK_BYTES);
  }

  /** Size of the block in bytes. */
  blockBytes(piece: number, block: number): number {
    return Math.min(BLOCK_BYTES, this.pieceBytes(piece) - block * BLOCK_BYTES);
  }

  /** A number that names the block within the torrent. */
  blockKey(piece: number, block: number): number {
    return piece * this.blocksPerPiece + block;
  }

  pieceOf(blockKey: number): number {
    return Math.floor(blockKey / this.blocksPerPiece);
  }

  /** What requests, cancels and rejects say about the block. */
  blockRef(blockKey: number): BlockRef {
    const piece = this.pieceOf(blockKey);
    const block = blockKey - piece * this.blocksPerPiece;
    return { piece, offsetBytes: block * BLOCK_BYTES, lengthBytes: this.blockBytes(piece, block) };
  }

  /** The key of a block as peers name it; undefined unless it is exactly one of our blocks. */
  keyOf(piece: number, offsetBytes: number, lengthBytes: number): number | undefined {
    const block = offsetBytes / BLOCK_BYTES;
    if (!Number.isInteger(block) || piece >= this.pieceCount || block >= this.blockCount(piece)) return undefined;
    return lengthBytes === this.blockBytes(piece, block) ? this.blockKey(piece, block) : undefined;
  }

  /** The piece that holds the byte at `position`. */
  pieceAt(position: number): number {
    return Math.floor(position / this.pieceLengthBytes);
  }

  /** Whether `lengthBytes` from `begin` on may be asked of us: they lie within the piece or its padding. */
  contains(piece: number, begin: number, lengthBytes: number): boolean {
    const endBytes = this.#padding.isPaddedBehind ? this.pieceLengthBytes : this.spanBytes(piece);
    return piece < this.pieceCount && lengthBytes > 0 && begin + lengthBytes <= endBytes;
  }
}

/** Pieces that end in padding but do not consist of it, with their own bytes. */
function paddedPieces({ files, pieceLengthBytes, totalBytes }: Omit<PieceLayout, 'version'>): Map<number, number> {
  const padded = new Map<number, number>();
  for (const pad of files) {
    const end = pad.offsetBytes + pad.lengthBytes;
    if (!pad.isPad || pad.lengthBytes === 0 || (end % pieceLengthBytes !== 0 && end !== totalBytes)) continue;
    const piece = Math.floor(pad.offsetBytes / pieceLengthBytes);
    const ownBytes = pad.offsetBytes - piece * pieceLengthBytes;
    if (ownBytes > 0) padded.set(piece, ownBytes);
  }
  return padded;
}
