/**
 * Answering hash requests (BEP 52): nodes of the piece layers from what we know, nodes below them from the leaves of
 * pieces we hold. Invariants: every request gets exactly one answer, hashes or a reject; what it costs us is limited per
 * peer, so a peer of 48-byte requests cannot keep our disk busy.
 */
import { concatBytes } from '../base/bytes.ts';
import { HashMismatch, NotFound, ProtocolError } from '../base/errors.ts';
import { KIB, MIB } from '../base/units.ts';
import { fold, heightOf, nodeAt, rowsAbove, uncleCount, zeroRoot } from '../codec/merkle.ts';
import { encodeHashes, encodeHashRequest } from '../codec/wire-encode.ts';
import { HASH_BYTES, type HashRequest } from '../codec/wire-hashes.ts';
import type { Geometry } from './geometry.ts';
import type { FileTree, HashTrees } from './hash-trees.ts';
import type { PieceLeaves } from './piece-leaves.ts';
import { TokenBucket } from './rate.ts';

/** What requests of one peer may make us read and hash. */
const PEER_BYTES_PER_SECOND = 64 * MIB;
/** What a request costs that needs no reading. */
const REQUEST_COST_BYTES = 64 * KIB;
/** Answers one peer may wait for. */
const MAX_PENDING = 16;
/** Requests refused in a row for their cost before the peer counts as flooding. */
const MAX_REFUSALS = 2_000;

/** Whoever asks: a peer. */
export interface HashClient {
  readonly isClosed: boolean;
  send(bytes: Uint8Array): void;
}

export interface HashServerParts {
  readonly trees: HashTrees;
  readonly geometry: Geometry;
  readonly leaves: PieceLeaves;
  /** The piece is in storage. */
  holds(piece: number): boolean;
  nowMs(): number;
  /** Storage could not be read. */
  failed(error: unknown): void;
}

interface Account {
  readonly bucket: TokenBucket;
  pending: number;
  refusals: number;
}

export class HashServer {
  readonly #parts: HashServerParts;
  readonly #accounts = new WeakMap<HashClient, Account>();
  /** Rows above the piece layer, per file that somebody asked about. */
  readonly #upperRows = new WeakMap<FileTree, Promise<Uint8Array[]>>();
  readonly #answers = new Set<Promise<void>>();

  constructor(parts: HashServerParts) {
    this.#parts = parts;
  }

  /** Answers when the hashes are there. @throws ProtocolError when the peer floods. */
  requested(client: HashClient, request: HashRequest): void {
    const account = this.#accountOf(client);
    const tree = this.#parts.trees.byRoot(request.piecesRoot);
    const costBytes = tree && isWithin(tree, request) ? this.#costBytes(tree, request) : undefined;
    if (tree === undefined || costBytes === undefined) return refuse(client, request);
    if (account.pending >= MAX_PENDING || account.bucket.available(this.#parts.nowMs()) <= 0) {
      if (++account.refusals > MAX_REFUSALS) throw new ProtocolError('flood of hash requests');
      return refuse(client, request);
    }
    account.refusals = 0;
    account.pending++;
    account.bucket.take(REQUEST_COST_BYTES + costBytes);
    const answer = this.#answer(client, tree, request).finally(() => {
      account.pending--;
      this.#answers.delete(answer);
    });
    this.#answers.add(answer);
  }

  /** Resolves when the last answer is out. */
  async stop(): Promise<void> {
    await Promise.all(this.#answers);
  }

  #accountOf(client: HashClient): Account {
    const known = this.#accounts.get(client);
    if (known !== undefined) return known;
    const bucket = new TokenBucket(PEER_BYTES_PER_SECOND, this.#parts.nowMs());
    const account = { bucket, pending: 0, refusals: 0 };
    this.#accounts.set(client, account);
    return account;
  }

  /** Bytes to read for the answer; undefined when we lack what it takes. */
  #costBytes(tree: FileTree, request: HashRequest): number | undefined {
    if (tree.pieceLayer === undefined) return undefined;
    if (request.baseLayer >= tree.pieceHeight) return 0;
    let costBytes = 0;
    for (const pieceInFile of piecesUnder(tree, request)) {
      const piece = this.#heldPiece(tree, pieceInFile);
      if (piece === undefined) return undefined;
      if (this.#parts.leaves.cached(piece) === undefined) costBytes += this.#parts.geometry.pieceBytes(piece);
    }
    return costBytes;
  }

  /** The piece of the torrent with this part of the file; equal files are as good as each other. */
  #heldPiece(tree: FileTree, pieceInFile: number): number | undefined {
    for (const placed of this.#parts.trees.placed)
      if (placed.tree === tree && this.#parts.holds(placed.firstPiece + pieceInFile))
        return placed.firstPiece + pieceInFile;
    return undefined;
  }

  async #answer(client: HashClient, tree: FileTree, request: HashRequest): Promise<void> {
    try {
      const { baseLayer, index, length, proofLayers } = request;
      const row = await this.#row(tree, baseLayer, index, length);
      const uncles: Uint8Array[] = [];
      const height = baseLayer + heightOf(length);
      for (let at = 0; at < uncleCount(length, proofLayers); at++) {
        const uncle = Math.floor(index / length / 2 ** at) ^ 1;
        uncles.push(await this.#row(tree, height + at, uncle, 1));
      }
      if (!client.isClosed) client.send(encodeHashes(request, concatBytes([row, ...uncles])));
    } catch (error) {
      refuse(client, request);
      // Wrong bytes in storage are for the recheck to find; here they only mean that there is nothing to give.
      if (!(error instanceof NotFound || error instanceof HashMismatch)) this.#parts.failed(error);
    }
  }

  /** Nodes [index, index + length) of one row, padding included. */
  async #row(tree: FileTree, height: number, index: number, length: number): Promise<Uint8Array> {
    const wanted = new Uint8Array(length * HASH_BYTES);
    for (let at = 0; at < length; at++) wanted.set(zeroRoot(height), at * HASH_BYTES);
    if (height >= tree.pieceHeight) {
      const rows = await this.#rowsOf(tree);
      const row = rows[height - tree.pieceHeight] ?? tree.root;
      wanted.set(row.subarray(index * HASH_BYTES, (index + length) * HASH_BYTES));
      return wanted;
    }
    const perPiece = 2 ** (tree.pieceHeight - height);
    for (const pieceInFile of piecesUnder(tree, { baseLayer: height, index, length })) {
      const piece = this.#heldPiece(tree, pieceInFile);
      const leaves = piece === undefined ? undefined : await this.#parts.leaves.of(piece);
      // Let go of meanwhile: what was read may not be the piece any more.
      if (leaves === undefined || this.#heldPiece(tree, pieceInFile) === undefined)
        throw new NotFound('the piece went away');
      const nodes = fold(leaves, 0, height);
      for (let at = 0; at * HASH_BYTES < nodes.length; at++) {
        const place = pieceInFile * perPiece + at - index;
        if (place >= 0 && place < length) wanted.set(nodeAt(nodes, at), place * HASH_BYTES);
      }
    }
    return wanted;
  }

  /** From the piece layer up to the root. */
  #rowsOf(tree: FileTree): Promise<Uint8Array[]> {
    const known = this.#upperRows.get(tree);
    if (known !== undefined) return known;
    const rows = rowsAbove(tree.pieceLayer ?? tree.root, tree.pieceHeight, tree.height);
    this.#upperRows.set(tree, rows);
    return rows;
  }
}

/** Whether the request is one of BEP 52's shape, stays inside the tree and below its root. */
function isWithin(tree: FileTree, { baseLayer, index, length, proofLayers }: HashRequest): boolean {
  if (!Number.isInteger(Math.log2(length)) || index % length !== 0) return false;
  const heightAbove = tree.height - baseLayer;
  if (heightAbove < 0 || (heightAbove === 0 && length > 1)) return false;
  return index + length <= 2 ** heightAbove && heightOf(length) + uncleCount(length, proofLayers) <= heightAbove;
}

/** Pieces of the file whose leaves lie under nodes [index, index + length) of a row below the piece layer. */
function piecesUnder(
  tree: FileTree,
  { baseLayer, index, length }: Pick<HashRequest, 'baseLayer' | 'index' | 'length'>,
): number[] {
  const perPiece = 2 ** (tree.pieceHeight - baseLayer);
  const first = Math.floor(index / perPiece);
  const last = Math.min(tree.pieceCount - 1, Math.floor((index + length - 1) / perPiece));
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => first + at);
}

function refuse(client: HashClient, request: HashRequest): void {
  if (!client.isClosed) client.send(encodeHashRequest('hashReject', request));
}
