/**
 * Answering hash requests (BEP 52): nodes of the piece layers from what we know, nodes below them from the leaves of
 * pieces we hold. Invariants: every request gets exactly one answer, hashes or a reject; what it costs us is limited per
 * peer, so a peer of 48-byte requests cannot keep our disk busy; an answer from a known tree is copied, nothing is hashed.
 */
import { HashMismatch, NotFound } from '../../base/errors.ts';
import { KIB, MIB } from '../../base/units.ts';
import { heightOf, rowsAbove, uncleCount, zeroRoot } from '../../codec/merkle.ts';
import { encodeHashes } from '../../codec/wire-encode.ts';
import { HASH_BYTES, type HashRequest } from '../../codec/wire-hashes.ts';
import { TokenBucket } from '../limits/rate.ts';
import { HashRefusals, MAX_HASH_REFUSALS, sendReject, type HashClient } from './hash-refusals.ts';
import type { FileTree, HashTrees } from './hash-trees.ts';
import type { PieceLeaves } from './piece-leaves.ts';

/** What one peer's hash requests may cost us. */
export const HASH_LIMITS = {
  /** Bytes they may make us read, hash and send. */
  bytesPerSecond: 64 * MIB,
  /** Answers it may wait for. */
  pending: 16,
  /** Refused requests, without those forgotten meanwhile, before the peer counts as flooding. */
  refusals: MAX_HASH_REFUSALS,
} as const;
/** What a request costs that needs no reading, but for the hashes it sends. */
const REQUEST_COST_BYTES = 64 * KIB;
/** What a node over two others makes us hash. */
const PAIR_BYTES = 2 * HASH_BYTES;

export interface HashServerParts {
  readonly trees: HashTrees;
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
}

/** Part of an answer: nodes [index, index + length) of one row, from `place` on. */
interface Span {
  readonly height: number;
  readonly index: number;
  readonly length: number;
  readonly place: number;
}

export class HashServer {
  readonly #parts: HashServerParts;
  readonly #accounts = new WeakMap<HashClient, Account>();
  readonly #refusals: HashRefusals;
  /** Rows above the piece layer, per file that somebody asked about. */
  readonly #upperRows = new WeakMap<FileTree, Promise<Uint8Array[]>>();
  readonly #answers = new Set<Promise<void>>();

  constructor(parts: HashServerParts) {
    this.#parts = parts;
    this.#refusals = new HashRefusals(() => parts.nowMs());
  }

  /** Answers when the hashes are there. @throws ProtocolError when the peer floods. */
  requested(client: HashClient, request: HashRequest): void {
    const account = this.#accountOf(client);
    const tree = this.#parts.trees.byRoot(request.piecesRoot);
    const costBytes = tree && isWithin(tree, request) ? this.#costBytes(tree, request) : undefined;
    if (tree === undefined || costBytes === undefined) return this.#refusals.refuse(client, request);
    if (account.pending >= HASH_LIMITS.pending || account.bucket.available(this.#parts.nowMs()) <= 0)
      return this.#refusals.refuse(client, request);
    account.pending++;
    account.bucket.take(costBytes);
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
    const nowMs = this.#parts.nowMs();
    const account = { bucket: new TokenBucket(HASH_LIMITS.bytesPerSecond, nowMs), pending: 0 };
    this.#accounts.set(client, account);
    return account;
  }

  /** Bytes to read, hash and send for the answer, and the floor; undefined when we lack what it takes. */
  #costBytes(tree: FileTree, request: HashRequest): number | undefined {
    if (tree.pieceLayer === undefined) return undefined;
    let costBytes = REQUEST_COST_BYTES + request.length * HASH_BYTES;
    if (reachesPieceLayer(tree, request) && !this.#upperRows.has(tree)) costBytes += tree.pieceCount * PAIR_BYTES;
    if (request.baseLayer >= tree.pieceHeight) return costBytes;
    for (const pieceInFile of piecesUnder(tree, request)) {
      const piece = this.#heldPiece(tree, pieceInFile);
      if (piece === undefined) return undefined;
      costBytes += this.#parts.leaves.workBytes(piece);
    }
    return costBytes;
  }

  /** The piece of the torrent with this part of the file; equal files are as good as each other. */
  #heldPiece(tree: FileTree, pieceInFile: number): number | undefined {
    for (const firstPiece of this.#parts.trees.firstPiecesOf(tree))
      if (this.#parts.holds(firstPiece + pieceInFile)) return firstPiece + pieceInFile;
    return undefined;
  }

  async #answer(client: HashClient, tree: FileTree, request: HashRequest): Promise<void> {
    try {
      const spans = spansOf(request);
      const hashes = paddingOf(spans);
      await this.#fillFromPieces(tree, request, spans, hashes);
      if (reachesPieceLayer(tree, request)) {
        const rows = await this.#rowsOf(tree);
        for (const [at, row] of rows.entries()) copyRow(row, tree.pieceHeight + at, 0, spans, hashes);
      }
      if (!client.isClosed) client.send(encodeHashes(request, hashes));
    } catch (error) {
      sendReject(client, request);
      // Wrong bytes in storage are for the recheck to find; here they only mean that there is nothing to give.
      if (!(error instanceof NotFound || error instanceof HashMismatch)) this.#parts.failed(error);
    }
  }

  /** What lies below the piece layer. Uncles there are nodes of the one piece that the row is part of. */
  async #fillFromPieces(
    tree: FileTree,
    request: HashRequest,
    spans: readonly Span[],
    hashes: Uint8Array,
  ): Promise<void> {
    if (request.baseLayer >= tree.pieceHeight) return;
    for (const pieceInFile of piecesUnder(tree, request)) {
      const piece = this.#heldPiece(tree, pieceInFile);
      const rows = piece === undefined ? undefined : await this.#parts.leaves.rowsOf(piece);
      // Let go of meanwhile: what was read may not be the piece any more.
      if (rows === undefined || this.#heldPiece(tree, pieceInFile) === undefined)
        throw new NotFound('the piece went away');
      for (const [height, row] of rows.slice(0, tree.pieceHeight).entries())
        copyRow(row, height, pieceInFile * 2 ** (tree.pieceHeight - height), spans, hashes);
    }
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

/** Some of the answer lies on the piece layer or above. */
function reachesPieceLayer({ pieceHeight }: FileTree, request: HashRequest): boolean {
  return spansOf(request).some(({ height }) => height >= pieceHeight);
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

/** The row asked for and its uncles, in the order of the answer. */
function spansOf({ baseLayer, index, length, proofLayers }: HashRequest): Span[] {
  const top = baseLayer + heightOf(length);
  const uncles = Array.from({ length: uncleCount(length, proofLayers) }, (_, at) => ({
    height: top + at,
    index: Math.floor(index / length / 2 ** at) ^ 1,
    length: 1,
    place: length + at,
  }));
  return [{ height: baseLayer, index, length, place: 0 }, ...uncles];
}

/** An answer as it would be over zero leaves. */
function paddingOf(spans: readonly Span[]): Uint8Array {
  const hashes = new Uint8Array(spans.reduce((sum, { length }) => sum + length, 0) * HASH_BYTES);
  for (const { height, length, place } of spans)
    for (let at = 0; at < length; at++) hashes.set(zeroRoot(height), (place + at) * HASH_BYTES);
  return hashes;
}

/** Copies those nodes of a row, which begins at node `first` of its height, that are asked for. */
function copyRow(row: Uint8Array, height: number, first: number, spans: readonly Span[], hashes: Uint8Array): void {
  for (const span of spans) {
    const from = Math.max(first, span.index);
    const to = Math.min(first + row.length / HASH_BYTES, span.index + span.length);
    if (span.height !== height || from >= to) continue;
    const nodes = row.subarray((from - first) * HASH_BYTES, (to - first) * HASH_BYTES);
    hashes.set(nodes, (span.place + from - span.index) * HASH_BYTES);
  }
}
