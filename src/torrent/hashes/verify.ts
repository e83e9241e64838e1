/**
 * Deciding whether a piece's bytes are right: by one SHA-1 (v1), by folding its 16 KiB leaves up to its node in the
 * file's Merkle tree (v2, BEP 52), or, in a hybrid, by both, which then have to agree. While the nodes of a hybrid are still
 * to come from peers, its v1 hashes decide alone, and its v2 half is compared as soon as it can be.
 */
import { equalBytes } from '../../base/bytes.ts';
import { fold, LEAF_BYTES } from '../../codec/merkle.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';
import { HASH_BYTES } from '../../codec/wire-hashes.ts';
import { Geometry } from '../geometry.ts';
import type { Hasher } from '../ports.ts';
import type { HashTrees } from './hash-trees.ts';
import { halvesDiffer, UnconfirmedNodes } from './unconfirmed-nodes.ts';

/** Says whether a piece's bytes are right, by whatever hashes its torrent has. */
export interface PieceVerifier {
  /** Whether a hash of the piece is known; always, but for v2 alone where piece layers still have to come from peers. */
  knows(piece: number): boolean;
  /** The piece's node in its Merkle tree came from a peer. @throws HashMismatch when v1 found other bytes right */
  nodeLearned(piece: number): void;
  /**
   * Whether `span`, the piece with the padding behind it, is right. The buffer stays untouched until the promise settles.
   * `matchesLeaves` says that every block was checked against its proven leaf already.
   * @throws HashMismatch when the v1 and v2 hashes of a hybrid describe different bytes.
   */
  isValid(piece: number, span: Uint8Array, matchesLeaves?: boolean): Promise<boolean>;
}

const SHA1_BYTES = 20;

/** Told the leaves of each piece found right. */
export type LeavesListener = (piece: number, leaves: Uint8Array) => void;

/** The verifier a torrent calls for; `trees` are undefined for v1. */
export function verifierFor(
  info: Pick<TorrentInfo, 'version' | 'pieces' | 'totalBytes' | 'pieceLengthBytes' | 'files'>,
  trees: HashTrees | undefined,
  hasher: Hasher,
  learned: LeavesListener = () => undefined,
): PieceVerifier {
  const v1 = info.pieces && new Sha1Verifier(info.pieces, hasher);
  const v2 = trees && new MerkleVerifier(trees, Geometry.of(info), hasher, learned);
  if (v1 !== undefined && v2 !== undefined && trees !== undefined) return new HybridVerifier(v1, v2, trees);
  const only = v1 ?? v2;
  if (only === undefined) throw new TypeError('a torrent has v1 or v2 hashes');
  return only;
}

/** Verifies by the concatenated SHA-1 hashes of a v1 info dictionary (BEP 3). */
export class Sha1Verifier implements PieceVerifier {
  readonly #hashes: Uint8Array;
  readonly #hasher: Hasher;

  constructor(hashes: Uint8Array, hasher: Hasher) {
    this.#hashes = hashes;
    this.#hasher = hasher;
  }

  knows(): boolean {
    return true;
  }

  nodeLearned(): void {} // there are none in v1

  async isValid(piece: number, span: Uint8Array): Promise<boolean> {
    const wanted = this.#hashes.subarray(piece * SHA1_BYTES, (piece + 1) * SHA1_BYTES);
    return equalBytes(await this.#hasher.sha1(span), wanted);
  }
}

/** SHA-256 of each 16 KiB, back to back; the last block may be short. */
export async function leavesOf(bytes: Uint8Array, hasher: Hasher): Promise<Uint8Array> {
  const count = Math.ceil(bytes.length / LEAF_BYTES);
  const leaves = new Uint8Array(count * HASH_BYTES);
  const digests = Array.from({ length: count }, (_, at) =>
    hasher.sha256(bytes.subarray(at * LEAF_BYTES, (at + 1) * LEAF_BYTES)),
  );
  for (const [at, digest] of (await Promise.all(digests)).entries()) leaves.set(digest, at * HASH_BYTES);
  return leaves;
}

/** Verifies by Merkle trees (BEP 52). */
export class MerkleVerifier implements PieceVerifier {
  readonly #trees: HashTrees;
  readonly #geometry: Geometry;
  readonly #hasher: Hasher;
  readonly #learned: LeavesListener;

  constructor(trees: HashTrees, geometry: Geometry, hasher: Hasher, learned: LeavesListener) {
    this.#learned = learned;
    this.#trees = trees;
    this.#geometry = geometry;
    this.#hasher = hasher;
  }

  knows(piece: number): boolean {
    return this.#trees.pieceNode(piece) !== undefined;
  }

  nodeLearned(): void {} // nothing was found right before

  /** The node that the bytes of a piece lead to, known or not. */
  async nodeOf(piece: number, span: Uint8Array): Promise<Uint8Array> {
    const leaves = await leavesOf(span.subarray(0, this.#geometry.pieceBytes(piece)), this.#hasher);
    return fold(leaves, 0, this.#trees.at(piece)?.tree.pieceHeight ?? 0);
  }

  async isValid(piece: number, span: Uint8Array, matchesLeaves = false): Promise<boolean> {
    if (matchesLeaves) return true;
    const leaves = await leavesOf(span.subarray(0, this.#geometry.pieceBytes(piece)), this.#hasher);
    const isRight = this.#trees.areLeavesOf(piece, leaves);
    if (isRight) this.#learned(piece, leaves);
    return isRight;
  }
}

/** Verifies by both halves of a hybrid; by the v1 half first where the other cannot be compared yet. */
export class HybridVerifier implements PieceVerifier {
  readonly #v1: PieceVerifier;
  readonly #v2: MerkleVerifier;
  readonly #unconfirmed: UnconfirmedNodes;

  constructor(v1: PieceVerifier, v2: MerkleVerifier, trees: HashTrees) {
    this.#v1 = v1;
    this.#v2 = v2;
    this.#unconfirmed = new UnconfirmedNodes(trees);
  }

  knows(): boolean {
    return true;
  }

  nodeLearned(piece: number): void {
    this.#unconfirmed.nodeLearned(piece);
  }

  async isValid(piece: number, span: Uint8Array, matchesLeaves?: boolean): Promise<boolean> {
    if (!this.#v2.knows(piece)) return this.#isValidByV1(piece, span);
    const [v1, v2] = await Promise.all([this.#v1.isValid(piece, span), this.#v2.isValid(piece, span, matchesLeaves)]);
    if (v1 !== v2) throw halvesDiffer(piece);
    return v1;
  }

  async #isValidByV1(piece: number, span: Uint8Array): Promise<boolean> {
    const [isRight, node] = await Promise.all([this.#v1.isValid(piece, span), this.#v2.nodeOf(piece, span)]);
    if (isRight) await this.#unconfirmed.found(piece, node);
    return isRight;
  }
}
