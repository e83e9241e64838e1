/**
 * Piece and block arithmetic over one flat byte space. Invariant: pieces tile [0, totalBytes) without gaps, blocks
 * tile each piece, and only the last piece and the last block of a piece may be short.
 */
import { InvalidInput } from '../base/errors.ts';
import { BLOCK_BYTES, type BlockRef } from '../codec/wire.ts';

/** Where pieces and blocks lie in a torrent's flat byte space. */
export class Geometry {
  readonly totalBytes: number;
  readonly pieceLengthBytes: number;
  readonly pieceCount: number;
  readonly blocksPerPiece: number;

  /** @throws InvalidInput unless both are positive safe integers. */
  constructor(totalBytes: number, pieceLengthBytes: number) {
    if (!Number.isSafeInteger(totalBytes) || totalBytes <= 0) throw new InvalidInput('a torrent has at least one byte');
    if (!Number.isSafeInteger(pieceLengthBytes) || pieceLengthBytes <= 0)
      throw new InvalidInput('a piece has at least one byte');
    this.totalBytes = totalBytes;
    this.pieceLengthBytes = pieceLengthBytes;
    this.pieceCount = Math.ceil(totalBytes / pieceLengthBytes);
    this.blocksPerPiece = Math.ceil(pieceLengthBytes / BLOCK_BYTES);
  }

  /** Position of the piece's first byte. */
  pieceStart(piece: number): number {
    return piece * this.pieceLengthBytes;
  }

  /** Size of the piece in bytes; 0 beyond the end. */
  pieceBytes(piece: number): number {
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

  /** Whether `lengthBytes` from `begin` on lie within the piece. */
  contains(piece: number, begin: number, lengthBytes: number): boolean {
    return piece < this.pieceCount && lengthBytes > 0 && begin + lengthBytes <= this.pieceBytes(piece);
  }
}
