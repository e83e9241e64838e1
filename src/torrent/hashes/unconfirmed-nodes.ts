/**
 * Nodes of a hybrid's Merkle trees that follow from pieces its v1 hashes found right, until the v2 half confirms them: by
 * a node from a peer, or by the file's root once all its pieces are here. Invariant: at most one node for each piece.
 */
import { equalBytes } from '../../base/bytes.ts';
import { HashMismatch } from '../../base/errors.ts';
import { rowsAbove } from '../../codec/merkle.ts';
import { HASH_BYTES } from '../../codec/wire-hashes.ts';
import type { HashTrees, PlacedTree } from './hash-trees.ts';

export class UnconfirmedNodes {
  readonly #trees: HashTrees;
  readonly #nodes = new Map<number, Uint8Array>();
  /** How many there are of each file. */
  readonly #counts = new Map<PlacedTree, number>();

  constructor(trees: HashTrees) {
    this.#trees = trees;
  }

  /** The piece is right by v1 and leads to this node. @throws HashMismatch when the v2 half says otherwise */
  async found(piece: number, node: Uint8Array): Promise<void> {
    const placed = this.#trees.at(piece);
    if (placed === undefined) return;
    if (!this.#nodes.has(piece)) this.#counts.set(placed, (this.#counts.get(placed) ?? 0) + 1);
    this.#nodes.set(piece, node);
    if (placed.tree.known.has(piece - placed.firstPiece)) return this.nodeLearned(piece); // it came meanwhile
    if ((this.#counts.get(placed) ?? 0) + placed.tree.known.count >= placed.tree.pieceCount)
      await this.#prove(placed, piece);
  }

  /** @throws HashMismatch when v1 found other bytes right */
  nodeLearned(piece: number): void {
    const node = this.#nodes.get(piece);
    const placed = this.#trees.at(piece);
    if (node === undefined || placed === undefined) return;
    this.#nodes.delete(piece);
    this.#counts.set(placed, (this.#counts.get(placed) ?? 1) - 1);
    const wanted = placed.tree.pieceNode(piece - placed.firstPiece);
    if (wanted === undefined || !equalBytes(node, wanted)) throw halvesDiffer(piece);
  }

  /** All pieces of a file are here: together they have to lead to its root, and nobody needs to be asked for its layer. */
  async #prove(placed: PlacedTree, piece: number): Promise<void> {
    const { tree } = placed;
    const row = this.#rowOf(placed);
    const root = (await rowsAbove(row, tree.pieceHeight, tree.height)).at(-1);
    if (root === undefined || !equalBytes(root, tree.root)) throw halvesDiffer(piece);
    if (!tree.known.isComplete) tree.adopt(row);
    for (const first of this.#trees.firstPiecesOf(tree))
      for (let at = 0; at < tree.pieceCount; at++) this.nodeLearned(first + at);
  }

  #rowOf({ tree, firstPiece }: PlacedTree): Uint8Array {
    const row = new Uint8Array(tree.pieceCount * HASH_BYTES);
    for (let at = 0; at < tree.pieceCount; at++)
      row.set(tree.pieceNode(at) ?? this.#nodes.get(firstPiece + at) ?? new Uint8Array(HASH_BYTES), at * HASH_BYTES);
    return row;
  }
}

/** The torrent says two things; which is meant, nobody can know. */
export function halvesDiffer(piece: number): HashMismatch {
  return new HashMismatch('the v1 and v2 hashes of this torrent describe different bytes', { piece });
}
