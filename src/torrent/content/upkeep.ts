/**
 * Looking after what is in storage: reading it back and hashing it, and letting pieces go that nobody wants. Invariants:
 * a piece that waits to be looked at is neither fetched nor, unless it was held before, offered; one recheck runs at a
 * time; what is read and hashed at once is bounded by the engine's hash jobs and its piece memory.
 */
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { Cancelled, Conflict, StorageFailed, throwIfAborted } from '../../base/errors.ts';
import { checkKeys, checkSignal, type OptionKeys } from '../../base/options.ts';
import { sleep } from '../../base/tasks.ts';
import { MIB } from '../../base/units.ts';
import { Bitfield } from '../../codec/bitfield.ts';
import type { BufferPool } from '../limits/buffers.ts';
import type { PieceStore } from '../pieces/piece-store.ts';
import type { WantedSpan } from '../reading/reading-window.ts';

/** Time until memory is asked for again. */
const MEMORY_RETRY_MS = 100;
/** Others get a turn after so many bytes, even where storage and hash answer without waiting. */
const BREATHE_BYTES = 16 * MIB;

/** How far a recheck is, in pieces. */
export interface RecheckProgress {
  readonly checkedPieces: number;
  readonly pieceCount: number;
}

/** How a recheck is ended early and followed. */
export interface RecheckOptions {
  /** Ends it early: what was not looked at counts as it did before. */
  readonly signal?: AbortSignal;
  /** Called after each piece. */
  readonly onProgress?: (progress: RecheckProgress) => void;
}

const RECHECK_KEYS: OptionKeys<RecheckOptions> = { signal: true, onProgress: true };

export interface UpkeepParts {
  readonly store: PieceStore;
  readonly clock: Clock;
  readonly buffers: BufferPool;
  /** Pieces looked at at once. */
  readonly maxJobs: number;
  /** Pieces that readers wait for: looked at first. */
  window(): readonly WantedSpan[];
  readonly log: Log;
  /** Memory is short: another torrent may give some up. */
  reclaimMemory(): boolean;
  /** A piece that was missing is there and right. */
  found(piece: number): void;
  /** These pieces were held and are wrong, or were let go. */
  lost(pieces: readonly number[]): void;
  /** The piece was looked at, or waits for it: it may be fetched now, or no longer. */
  changed(piece: number): void;
  /** Every piece was looked at. */
  checked(): void;
}

export class Upkeep {
  readonly #parts: UpkeepParts;
  /** Pieces being looked at now. */
  readonly #taken = new Set<number>();
  /** Single pieces being looked at outside a recheck. */
  readonly #looks = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  #recheck: Promise<void> | undefined;
  #cursor = 0;
  #checkedPieces = 0;

  constructor(parts: UpkeepParts) {
    this.#parts = parts;
  }

  get isChecking(): boolean {
    return this.#parts.store.unchecked !== undefined;
  }

  /** Pieces being looked at now. */
  get takenPieces(): number[] {
    return [...this.#taken];
  }

  /** Pieces that wait to be looked at. */
  get uncheckedPieces(): number {
    return this.#parts.store.unchecked?.count ?? 0;
  }

  /**
   * Reads back and hashes everything; resolves when each piece counts as what it is.
   * @throws InvalidInput for an option that is none, Conflict while another recheck runs, Cancelled when aborted or stopped, HashMismatch where the halves of a
   * hybrid disagree, StorageFailed where what is open cannot be closed in good order
   */
  async recheck(options: RecheckOptions): Promise<void> {
    checkKeys('recheck', options, RECHECK_KEYS);
    checkSignal(options.signal);
    const { signal, onProgress } = options;
    const { signal: stopped } = this.#stopping;
    this.#begin();
    this.#recheck = this.#run(signal === undefined ? stopped : AbortSignal.any([signal, stopped]), onProgress);
    await this.#recheck;
    this.#parts.checked();
  }

  /**
   * The piece could not be read: looks whether it is there and right, as a recheck would. Of many at once some are left
   * out: they are looked at when they cannot be read again.
   */
  lookAgain(piece: number): void {
    const { store, maxJobs } = this.#parts;
    const isLookedAt = this.#taken.has(piece) || store.unchecked?.has(piece) === true;
    const { signal } = this.#stopping;
    if (isLookedAt || !store.have.has(piece) || this.#looks.size >= maxJobs || signal.aborted) return;
    const look = this.#lookAtOne(piece, signal).finally(() => this.#looks.delete(look));
    this.#looks.add(look);
  }

  /** Ends a recheck; resolves when nothing of it runs any more. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Cancelled('the torrent was stopped'));
    await Promise.allSettled([this.#recheck, ...this.#looks]);
  }

  /** Gives up pieces of [first, last] that are held and satisfy `isFree`; resolves when nobody reads them any more. */
  async drop(first: number, last: number, isFree: (piece: number) => boolean): Promise<readonly number[]> {
    const { store } = this.#parts;
    const dropped: number[] = [];
    store.have.forEachSet((piece) => void (isFree(piece) && dropped.push(piece)), first, last + 1);
    for (const piece of dropped) store.have.clear(piece);
    if (dropped.length > 0) this.#parts.lost(dropped);
    await store.readsSettled();
    return dropped;
  }

  async #lookAtOne(piece: number, signal: AbortSignal): Promise<void> {
    const { store, log } = this.#parts;
    this.#taken.add(piece);
    try {
      const isRight = await this.#look(piece, signal);
      if (!isRight && !signal.aborted && store.have.clear(piece)) this.#parts.lost([piece]);
    } catch (error) {
      if (!signal.aborted) log.warn('torrent.look_failed', { piece, error }); // the disk is busy: it counts as before
    } finally {
      this.#taken.delete(piece);
    }
  }

  /** From now on every piece that is not on its way in waits to be looked at. */
  #begin(): void {
    const { store } = this.#parts;
    if (store.unchecked !== undefined) throw new Conflict('the torrent is being checked already');
    const unchecked = Bitfield.full(store.geometry.pieceCount);
    for (const piece of store.underWay()) unchecked.clear(piece);
    store.unchecked = unchecked;
    this.#cursor = 0;
    this.#checkedPieces = unchecked.length - unchecked.count;
    store.have.forEachMissing((piece) => this.#parts.changed(piece));
  }

  /** Looks at every piece that waits, as it lies there now. */
  async #run(signal: AbortSignal, onProgress: RecheckOptions['onProgress']): Promise<void> {
    const { storage } = this.#parts.store;
    try {
      if (storage.reopen !== undefined) await storage.reopen();
      await this.#lookAtAll(signal, onProgress);
    } finally {
      this.#end();
    }
  }

  async #lookAtAll(signal: AbortSignal, onProgress: RecheckOptions['onProgress']): Promise<void> {
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    const work = async (): Promise<void> => {
      try {
        await this.#checkNext(either, onProgress);
      } catch (error) {
        stop.abort(error);
        throw error;
      }
    };
    await Promise.allSettled(Array.from({ length: this.#parts.maxJobs }, work));
    // The first failure stopped the others; what they threw tells only of that.
    if (stop.signal.aborted) throw stop.signal.reason;
  }

  async #checkNext(signal: AbortSignal, onProgress: RecheckOptions['onProgress']): Promise<void> {
    const { store, clock } = this.#parts;
    let breathedBytes = 0;
    for (let piece = this.#next(); piece !== undefined; piece = this.#next()) {
      this.#taken.add(piece);
      try {
        throwIfAborted(signal);
        const isRight = await this.#look(piece, signal);
        throwIfAborted(signal);
        this.#settle(piece, isRight);
      } finally {
        this.#taken.delete(piece);
      }
      onProgress?.({ checkedPieces: this.#checkedPieces, pieceCount: store.geometry.pieceCount });
      breathedBytes += store.geometry.pieceBytes(piece);
      if (breathedBytes < BREATHE_BYTES) continue;
      breathedBytes = 0;
      await sleep(clock, 0, signal);
    }
  }

  /** What readers wait for, then the rest in order. */
  #next(): number | undefined {
    const { store } = this.#parts;
    const urgent = this.#parts.window().find(({ piece }) => this.#waits(piece));
    if (urgent !== undefined) return urgent.piece;
    while (this.#cursor < store.geometry.pieceCount && !this.#waits(this.#cursor)) this.#cursor++;
    return this.#cursor < store.geometry.pieceCount ? this.#cursor : undefined;
  }

  #waits(piece: number): boolean {
    return this.#parts.store.unchecked?.has(piece) === true && !this.#taken.has(piece);
  }

  /** Whether storage has the right bytes; what cannot be read is not there. */
  async #look(piece: number, signal: AbortSignal): Promise<boolean> {
    const { store, buffers } = this.#parts;
    try {
      const buffer = await this.#acquire(store.geometry.spanBytes(piece), signal);
      try {
        return await store.isStored(piece, buffer);
      } finally {
        buffers.release(buffer);
      }
    } catch (error) {
      if (error instanceof StorageFailed) return false;
      throw error;
    }
  }

  async #acquire(sizeBytes: number, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const { buffers, clock } = this.#parts;
    for (;;) {
      const buffer = buffers.acquire(sizeBytes);
      if (buffer !== undefined) return buffer;
      if (!this.#parts.reclaimMemory()) await sleep(clock, MEMORY_RETRY_MS, signal);
    }
  }

  #settle(piece: number, isRight: boolean): void {
    const { store } = this.#parts;
    store.unchecked?.clear(piece);
    this.#checkedPieces++;
    if (isRight && store.have.set(piece)) this.#parts.found(piece);
    else if (!isRight && store.have.clear(piece)) this.#parts.lost([piece]);
    else if (!isRight) this.#parts.changed(piece);
  }

  #end(): void {
    const { store } = this.#parts;
    const left = store.unchecked;
    store.unchecked = undefined;
    left?.forEachSet((piece) => this.#parts.changed(piece));
  }
}
