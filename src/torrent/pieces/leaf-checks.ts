/**
 * Blocks of a v2 piece in progress against their leaves (BEP 52), each as it arrives: what is right can be read at once,
 * and who sent what is wrong is known at once. Invariant: a block is judged only by bytes that are still its own.
 */
import { equalBytes } from '../../base/bytes.ts';
import { LEAF_BYTES, nodeAt } from '../../codec/merkle.ts';
import type { Hasher } from '../ports.ts';
import type { ActivePiece, BlockSource } from './active-piece.ts';

export interface LeafCheckParts {
  readonly hasher: Hasher;
  /** Proven leaves of a piece that is about to be fetched; undefined while unknown. */
  leavesOf(piece: number): Uint8Array | undefined;
  /** Its leaves are known, or somebody was asked for them just now. */
  expects(piece: number): boolean;
}

export interface LeafCheckHost {
  /** Still coming in: its buffer is its own. */
  isActive(piece: ActivePiece): boolean;
  /** The block is right. */
  blockVerified(piece: ActivePiece): void;
  /** The block was wrong and is free again. */
  blockRejected(piece: ActivePiece, block: number, source: BlockSource): void;
  failed(error: unknown): void;
}

export class LeafChecks {
  readonly #parts: LeafCheckParts;
  readonly #host: LeafCheckHost;
  readonly #running = new Set<Promise<void>>();

  constructor(parts: LeafCheckParts, host: LeafCheckHost) {
    this.#parts = parts;
    this.#host = host;
  }

  /** A piece was begun. */
  begun(piece: ActivePiece): void {
    const leaves = this.#parts.leavesOf(piece.index);
    if (leaves !== undefined) piece.expectLeaves(leaves);
  }

  /** Leaves of a piece that is coming in: what is here already is checked, too. */
  learned(piece: ActivePiece, leaves: Uint8Array): void {
    if (piece.leaves !== undefined) return;
    piece.expectLeaves(leaves);
    for (let block = 0; block < piece.blockCount; block++) if (piece.isReceived(block)) this.check(piece, block);
  }

  /** A block is here; nothing happens where its leaf is unknown. */
  check(piece: ActivePiece, block: number): void {
    const { leaves } = piece;
    const source = piece.deliveries[block];
    if (leaves === undefined || source === undefined || !piece.isReceived(block)) return;
    const check = this.#check(piece, block, source, nodeAt(leaves, block))
      .catch((error: unknown) => this.#host.failed(error))
      .finally(() => this.#running.delete(check));
    this.#running.add(check);
  }

  /** Resolves when no check runs any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #check(piece: ActivePiece, block: number, source: BlockSource, leaf: Uint8Array): Promise<void> {
    const bytes = piece.buffer.subarray(block * LEAF_BYTES, Math.min((block + 1) * LEAF_BYTES, piece.sizeBytes));
    const digest = await this.#parts.hasher.sha256(bytes);
    // Dropped, or given to another piece: the digest says nothing.
    if (!this.#host.isActive(piece) || piece.deliveries[block] !== source) return;
    if (equalBytes(digest, leaf)) {
      piece.verify(block);
      this.#host.blockVerified(piece);
    } else if (piece.reject(block) !== undefined) this.#host.blockRejected(piece, block, source);
  }
}
