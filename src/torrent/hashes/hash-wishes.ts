/**
 * What to ask for by hash request (BEP 52), as pure arithmetic: the parts of a piece layer, and the leaves of one piece,
 * each with the known node that its answer must lead up to.
 */
import { proofLayersFor } from '../../codec/merkle.ts';
import { MAX_HASHES_PER_REQUEST, type HashRequest } from '../../codec/wire-hashes.ts';
import type { FileTree } from './hash-trees.ts';

interface Wish {
  readonly tree: FileTree;
  readonly request: HashRequest;
  /** The node that row and uncles must come to. */
  readonly ancestor: Uint8Array;
}

/** A part of a file's piece layer. */
export interface LayerWish extends Wish {
  readonly kind: 'layer';
}

/** Leaves of one piece, or half or less of them where it has more than 512. */
export interface LeafWish extends Wish {
  readonly kind: 'leaves';
  readonly piece: number;
  /** Of the first leaf within the piece. */
  readonly firstLeaf: number;
}

export type HashWish = LayerWish | LeafWish;

/** Parts of the file's piece layer that are not known, in order. */
export function layerWishes(tree: FileTree): LayerWish[] {
  if (tree.known.isComplete) return [];
  const length = partLength(tree);
  const wishes: LayerWish[] = [];
  for (let index = 0; index < tree.pieceCount; index += length)
    if (isAnyUnknown(tree, index, Math.min(index + length, tree.pieceCount))) wishes.push(layerPart(tree, index));
  return wishes;
}

/** The part of the layer that has the node of a piece of this file; undefined while that is known. */
export function layerWishOf(tree: FileTree, pieceInFile: number): LayerWish | undefined {
  if (tree.known.has(pieceInFile)) return undefined;
  return layerPart(tree, pieceInFile - (pieceInFile % partLength(tree)));
}

/** Nodes asked for at once. */
function partLength(tree: FileTree): number {
  return Math.min(MAX_HASHES_PER_REQUEST, 2 ** (tree.height - tree.pieceHeight));
}

function layerPart(tree: FileTree, index: number): LayerWish {
  const length = partLength(tree);
  const proofLayers = proofLayersFor(length, tree.height - tree.pieceHeight);
  const request = { piecesRoot: tree.root, baseLayer: tree.pieceHeight, index, length, proofLayers };
  return { kind: 'layer', tree, request, ancestor: tree.root };
}

function isAnyUnknown(tree: FileTree, from: number, to: number): boolean {
  for (let piece = from; piece < to; piece++) if (!tree.known.has(piece)) return true;
  return false;
}

/** All leaves of a piece; none while its node is unknown, or when the node is the only leaf. */
export function leafWishes(tree: FileTree, pieceInFile: number, piece: number): LeafWish[] {
  const ancestor = tree.pieceNode(pieceInFile);
  if (ancestor === undefined || tree.pieceHeight === 0) return [];
  const perPiece = 2 ** tree.pieceHeight;
  const length = Math.min(MAX_HASHES_PER_REQUEST, perPiece);
  const wishes: LeafWish[] = [];
  for (let firstLeaf = 0; firstLeaf < tree.leavesIn(pieceInFile); firstLeaf += length) {
    const index = pieceInFile * perPiece + firstLeaf;
    const proofLayers = proofLayersFor(length, tree.pieceHeight);
    const request = { piecesRoot: tree.root, baseLayer: 0, index, length, proofLayers };
    wishes.push({ kind: 'leaves', tree, request, ancestor, piece, firstLeaf });
  }
  return wishes;
}

/** The same for the same request. */
export function wishKey({ request }: Pick<Wish, 'request'>, rootHex: string): string {
  return `${rootHex}/${request.baseLayer}/${request.index}/${request.length}/${request.proofLayers}`;
}
