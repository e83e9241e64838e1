/**
 * Deciding whether a piece's bytes are right. Version 1 compares one SHA-1 per piece; the v2 strategy (BEP 52) folds
 * leaves instead and stands behind the same interface.
 */
import { equalBytes } from '../base/bytes.ts';
import type { Hasher } from './ports.ts';

export interface PieceVerifier {
  /** Whether `bytes` are exactly the piece. The buffer stays untouched until the promise settles. */
  isValid(piece: number, bytes: Uint8Array): Promise<boolean>;
}

const SHA1_BYTES = 20;

/** Verifies by the concatenated SHA-1 hashes of a v1 info dictionary (BEP 3). */
export class Sha1Verifier implements PieceVerifier {
  readonly #hashes: Uint8Array;
  readonly #hasher: Hasher;

  constructor(hashes: Uint8Array, hasher: Hasher) {
    this.#hashes = hashes;
    this.#hasher = hasher;
  }

  async isValid(piece: number, bytes: Uint8Array): Promise<boolean> {
    const wanted = this.#hashes.subarray(piece * SHA1_BYTES, (piece + 1) * SHA1_BYTES);
    return equalBytes(await this.#hasher.sha1(bytes), wanted);
  }
}
