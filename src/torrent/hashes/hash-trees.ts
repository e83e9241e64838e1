/**
 * What is known of the Merkle trees of a torrent's files (BEP 52): the roots from the start, the pieces' nodes from the
 * .torrent or, piece by piece, from peers. Invariant: only nodes that were proven against their file's root get in.
 */
import { equalBytes, toHex } from '../../base/bytes.ts';
import { Bitfield } from '../../codec/bitfield.ts';
import { fold, heightOf, LEAF_BYTES, leafCountOf, nodeAt } from '../../codec/merkle.ts';
import type { VerifiedLayers } from '../../codec/piece-layers.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';
import { HASH_BYTES } from '../../codec/wire-hashes.ts';

/** The tree of one file; files of equal bytes share one. */
export class FileTree {
  readonly root: Uint8Array;
  readonly leafCount: number;
  readonly pieceCount: number;
  /** Of the root, above the leaves. */
  readonly height: number;
  /** Of the nodes that cover one piece; the root's for a file no larger than a piece. */
  readonly pieceHeight: number;
  /** Pieces whose node is known. */
  readonly known: Bitfield;
  #pieceLayer: Uint8Array;

  constructor(root: Uint8Array, lengthBytes: number, pieceLengthBytes: number) {
    this.root = root;
    this.leafCount = leafCountOf(lengthBytes);
    this.pieceCount = Math.ceil(lengthBytes / pieceLengthBytes);
    this.height = heightOf(this.leafCount);
    const isOnePiece = this.pieceCount === 1;
    this.pieceHeight = isOnePiece ? this.height : heightOf(pieceLengthBytes / LEAF_BYTES);
    this.known = isOnePiece ? Bitfield.full(1) : new Bitfield(this.pieceCount);
    this.#pieceLayer = isOnePiece ? root : new Uint8Array(0);
  }

  /** The whole piece layer; undefined while some of it is unknown. */
  get pieceLayer(): Uint8Array | undefined {
    return this.known.isComplete ? this.#pieceLayer : undefined;
  }

  /** The node that covers a piece of this file; undefined while unknown. */
  pieceNode(pieceInFile: number): Uint8Array | undefined {
    return this.known.has(pieceInFile) ? nodeAt(this.#pieceLayer, pieceInFile) : undefined;
  }

  /** Leaves of one piece of this file. */
  leavesIn(pieceInFile: number): number {
    const perPiece = 2 ** this.pieceHeight;
    return Math.min(perPiece, this.leafCount - pieceInFile * perPiece);
  }

  /** Takes proven nodes of the piece layer; those beyond the last piece are left out. */
  learn(firstPiece: number, nodes: Uint8Array): void {
    if (this.#pieceLayer.length === 0) this.#pieceLayer = new Uint8Array(this.pieceCount * HASH_BYTES);
    const count = Math.min(nodes.length / HASH_BYTES, this.pieceCount - firstPiece);
    this.#pieceLayer.set(nodes.subarray(0, count * HASH_BYTES), firstPiece * HASH_BYTES);
    for (let at = 0; at < count; at++) this.known.set(firstPiece + at);
  }

  /** Takes a whole layer that is known to be right, without copying. */
  adopt(pieceLayer: Uint8Array): void {
    this.#pieceLayer = pieceLayer;
    this.known.setAll();
  }
}

/** Where a file's tree stands among the torrent's pieces. */
export interface PlacedTree {
  readonly tree: FileTree;
  readonly firstPiece: number;
}

/** The trees of a v2 or hybrid torrent's files: what a `PieceVerifier` checks pieces by. */
export class HashTrees {
  /** Trees in the order of their first piece; every piece belongs to one. */
  readonly placed: readonly PlacedTree[];
  readonly #byRoot = new Map<string, FileTree>();
  readonly #firstPieces = new Map<FileTree, number[]>();

  /** `layers` are absent where the metadata came from peers: they deliver them, too. */
  constructor(info: Pick<TorrentInfo, 'files' | 'pieceLengthBytes'>, layers: VerifiedLayers | undefined) {
    const placed: PlacedTree[] = [];
    for (const { piecesRoot, lengthBytes, offsetBytes } of info.files) {
      if (piecesRoot === undefined || lengthBytes === 0) continue;
      const rootHex = toHex(piecesRoot);
      const twin = this.#byRoot.get(rootHex);
      const own = new FileTree(piecesRoot, lengthBytes, info.pieceLengthBytes);
      // The same root for another length is a lie about one of them; its pieces will not verify.
      const tree = twin?.leafCount === own.leafCount ? twin : own;
      if (tree === own && twin === undefined) this.#byRoot.set(rootHex, own);
      placed.push({ tree, firstPiece: offsetBytes / info.pieceLengthBytes });
      const layer = layers?.get(rootHex);
      if (layer !== undefined && !tree.known.isComplete) tree.adopt(layer);
    }
    this.placed = placed;
    for (const { tree, firstPiece } of placed) {
      const known = this.#firstPieces.get(tree);
      if (known === undefined) this.#firstPieces.set(tree, [firstPiece]);
      else known.push(firstPiece);
    }
  }

  /** First pieces of the files that share this tree. */
  firstPiecesOf(tree: FileTree): readonly number[] {
    return this.#firstPieces.get(tree) ?? [];
  }

  /** The tree with this root, if a file of the torrent has it. */
  byRoot(root: Uint8Array): FileTree | undefined {
    return this.#byRoot.get(toHex(root));
  }

  /** The tree over a piece; undefined outside the torrent. */
  at(piece: number): PlacedTree | undefined {
    let [low, high] = [0, this.placed.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.placed[middle]?.firstPiece ?? 0) <= piece) low = middle + 1;
      else high = middle;
    }
    return this.placed[low - 1];
  }

  /** The node a piece must fold to; undefined while unknown. */
  pieceNode(piece: number): Uint8Array | undefined {
    const placed = this.at(piece);
    return placed?.tree.pieceNode(piece - placed.firstPiece);
  }

  /** Whether these leaves fold to the piece's node; false while that is unknown. */
  areLeavesOf(piece: number, leaves: Uint8Array): boolean {
    const placed = this.at(piece);
    const wanted = placed?.tree.pieceNode(piece - placed.firstPiece);
    return placed !== undefined && wanted !== undefined && equalBytes(fold(leaves, 0, placed.tree.pieceHeight), wanted);
  }
}
