/**
 * SHA-256 Merkle trees as BEP 52 has them, as arithmetic over rows of 32-byte nodes. A row's height is the number of
 * steps up from the leaves (16 KiB blocks); rows are kept without their padding. Invariant: a node that is missing at the
 * end of a row stands for a subtree whose leaves are all zero bytes.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { equalBytes } from '../base/bytes.ts';
import { nextTurn } from '../base/turn.ts';
import { KIB } from '../base/units.ts';
import { HASH_BYTES } from './wire-hashes.ts';

/** Bytes under one leaf. */
export const LEAF_BYTES = 16 * KIB;
/** Parents computed before the event loop gets a turn: some 8 ms. */
const PARENTS_PER_TURN = 8_192;

const zeroRoots: Uint8Array[] = [new Uint8Array(HASH_BYTES)];

/** Root of a subtree of zero leaves. */
export function zeroRoot(height: number): Uint8Array {
  for (let at = zeroRoots.length; at <= height; at++) {
    const below = zeroRoots[at - 1] ?? new Uint8Array(HASH_BYTES);
    zeroRoots.push(parentOf(below, below));
  }
  return zeroRoots[height] ?? new Uint8Array(HASH_BYTES);
}

/** Leaves of a file or piece. */
export function leafCountOf(sizeBytes: number): number {
  return Math.ceil(sizeBytes / LEAF_BYTES);
}

/** Height of the smallest tree with so many nodes in its lowest row. */
export function heightOf(nodeCount: number): number {
  return Math.ceil(Math.log2(Math.max(1, nodeCount)));
}

/** A view of one node of a row; empty behind the end. */
export function nodeAt(row: Uint8Array, index: number): Uint8Array {
  return row.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
}

/** SHA-256 of two nodes, 32 bytes. */
export function parentOf(left: Uint8Array, right: Uint8Array): Uint8Array {
  const pair = new Uint8Array(2 * HASH_BYTES);
  pair.set(left);
  pair.set(right, HASH_BYTES);
  return sha256(pair);
}

/** Parents [from, to) of a row, written to their place in `parents`. */
function fillParents(row: Uint8Array, height: number, parents: Uint8Array, from: number, to: number): void {
  for (let at = from; at < to; at++) {
    const pair = row.subarray(at * 2 * HASH_BYTES, (at + 1) * 2 * HASH_BYTES);
    parents.set(pair.length === 2 * HASH_BYTES ? sha256(pair) : parentOf(pair, zeroRoot(height)), at * HASH_BYTES);
  }
}

function parentCount(row: Uint8Array): number {
  return Math.ceil(row.length / HASH_BYTES / 2);
}

/** The node at `toHeight` above a row that begins at a multiple of its width. Costs about 1 µs a node: for short rows. */
export function fold(row: Uint8Array, fromHeight: number, toHeight: number): Uint8Array {
  let nodes = row;
  for (let height = fromHeight; height < toHeight; height++) {
    const parents = new Uint8Array(parentCount(nodes) * HASH_BYTES);
    fillParents(nodes, height, parents, 0, parents.length / HASH_BYTES);
    nodes = parents;
  }
  return nodes;
}

/** All rows from the given one up to `toHeight`, the lowest first; long rows leave the event loop free in between. */
export async function rowsAbove(row: Uint8Array, fromHeight: number, toHeight: number): Promise<Uint8Array[]> {
  const rows = [row];
  let nodes = row;
  let sinceTurn = 0;
  for (let height = fromHeight; height < toHeight; height++) {
    const parents = new Uint8Array(parentCount(nodes) * HASH_BYTES);
    const count = parents.length / HASH_BYTES;
    for (let from = 0; from < count; from += PARENTS_PER_TURN) {
      const to = Math.min(count, from + PARENTS_PER_TURN);
      fillParents(nodes, height, parents, from, to);
      sinceTurn += to - from;
      if (sinceTurn < PARENTS_PER_TURN) continue;
      sinceTurn = 0;
      await nextTurn();
    }
    rows.push(parents);
    nodes = parents;
  }
  return rows;
}

/**
 * Uncles in an answer to a hash request: of the proof layers asked for, the lowest log2(length) − 1 are left out, because
 * they follow from the hashes themselves (BEP 52). `length` is a power of two.
 */
export function uncleCount(length: number, proofLayers: number): number {
  return Math.max(0, proofLayers + 1 - Math.log2(length));
}

/** The proof layers to ask for so that an answer proves `length` nodes up to `heightAbove` rows above them. */
export function proofLayersFor(length: number, heightAbove: number): number {
  return heightAbove > Math.log2(length) ? heightAbove - 1 : 0;
}

/** What a row of 2^n nodes and its uncles, from the bottom up, claim to prove. */
export interface RowProof {
  readonly row: Uint8Array;
  readonly height: number;
  /** Of the first node within its whole row; a multiple of the row's width. */
  readonly index: number;
  /** Back to back. */
  readonly uncles: Uint8Array;
}

/** The ancestor that the row and its uncles imply. */
export function impliedAncestor({ row, height, index, uncles }: RowProof): Uint8Array {
  const width = row.length / HASH_BYTES;
  let node = fold(row, height, height + heightOf(width));
  let position = index / width;
  for (let at = 0; at * HASH_BYTES < uncles.length; at++) {
    const uncle = nodeAt(uncles, at);
    node = position % 2 === 0 ? parentOf(node, uncle) : parentOf(uncle, node);
    position = Math.floor(position / 2);
  }
  return node;
}

/** Whether the row and its uncles belong to the tree with this ancestor. */
export function isProven(proof: RowProof, ancestor: Uint8Array): boolean {
  return equalBytes(impliedAncestor(proof), ancestor);
}
