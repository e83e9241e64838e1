/**
 * When and what web seeds fetch. The crowd comes first: HTTP takes what the swarm would bring too late for a reader,
 * and without a reader only what a cold swarm does not bring at all, unless told to help always.
 */
import { SECOND_MS } from '../base/units.ts';
import { BLOCK_BYTES } from '../codec/wire.ts';
import type { BlockSource } from './active-piece.ts';
import type { Downloader } from './downloader.ts';
import type { PieceStore } from './piece-store.ts';
import type { BlockRun, WebSeed } from './web-seed.ts';

/** `when-needed`: late pieces and cold swarms only. `always`: an equal source at any time. */
export type WebSeedUse = 'when-needed' | 'always';

/** Time a swarm gets before HTTP fetches what nobody reads. */
export const COLD_SWARM_MS = 5 * SECOND_MS;
/** A piece should be here this long before its reader. */
const MARGIN_MS = 500;

/** Whether HTTP should take a piece that a reader will need in `dueInMs`: only where it beats a swarm that is late. */
export function httpIsNeeded(need: {
  readonly use: WebSeedUse;
  readonly swarmArrivalMs: number;
  readonly httpArrivalMs: number;
  readonly dueInMs: number;
}): boolean {
  if (need.use === 'always') return true;
  return need.swarmArrivalMs > Math.max(need.dueInMs - MARGIN_MS, need.httpArrivalMs);
}

/** Whether HTTP should take part where nobody reads. */
export function httpMayFill(swarm: { readonly use: WebSeedUse; readonly silentMs: number }): boolean {
  return swarm.use === 'always' || swarm.silentMs >= COLD_SWARM_MS;
}

export interface WebSeedingParts {
  readonly store: PieceStore;
  readonly downloader: Downloader;
  readonly use: WebSeedUse;
  readonly fetchesAll: boolean;
  /** Time since the swarm last delivered a block. */
  swarmSilentMs(nowMs: number): number;
  allowance(): number;
  charge(sizeBytes: number): void;
}

export class WebSeeding {
  readonly #parts: WebSeedingParts;

  constructor(parts: WebSeedingParts) {
    this.#parts = parts;
  }

  /** Starts the next run of an idle seed when there is something for it. */
  employ(seed: WebSeed, nowMs: number): void {
    if (!seed.isReady(nowMs) || this.#parts.allowance() <= 0) return;
    const first = this.#firstPiece(seed, nowMs);
    if (first === undefined) return;
    const run = this.#claim(seed, first);
    if (run === undefined) return;
    this.#parts.charge(run.endExclusive - run.start);
    seed.start(run);
  }

  /** A run that serves no reader any more ends at once. */
  abortStale(seed: WebSeed): void {
    const current = seed.current;
    if (current === undefined) return;
    const { store, downloader, fetchesAll } = this.#parts;
    if (fetchesAll && !downloader.hasReaders) return;
    const first = store.geometry.pieceAt(current.start);
    const last = store.geometry.pieceAt(Math.max(current.start, current.endExclusive - 1));
    const isWanted = downloader.window.some(({ piece }) => piece >= first && piece <= last);
    if (!isWanted) seed.abort();
  }

  #firstPiece(seed: WebSeed, nowMs: number): number | undefined {
    const { store, downloader, use, fetchesAll } = this.#parts;
    let missingBytes = 0;
    for (const { piece, dueInMs } of downloader.window) {
      if (!store.isMissing(piece)) continue;
      const active = store.active.get(piece);
      missingBytes += store.geometry.pieceBytes(piece) - (active?.receivedBlocks ?? 0) * BLOCK_BYTES;
      if (active?.freeBlocks === 0) continue;
      const swarmArrivalMs = downloader.swarmArrivalMs(piece, missingBytes);
      const httpArrivalMs = seed.arrivalMs(store.geometry.pieceBytes(piece));
      if (httpIsNeeded({ use, dueInMs, swarmArrivalMs, httpArrivalMs })) return piece;
    }
    if (!fetchesAll || !httpMayFill({ use, silentMs: this.#parts.swarmSilentMs(nowMs) })) return undefined;
    return this.#firstUnwantedByReaders();
  }

  #firstUnwantedByReaders(): number | undefined {
    const { store } = this.#parts;
    for (const active of store.active.values()) if (active.freeBlocks > 0) return active.index;
    let found: number | undefined;
    store.have.forEachMissing((piece) => {
      if (!store.isMissing(piece) || store.active.has(piece)) return true;
      found = piece;
      return false;
    });
    return found;
  }

  /** Marks the longest run of free blocks from the piece's first free block on, as asked. */
  #claim(seed: WebSeed, firstPiece: number): BlockRun | undefined {
    const { store, downloader } = this.#parts;
    const limitBytes = Math.min(seed.runBytes, Math.max(BLOCK_BYTES, this.#parts.allowance()));
    let start: number | undefined;
    let end = 0;
    for (let piece = firstPiece; piece < store.geometry.pieceCount; piece++) {
      if (start !== undefined && (end - start >= limitBytes || !downloader.wants(piece))) break;
      const claimed = this.#claimIn(seed, piece, start === undefined ? limitBytes : limitBytes - (end - start), start);
      if (claimed === undefined) break;
      start ??= claimed.start;
      end = claimed.endExclusive;
      if (end < store.geometry.pieceStart(piece) + store.geometry.pieceBytes(piece)) break;
    }
    return start === undefined ? undefined : { start, endExclusive: end };
  }

  /** The free run of one piece; a continuing run must begin with its first block. */
  #claimIn(seed: BlockSource, piece: number, limitBytes: number, runStart: number | undefined): BlockRun | undefined {
    const { geometry } = this.#parts.store;
    const active = this.#parts.downloader.open(piece, seed);
    const first = active?.firstFree();
    if (active === undefined || first === undefined || (runStart !== undefined && first !== 0)) return undefined;
    const pieceStart = geometry.pieceStart(piece);
    // A suspect piece is fetched whole, or its blame would be unclear.
    const limit = active.exclusiveTo === undefined ? limitBytes : active.sizeBytes;
    let block = first;
    while (block < active.blockCount && active.isFree(block) && (block - first) * BLOCK_BYTES < limit)
      active.ask(block++);
    const endExclusive = pieceStart + Math.min(block * BLOCK_BYTES, active.sizeBytes);
    return { start: pieceStart + first * BLOCK_BYTES, endExclusive };
  }
}
