/**
 * Finding out who sent bad bytes. A bad piece from one source convicts it at once. From several, each block's digest
 * is remembered with its sender; the piece is fetched again from one source alone, and once it is right, whoever sent
 * a different block is guilty ("smart ban"). Invariant: only a source whose own bytes were wrong is ever named.
 */
import { equalBytes } from '../../base/bytes.ts';
import { BLOCK_BYTES } from '../../codec/wire.ts';
import type { ActivePiece, BlockSource } from '../pieces/active-piece.ts';
import type { Hasher } from '../ports.ts';

/** Bad pieces remembered at once per torrent; the oldest goes. */
const MAX_SUSPECT_PIECES = 64;

interface Evidence {
  readonly source: BlockSource;
  readonly block: number;
  readonly digest: Uint8Array;
}

export class Suspicions {
  readonly #hasher: Hasher;
  readonly #evidence = new Map<number, readonly Evidence[]>();

  constructor(hasher: Hasher) {
    this.#hasher = hasher;
  }

  /** The piece was bad before: fetch it from one source alone. */
  isSuspect(piece: number): boolean {
    return this.#evidence.has(piece);
  }

  /** Notes a piece whose hash failed; returns the guilty one when only one source contributed. */
  async accuse(piece: ActivePiece): Promise<BlockSource | undefined> {
    const contributors = piece.contributors();
    const [only] = contributors;
    if (contributors.size === 1) return only;
    const digests = await this.#digests(piece);
    const evidence = [...(this.#evidence.get(piece.index) ?? [])];
    for (const [block, source] of piece.deliveries.entries()) {
      const digest = digests[block];
      if (source !== undefined && digest !== undefined) evidence.push({ source, block, digest });
    }
    this.#evidence.delete(piece.index);
    this.#evidence.set(piece.index, evidence);
    const oldest = this.#evidence.keys().next();
    if (this.#evidence.size > MAX_SUSPECT_PIECES && !oldest.done) this.#evidence.delete(oldest.value);
    return undefined;
  }

  /** The piece is right now: returns everybody who had sent different bytes, and closes the case. */
  async acquitOrConvict(piece: ActivePiece): Promise<Set<BlockSource>> {
    const evidence = this.#evidence.get(piece.index) ?? [];
    this.#evidence.delete(piece.index);
    if (evidence.length === 0) return new Set();
    const digests = await this.#digests(piece);
    const guilty = evidence.filter(({ block, digest }) => !equalBytes(digest, digests[block] ?? digest));
    return new Set(guilty.map(({ source }) => source));
  }

  #digests(piece: ActivePiece): Promise<Uint8Array[]> {
    const blocks = Array.from({ length: piece.blockCount }, (_, block) =>
      piece.buffer.subarray(block * BLOCK_BYTES, Math.min((block + 1) * BLOCK_BYTES, piece.sizeBytes)),
    );
    return Promise.all(blocks.map((bytes) => this.#hasher.sha1(bytes)));
  }
}
