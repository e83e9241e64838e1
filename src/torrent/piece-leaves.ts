/**
 * Leaf hashes of the pieces we hold: from the cache, or computed from storage, a bounded part of a piece in memory at a
 * time. Invariant: one piece is computed once, however many ask for it meanwhile.
 */
import { concatBytes } from '../base/bytes.ts';
import { HashMismatch } from '../base/errors.ts';
import { MIB } from '../base/units.ts';
import type { Geometry } from './geometry.ts';
import type { JobLimit } from './job-limit.ts';
import type { LeafCache } from './leaf-cache.ts';
import type { Hasher } from './ports.ts';
import { leavesOf } from './verify.ts';

/** Read and hashed at once; a multiple of 16 KiB. */
const PART_BYTES = MIB;

export interface PieceLeavesParts {
  readonly geometry: Geometry;
  /** Reads bytes of held pieces. @throws StorageFailed */
  read(views: readonly Uint8Array[], position: number): Promise<void>;
  /** Whether the leaves are those of the piece: storage may hold something else by now. */
  isRight(piece: number, leaves: Uint8Array): boolean;
  readonly hasher: Hasher;
  readonly hashJobs: JobLimit;
  readonly cache: LeafCache;
  /** Names the torrent in the cache. */
  readonly owner: number;
}

export class PieceLeaves {
  readonly #parts: PieceLeavesParts;
  readonly #computing = new Map<number, Promise<Uint8Array>>();
  #isStopped = false;

  constructor(parts: PieceLeavesParts) {
    this.#parts = parts;
  }

  /** Without work: undefined when they would have to be computed. */
  cached(piece: number): Uint8Array | undefined {
    return this.#parts.cache.get(this.#parts.owner, piece);
  }

  /** Takes leaves that were computed or proven elsewhere. */
  keep(piece: number, leaves: Uint8Array): void {
    if (!this.#isStopped) this.#parts.cache.put(this.#parts.owner, piece, leaves);
  }

  /** Leaves of a piece in storage. @throws StorageFailed, HashMismatch when what is there is not the piece */
  async of(piece: number): Promise<Uint8Array> {
    const cached = this.cached(piece);
    if (cached !== undefined) return cached;
    const computing = this.#computing.get(piece) ?? this.#compute(piece).finally(() => this.#computing.delete(piece));
    this.#computing.set(piece, computing);
    return computing;
  }

  /** Resolves when nothing is read any more; nothing of the torrent is in the cache then. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.allSettled(this.#computing.values());
    this.#parts.cache.forget(this.#parts.owner);
  }

  #compute(piece: number): Promise<Uint8Array> {
    return this.#parts.hashJobs.run(async () => {
      const { geometry, hasher } = this.#parts;
      const parts: Uint8Array[] = [];
      const sizeBytes = geometry.pieceBytes(piece);
      const buffer = new Uint8Array(Math.min(PART_BYTES, sizeBytes));
      for (let at = 0; at < sizeBytes; at += PART_BYTES) {
        const bytes = buffer.subarray(0, Math.min(PART_BYTES, sizeBytes - at));
        await this.#parts.read([bytes], geometry.pieceStart(piece) + at);
        parts.push(await leavesOf(bytes, hasher));
      }
      const leaves = concatBytes(parts);
      if (!this.#parts.isRight(piece, leaves)) throw new HashMismatch('stored bytes are not the piece', { piece });
      this.keep(piece, leaves);
      return leaves;
    });
  }
}
