/**
 * Hash trees of the pieces we hold: from the cache, or computed from storage, a bounded part of a piece in memory at a
 * time. Invariants: one piece is computed once, however many ask for it meanwhile; no turn of the event loop folds more
 * than `HASHES_PER_TURN` nodes.
 */
import { concatBytes, equalBytes } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import { HashMismatch } from '../../base/errors.ts';
import { MIB } from '../../base/units.ts';
import { leafCountOf, zeroRoot } from '../../codec/merkle.ts';
import { HASH_BYTES } from '../../codec/wire-hashes.ts';
import type { Geometry } from '../geometry.ts';
import type { JobLimit } from '../limits/job-limit.ts';
import type { LeafCache, PieceRows } from '../limits/leaf-cache.ts';
import type { Hasher } from '../ports.ts';
import type { HashTrees } from './hash-trees.ts';
import { leavesOf } from './verify.ts';

/** Read and hashed at once; a multiple of 16 KiB. */
const PART_BYTES = MIB;
/** Two nodes, hashed to their parent. */
const PAIR_BYTES = 2 * HASH_BYTES;
/** Nodes folded before the event loop gets a turn: one to two ms. */
const HASHES_PER_TURN = 1_024;
/** Nodes folded before looking at the turn again. */
const HASHES_AT_ONCE = 128;

export interface PieceLeavesParts {
  readonly geometry: Geometry;
  /** Reads bytes of held pieces. @throws StorageFailed */
  read(views: readonly Uint8Array[], position: number): Promise<void>;
  /** Tell whether what storage holds is still the piece. */
  readonly trees: Pick<HashTrees, 'at' | 'pieceNode'>;
  readonly hasher: Hasher;
  readonly hashJobs: JobLimit;
  readonly cache: LeafCache;
  readonly clock: Clock;
  /** Names the torrent in the cache. */
  readonly owner: number;
}

export class PieceLeaves {
  readonly #parts: PieceLeavesParts;
  readonly #computing = new Map<number, Promise<PieceRows>>();
  #hashedInTurn = 0;
  #nextTurn: Promise<void> | undefined;
  #endTurn: (() => void) | undefined;
  #isStopped = false;

  constructor(parts: PieceLeavesParts) {
    this.#parts = parts;
  }

  /** Leaves, without work: undefined when they would have to be computed. */
  cached(piece: number): Uint8Array | undefined {
    return this.#parts.cache.get(this.#parts.owner, piece)?.[0];
  }

  /** Takes leaves that were computed or proven elsewhere. */
  keep(piece: number, leaves: Uint8Array): void {
    if (this.cached(piece) === undefined) this.#keepRows(piece, [leaves]);
  }

  /** Bytes that must be read and hashed before the piece's tree is known; 0 when it is, or others have it computed. */
  workBytes(piece: number): number {
    const rows = this.#parts.cache.get(this.#parts.owner, piece);
    if (this.#computing.has(piece) || (rows !== undefined && this.#isWhole(piece, rows))) return 0;
    const pieceBytes = this.#parts.geometry.pieceBytes(piece);
    return (rows === undefined ? pieceBytes : 0) + leafCountOf(pieceBytes) * PAIR_BYTES;
  }

  /** All rows of a piece in storage, by height. @throws StorageFailed, HashMismatch when what is there is not the piece */
  async rowsOf(piece: number): Promise<PieceRows> {
    const rows = this.#parts.cache.get(this.#parts.owner, piece);
    if (rows !== undefined && this.#isWhole(piece, rows)) return rows;
    const computing = this.#computing.get(piece) ?? this.#compute(piece).finally(() => this.#computing.delete(piece));
    this.#computing.set(piece, computing);
    return computing;
  }

  /** Resolves when nothing is read any more; nothing of the torrent is in the cache then. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#endTurn?.();
    await Promise.allSettled(this.#computing.values());
    this.#parts.cache.forget(this.#parts.owner);
  }

  #keepRows(piece: number, rows: PieceRows): void {
    if (!this.#isStopped) this.#parts.cache.put(this.#parts.owner, piece, rows);
  }

  #heightOf(piece: number): number {
    return this.#parts.trees.at(piece)?.tree.pieceHeight ?? 0;
  }

  #isWhole(piece: number, rows: PieceRows): boolean {
    return rows.length > this.#heightOf(piece);
  }

  #compute(piece: number): Promise<PieceRows> {
    return this.#parts.hashJobs.run(async () => {
      const leaves = this.cached(piece) ?? (await this.#read(piece));
      const rows = await this.#fold(leaves, this.#heightOf(piece));
      const node = this.#parts.trees.pieceNode(piece);
      if (node === undefined || !equalBytes(rows.at(-1) ?? leaves, node))
        throw new HashMismatch('stored bytes are not the piece', { piece });
      this.#keepRows(piece, rows);
      return rows;
    });
  }

  async #read(piece: number): Promise<Uint8Array> {
    const { geometry, hasher } = this.#parts;
    const parts: Uint8Array[] = [];
    const sizeBytes = geometry.pieceBytes(piece);
    const buffer = new Uint8Array(Math.min(PART_BYTES, sizeBytes));
    for (let at = 0; at < sizeBytes; at += PART_BYTES) {
      const bytes = buffer.subarray(0, Math.min(PART_BYTES, sizeBytes - at));
      await this.#parts.read([bytes], geometry.pieceStart(piece) + at);
      parts.push(await leavesOf(bytes, hasher));
    }
    return concatBytes(parts);
  }

  /** Rows 0 to `height` over the leaves. */
  async #fold(leaves: Uint8Array, height: number): Promise<PieceRows> {
    const rows: [Uint8Array, ...Uint8Array[]] = [leaves];
    let below = leaves;
    for (let at = 0; at < height; at++) {
      const padded = below.length % PAIR_BYTES === 0 ? below : concatBytes([below, zeroRoot(at)]);
      below = await this.#parentsOf(padded);
      rows.push(below);
    }
    return rows;
  }

  async #parentsOf(pairs: Uint8Array): Promise<Uint8Array> {
    const count = pairs.length / PAIR_BYTES;
    const parents = new Uint8Array(count * HASH_BYTES);
    for (let from = 0; from < count; from += HASHES_AT_ONCE) {
      const size = Math.min(HASHES_AT_ONCE, count - from);
      await this.#turnFor(size);
      const digests = Array.from({ length: size }, (_, at) =>
        this.#parts.hasher.sha256(pairs.subarray((from + at) * PAIR_BYTES, (from + at + 1) * PAIR_BYTES)),
      );
      for (const [at, digest] of (await Promise.all(digests)).entries()) parents.set(digest, (from + at) * HASH_BYTES);
    }
    return parents;
  }

  /** Resolves when this turn of the event loop has room for so many hashes; at once while it has. */
  async #turnFor(hashes: number): Promise<void> {
    while (this.#hashedInTurn + hashes > HASHES_PER_TURN && !this.#isStopped) await (this.#nextTurn ??= this.#turn());
    this.#hashedInTurn += hashes;
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        this.#hashedInTurn = 0;
        this.#nextTurn = undefined;
        this.#endTurn = undefined;
        resolve();
      };
      const cancel = this.#parts.clock.after(0, end);
      this.#endTurn = end;
    });
  }
}
