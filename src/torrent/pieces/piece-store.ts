/**
 * The pieces of one torrent. A piece is in exactly one state: missing, active (blocks coming in), checking (all blocks
 * here, being hashed), verified (right, being written) or held (in storage). Only a matching hash leads to verified and
 * only a finished write to held, so nothing wrong or unwritten is ever offered to a peer.
 */
import type { Bitfield } from '../../codec/bitfield.ts';
import type { Geometry } from '../geometry.ts';
import type { PieceVerifier } from '../hashes/verify.ts';
import type { BufferPool } from '../limits/buffers.ts';
import type { JobLimit } from '../limits/job-limit.ts';
import type { PieceStorage } from '../ports.ts';
import { ActivePiece, type BlockSource } from './active-piece.ts';
import { LeafChecks, type LeafCheckParts } from './leaf-checks.ts';

export interface PieceStoreEvents {
  /** The bytes are right and readable, though not yet in storage. The buffer stays valid until the promise settles. */
  verified(piece: ActivePiece): Promise<void> | undefined;
  /** More of a piece that is still coming in can be read. */
  grown(piece: number): void;
  /** A block did not match its leaf and is free again; `source` sent it. */
  blockRejected(piece: ActivePiece, block: number, source: BlockSource): void;
  /** The bytes are in storage: offer them. */
  held(piece: number): void;
  /** The hash did not match. The buffer stays valid, and the piece is not begun again, until the promise settles. */
  failed(piece: ActivePiece): Promise<void>;
  /** Hashing or storage broke down (full, unreadable); the piece is missing again. */
  storageFailed(error: unknown): void;
  /** A piece that was complete is missing again and may be begun anew. */
  missing(piece: number): void;
  /** A piece left memory, one way or the other. */
  released(): void;
}

export interface PieceStoreParts {
  readonly geometry: Geometry;
  readonly verifier: PieceVerifier;
  readonly storage: PieceStorage;
  readonly have: Bitfield;
  readonly pool: BufferPool;
  readonly hashJobs: JobLimit;
  /** Absent in v1, where there are no leaves. */
  readonly leaves?: LeafCheckParts;
  readonly events: PieceStoreEvents;
}

export class PieceStore {
  readonly geometry: Geometry;
  readonly have: Bitfield;
  readonly storage: PieceStorage;
  /** Pieces whose bytes in storage have to be looked at before they may be fetched; undefined: none. */
  unchecked: Bitfield | undefined;
  readonly #parts: PieceStoreParts;
  readonly #active = new Map<number, ActivePiece>();
  readonly #checking = new Map<number, ActivePiece>();
  readonly #verified = new Map<number, ActivePiece>();
  readonly #jobs = new Set<Promise<void>>();
  readonly #accesses = new Set<Promise<void>>();
  readonly #leafChecks: LeafChecks | undefined;
  #unwrittenBytes = 0;
  #isStopped = false;

  constructor(parts: PieceStoreParts) {
    this.#parts = parts;
    this.geometry = parts.geometry;
    this.have = parts.have;
    this.storage = parts.storage;
    this.#leafChecks = parts.leaves && this.#createLeafChecks(parts.leaves);
  }

  /** Blocks of the piece are verified and readable one by one: their leaves are known, or on their way. */
  isBlockwise(piece: number): boolean {
    return this.#active.get(piece)?.leaves !== undefined || (this.#parts.leaves?.expects(piece) ?? false);
  }

  /** Pieces whose blocks are coming in. */
  get active(): ReadonlyMap<number, ActivePiece> {
    return this.#active;
  }

  /** Complete pieces whose hash is being computed, or waits to be. */
  get checking(): Iterable<number> {
    return this.#checking.keys();
  }

  /** Right pieces that are being written. */
  get verified(): Iterable<number> {
    return this.#verified.keys();
  }

  /** Complete pieces that still wait for their hash or their write: what disk and hashing lag behind the network. */
  get unwrittenBytes(): number {
    return this.#unwrittenBytes;
  }

  /** Not here, and could be verified: blocks may be asked for. */
  isMissing(piece: number): boolean {
    if (this.have.has(piece) || this.#checking.has(piece) || this.#verified.has(piece)) return false;
    if (this.unchecked?.has(piece) === true) return false;
    return this.#parts.verifier.knows(piece);
  }

  /** Pieces on their way in: begun, being hashed, being written. */
  *underWay(): Iterable<number> {
    yield* this.#active.keys();
    yield* this.#checking.keys();
    yield* this.#verified.keys();
  }

  /** The bytes can be read now. */
  isReadable(piece: number): boolean {
    return this.have.has(piece) || this.#verified.has(piece);
  }

  /** How many of the bytes [start, endExclusive) are in storage. */
  heldBytesOf(start: number, endExclusive: number): number {
    const { geometry } = this;
    if (start >= endExclusive) return 0;
    let held = 0;
    const addPiece = (piece: number): void => {
      const from = geometry.pieceStart(piece);
      held += Math.min(endExclusive, from + geometry.pieceBytes(piece)) - Math.max(start, from);
    };
    this.have.forEachSet(addPiece, geometry.pieceAt(start), geometry.pieceAt(endExclusive - 1) + 1);
    return held;
  }

  /** Begins the piece or returns it when begun; undefined when it is not missing or memory is short. */
  open(piece: number, nowMs: number): ActivePiece | undefined {
    const active = this.#active.get(piece);
    if (active !== undefined || this.#isStopped || !this.isMissing(piece)) return active;
    const buffer = this.#parts.pool.acquire(this.geometry.spanBytes(piece));
    if (buffer === undefined) return undefined;
    const opened = new ActivePiece(this.geometry, piece, buffer, nowMs);
    this.#active.set(piece, opened);
    this.#leafChecks?.begun(opened);
    return opened;
  }

  /** Throws an active piece's bytes away; its sources' later bytes are discarded. */
  drop(piece: ActivePiece): void {
    if (this.#active.get(piece.index) !== piece) return;
    this.#active.delete(piece.index);
    piece.revokeWriters();
    this.#parts.pool.release(piece.buffer);
  }

  /** The piece's v2 node came: what v1 alone found right has to agree with it. */
  nodeLearned(piece: number): void {
    try {
      this.#parts.verifier.nodeLearned(piece);
    } catch (error) {
      this.#parts.events.storageFailed(error);
    }
  }

  /** Proven leaves came: blocks of the piece are checked one by one from now on. */
  leavesLearned(piece: number, leaves: Uint8Array): void {
    const active = this.#active.get(piece);
    if (active !== undefined) this.#leafChecks?.learned(active, leaves);
  }

  /** Call when a block is in; with the last one the piece is hashed, written and reported. */
  received(piece: ActivePiece, block: number): void {
    if (piece.leaves !== undefined) this.#leafChecks?.check(piece, block);
    else if (piece.isComplete) this.#complete(piece);
  }

  #complete(piece: ActivePiece): void {
    if (this.#active.get(piece.index) !== piece) return;
    this.#active.delete(piece.index);
    piece.revokeWriters();
    this.#checking.set(piece.index, piece);
    this.#unwrittenBytes += piece.sizeBytes;
    const job = this.#check(piece).finally(() => {
      this.#unwrittenBytes -= piece.sizeBytes;
      this.#parts.pool.release(piece.buffer);
      this.#jobs.delete(job);
      if (!this.#isStopped) this.#parts.events.released();
    });
    this.#jobs.add(job);
  }

  /**
   * Where the readable bytes from `position` on end within its piece; `position` itself where none are. Blocks of a v2
   * piece count as soon as their leaf is checked.
   */
  readableUntil(position: number): number {
    const piece = this.geometry.pieceAt(position);
    const start = this.geometry.pieceStart(piece);
    if (this.isReadable(piece)) return start + this.geometry.spanBytes(piece);
    const growing = this.#growing(piece);
    return growing === undefined ? position : start + growing.verifiedUntil(position - start);
  }

  /** Copies readable bytes of a piece out, from memory where they are just verified, else from storage. @throws StorageFailed */
  async read(position: number, lengthBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const piece = this.geometry.pieceAt(position);
    const fresh = this.#verified.get(piece) ?? this.#growing(piece);
    const offset = position - this.geometry.pieceStart(piece);
    if (fresh !== undefined && offset + lengthBytes <= fresh.spanBytes)
      return fresh.buffer.slice(offset, offset + lengthBytes);
    const bytes = new Uint8Array(lengthBytes);
    await this.readInto([bytes], position);
    return bytes;
  }

  /** Fills the views with bytes of held pieces. @throws StorageFailed */
  readInto(views: readonly Uint8Array[], position: number): Promise<void> {
    return this.#awaited(this.storage.read(views, position));
  }

  /** Makes what was written survive a power cut. @throws StorageFailed */
  sync(): Promise<void> {
    return this.#awaited(this.storage.sync());
  }

  /** Resolves when every read that runs now has ended, well or not. */
  async readsSettled(): Promise<void> {
    await Promise.allSettled(this.#accesses);
  }

  /** Reads a piece back into the buffer and hashes it: whether it is right. @throws StorageFailed, HashMismatch */
  async isStored(piece: number, buffer: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const { verifier, hashJobs } = this.#parts;
    if (!verifier.knows(piece)) return false;
    const span = buffer.subarray(0, this.geometry.spanBytes(piece));
    await this.storage.read([span], this.geometry.pieceStart(piece));
    return hashJobs.run(() => verifier.isValid(piece, span));
  }

  /** Fills the views from `position` on for a peer; what it asks for behind the last byte is padding. @throws StorageFailed */
  serve(views: readonly Uint8Array[], position: number): Promise<void> {
    const lengthBytes = views.reduce((sum, view) => sum + view.length, 0);
    let leftBytes = this.geometry.totalBytes - position;
    if (lengthBytes <= leftBytes) return this.readInto(views, position);
    const inside: Uint8Array[] = [];
    for (const view of views) {
      if (leftBytes > 0) inside.push(view.subarray(0, leftBytes));
      view.fill(0, Math.max(0, leftBytes));
      leftBytes -= view.length;
    }
    return inside.length > 0 ? this.readInto(inside, position) : Promise.resolve();
  }

  /** Lets running hashes, reads and writes end, then gives every buffer back. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const piece of this.#active.values()) this.drop(piece);
    await this.#leafChecks?.settled();
    await Promise.all(this.#jobs);
    await this.readsSettled();
  }

  /** A piece in memory of which single blocks may be verified. */
  #growing(piece: number): ActivePiece | undefined {
    const growing = this.#active.get(piece) ?? this.#checking.get(piece);
    return growing?.leaves === undefined ? undefined : growing;
  }

  #createLeafChecks(parts: LeafCheckParts): LeafChecks {
    const { events } = this.#parts;
    return new LeafChecks(parts, {
      isActive: (piece) => this.#active.get(piece.index) === piece && !this.#isStopped,
      blockVerified: (piece) => {
        if (piece.isVerified) this.#complete(piece);
        events.grown(piece.index);
      },
      blockRejected: (piece, block, source) => events.blockRejected(piece, block, source),
      failed: (error) => events.storageFailed(error),
    });
  }

  /** Storage is not closed while the access runs. */
  async #awaited(access: Promise<void>): Promise<void> {
    this.#accesses.add(access);
    try {
      await access;
    } finally {
      this.#accesses.delete(access);
    }
  }

  async #check(piece: ActivePiece): Promise<void> {
    const { verifier, hashJobs, events } = this.#parts;
    const span = piece.buffer.subarray(0, piece.spanBytes);
    try {
      const isValid = await hashJobs.run(() => verifier.isValid(piece.index, span, piece.isVerified));
      if (this.#isStopped) return;
      if (isValid) await this.#keep(piece, span.subarray(0, piece.sizeBytes));
      else await events.failed(piece);
    } catch (error) {
      if (!this.#isStopped) events.storageFailed(error);
    } finally {
      this.#checking.delete(piece.index);
      this.#verified.delete(piece.index);
    }
    if (!this.#isStopped && !this.have.has(piece.index)) events.missing(piece.index);
  }

  async #keep(piece: ActivePiece, bytes: Uint8Array): Promise<void> {
    this.#checking.delete(piece.index);
    this.#verified.set(piece.index, piece);
    const noticed = this.#parts.events.verified(piece);
    await this.storage.write(bytes, this.geometry.pieceStart(piece.index));
    await noticed;
    this.#verified.delete(piece.index);
    this.have.set(piece.index);
    if (!this.#isStopped) this.#parts.events.held(piece.index);
  }
}
