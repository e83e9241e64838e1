/**
 * An HTTP source of the torrent's bytes as one more source of the scheduler (BEP 19). It fetches runs of free blocks,
 * short enough that the swarm keeps its share and a seek loses little, and its bytes are verified like any others: one
 * wrong piece and the source is banned.
 */
import { Cancelled, ProtocolError, RetryLater } from '../../base/errors.ts';
import { HOUR_MS, KIB, MIB, SECOND_MS } from '../../base/units.ts';
import { BLOCK_BYTES } from '../../codec/wire.ts';
import type { Gate, Inflow } from '../limits/inflow.ts';
import { Waiters } from '../peer/waiters.ts';
import type { ActivePiece, BlockSource } from '../pieces/active-piece.ts';
import type { PieceStore } from '../pieces/piece-store.ts';
import type { RangeSource } from '../ports.ts';
import { owedArrivalsMs } from './arrival.ts';
import type { PendingBlock } from './owed-blocks.ts';

/** A run of blocks of one or more pieces in a row, all asked of one web seed. */
export interface BlockRun {
  readonly start: number;
  readonly endExclusive: number;
}

interface Run {
  readonly start: number;
  /** Moves back when the tail is given away. */
  endExclusive: number;
  readonly abort: AbortController;
  /** The next byte to come. */
  position: number;
  /** The pieces whose blocks were claimed: one that was dropped and begun again is none of its business. */
  readonly claimed: ReadonlyMap<number, ActivePiece>;
}

/** Only the next blocks of a run are worth hedging. */
const MAX_PENDING_BYTES = MIB;
const UNKNOWN_BYTES_PER_MS = 1_000;
const UNKNOWN_DELAY_MS = 100;
const MIN_RUN_BYTES = 256 * KIB;
const MAX_RUN_BYTES = 8 * MIB;
/** What is left of a run must be worth two such parts to be shared. */
const MIN_SHARE_BYTES = 128 * KIB;
/** A run should last about this long. */
const RUN_MS = SECOND_MS;
const FIRST_RETRY_MS = 2 * SECOND_MS;
const MAX_RETRY_MS = 5 * 60 * SECOND_MS;
/** So long is a source left alone that asks for it. */
const MAX_ASKED_FOR_MS = HOUR_MS;
/** No byte for this long ends the run. */
const STALL_MS = 10 * SECOND_MS;

export interface WebSeedHost {
  readonly store: PieceStore;
  nowMs(): number;
  /** Its part of the download limits; closed by the seed. */
  openInflow(gate: Gate): Inflow;
  /** A block came. */
  received(seed: WebSeed, piece: ActivePiece, block: number, otherAskers: number, sizeBytes: number): void;
  /** The run ended, for whatever reason: choose the next. */
  idle(seed: WebSeed): void;
  /** These blocks will not come. */
  released(seed: WebSeed, blockKeys: readonly number[]): void;
  failed(seed: WebSeed, error: unknown): void;
}

export class WebSeed implements BlockSource {
  readonly sourceId: number;
  readonly source: RangeSource;
  readonly inflow: Inflow;
  isBanned = false;
  readonly #host: WebSeedHost;
  readonly #released = new Waiters();
  #run: Run | undefined;
  #running: Promise<void> = Promise.resolve();
  #failures = 0;
  #retryAtMs = 0;
  #lastByteAtMs = 0;
  #bytesPerMs = 0;
  #delayMs = UNKNOWN_DELAY_MS;
  #startedAtMs = 0;

  constructor(sourceId: number, source: RangeSource, host: WebSeedHost) {
    this.sourceId = sourceId;
    this.source = source;
    this.#host = host;
    this.inflow = host.openInflow({
      hold: () => undefined, // the run looks before it reads on
      release: () => this.#released.wakeAll(),
      wasHeld: (nowMs) => (this.#lastByteAtMs = nowMs),
      takeBack: () => this.yieldRest(),
    });
  }

  /** Whether a run may begin now. */
  isReady(nowMs: number): boolean {
    return !this.isBanned && this.#run === undefined && nowMs >= this.#retryAtMs;
  }

  /** What is being fetched, from the next byte on. */
  get current(): BlockRun | undefined {
    return this.#run && { start: this.#run.position, endExclusive: this.#run.endExclusive };
  }

  /** Keys of the blocks of the run that have not come. */
  get askedBlocks(): number[] {
    return this.#run === undefined ? [] : this.#claimedOf(this.#run, this.#run.position, this.#run.endExclusive);
  }

  /** When `sizeBytes` asked for now would be here, ms from now; a hopeful guess before the first run. */
  arrivalMs(sizeBytes: number): number {
    return this.#delayMs + sizeBytes / (this.#bytesPerMs || UNKNOWN_BYTES_PER_MS);
  }

  /** The next blocks to come. */
  pending(nowMs: number): PendingBlock[] {
    const run = this.#run;
    if (run === undefined) return [];
    const blockMs = BLOCK_BYTES / (this.#bytesPerMs || UNKNOWN_BYTES_PER_MS);
    const expectedAtMs = run.position === run.start ? this.#startedAtMs + this.#delayMs : this.#lastByteAtMs + blockMs;
    const arrivals = owedArrivalsMs(expectedAtMs - nowMs, blockMs);
    const overdueMs = Math.max(0, nowMs - expectedAtMs);
    const end = Math.min(run.endExclusive, run.position + MAX_PENDING_BYTES);
    return this.#claimedOf(run, run.position, end).map((blockKey) => ({
      blockKey,
      arrivesInMs: arrivals.next().value,
      overdueMs,
      isStoppable: false,
    }));
  }

  /** How much to fetch at once. */
  get runBytes(): number {
    return Math.min(MAX_RUN_BYTES, Math.max(MIN_RUN_BYTES, this.#bytesPerMs * RUN_MS));
  }

  /** Begins a run whose blocks the caller has marked as asked. */
  start(range: BlockRun): void {
    const claimed = new Map<number, ActivePiece>();
    const { geometry, active } = this.#host.store;
    for (let piece = geometry.pieceAt(range.start); geometry.pieceStart(piece) < range.endExclusive; piece++) {
      const begun = active.get(piece);
      if (begun !== undefined) claimed.set(piece, begun);
    }
    const run: Run = { ...range, abort: new AbortController(), position: range.start, claimed };
    this.#run = run;
    this.#startedAtMs = this.#host.nowMs();
    this.#lastByteAtMs = this.#startedAtMs;
    this.#running = this.#fetch(run.abort.signal)
      .then(() => this.#succeeded())
      .catch((error: unknown) => this.#stumbled(error, run.abort.signal))
      .finally(() => this.#ended());
  }

  /** Gives the second half of a long run back for an idle peer that serves the last piece; false when it is short. */
  share(serves: (piece: number) => boolean): boolean {
    const run = this.#run;
    if (run === undefined || run.endExclusive - run.position < 2 * MIN_SHARE_BYTES) return false;
    if (!serves(this.#host.store.geometry.pieceAt(run.endExclusive - 1))) return false;
    const middle = this.#blockStart(run.position + (run.endExclusive - run.position) / 2);
    const { endExclusive } = run;
    run.endExclusive = middle;
    this.#host.released(this, this.#claimedOf(run, middle, endExclusive));
    return true;
  }

  /** How long the rest of the run will take, in ms; 0 without a run. A slow start counts until the speed is known. */
  restMs(nowMs: number): number {
    const run = this.#run;
    if (run === undefined) return 0;
    if (this.#bytesPerMs === 0) return nowMs - this.#startedAtMs;
    return (run.endExclusive - run.position) / this.#bytesPerMs;
  }

  /** Gives back everything but the block in progress. */
  yieldRest(): void {
    const run = this.#run;
    if (run === undefined) return;
    const end = Math.min(run.endExclusive, this.#blockStart(run.position + BLOCK_BYTES));
    if (end <= run.position || end === run.endExclusive) return;
    const { endExclusive } = run;
    run.endExclusive = end;
    this.#host.released(this, this.#claimedOf(run, end, endExclusive));
  }

  /** Stops the run; its remaining blocks are released. */
  abort(): void {
    this.#run?.abort.abort(new Cancelled('no longer wanted'));
  }

  /** Ends a run that brings nothing. */
  checkStall(nowMs: number): void {
    if (this.#run !== undefined && nowMs - this.#lastByteAtMs > STALL_MS) {
      this.#backOff();
      this.abort();
    }
  }

  /** Never asked again. */
  ban(): void {
    this.isBanned = true;
    this.abort();
  }

  async stop(): Promise<void> {
    this.isBanned = true;
    this.abort();
    await this.#running;
    this.inflow.close();
  }

  async #fetch(signal: AbortSignal): Promise<void> {
    const run = this.#run;
    if (run === undefined) return;
    for await (const chunk of this.source.fetch(run.start, run.endExclusive, signal)) {
      if (signal.aborted) return;
      this.#noteSpeed(run, chunk.length);
      this.inflow.came(chunk.length, this.#host.nowMs());
      this.#take(chunk.subarray(0, run.endExclusive - run.position));
      if (run.position >= run.endExclusive) return;
      if (this.inflow.isHeld && !signal.aborted) await this.#released.wait(signal);
    }
    if (run.position < run.endExclusive) throw new ProtocolError('the source sent too little');
  }

  /** Speed within the run, smoothed over runs; the time to the first byte apart from it. */
  #noteSpeed(run: Run, sizeBytes: number): void {
    const nowMs = this.#host.nowMs();
    if (run.position === run.start) this.#delayMs = nowMs - this.#startedAtMs;
    else {
      const spanMs = Math.max(1, nowMs - this.#startedAtMs - this.#delayMs);
      const bytesPerMs = (run.position + sizeBytes - run.start) / spanMs;
      this.#bytesPerMs = this.#bytesPerMs === 0 ? bytesPerMs : 0.8 * this.#bytesPerMs + 0.2 * bytesPerMs;
    }
    this.#lastByteAtMs = nowMs;
  }

  /** Copies a chunk into the pieces it belongs to. */
  #take(chunk: Uint8Array): void {
    const { geometry } = this.#host.store;
    let at = 0;
    while (at < chunk.length && this.#run !== undefined) {
      const { position } = this.#run;
      const pieceIndex = geometry.pieceAt(position);
      const inPiece = position - geometry.pieceStart(pieceIndex);
      const block = Math.floor(inPiece / BLOCK_BYTES);
      const blockBytes = geometry.blockBytes(pieceIndex, block);
      const inBlock = inPiece - block * BLOCK_BYTES;
      // Behind the last block of a piece there may be padding.
      const endOfPart = inBlock < blockBytes ? blockBytes : geometry.spanBytes(pieceIndex) - block * BLOCK_BYTES;
      const part = chunk.subarray(at, at + endOfPart - inBlock);
      const piece = this.#claimedPiece(this.#run, pieceIndex);
      at += part.length;
      this.#run.position += part.length;
      if (piece !== undefined && inBlock < blockBytes)
        this.#put(piece, block, inBlock, part, inBlock + part.length === blockBytes);
    }
  }

  #put(piece: ActivePiece, block: number, inBlock: number, part: Uint8Array, isLast: boolean): void {
    if (inBlock === 0) piece.beginWrite(block, this);
    if (!piece.mayWrite(block, this)) {
      // A peer is writing it: if that comes to nothing, the block must be asked for again.
      if (isLast) this.#host.released(this, [this.#host.store.geometry.blockKey(piece.index, block)]);
      return;
    }
    piece.buffer.set(part, block * BLOCK_BYTES + inBlock);
    if (!isLast) return;
    const otherAskers = piece.askers(block) - 1;
    if (piece.receive(block, this, this.#host.nowMs()))
      this.#host.received(this, piece, block, otherAskers, inBlock + part.length);
  }

  #succeeded(): void {
    this.#failures = 0;
  }

  #stumbled(error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#backOff(error instanceof RetryLater ? error.retryAfterMs : 0);
    this.#host.failed(this, error);
  }

  /** `askedForMs`: how long the source wants to be left alone, at least. */
  #backOff(askedForMs = 0): void {
    const ownMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++);
    this.#retryAtMs = this.#host.nowMs() + Math.max(ownMs, Math.min(askedForMs, MAX_ASKED_FOR_MS));
  }

  /** Gives back the blocks that did not come. */
  #ended(): void {
    const run = this.#run;
    this.#run = undefined;
    if (run === undefined) return;
    const missing = this.#claimedOf(run, run.position, run.endExclusive);
    const { geometry } = this.#host.store;
    for (const blockKey of missing.slice(0, 1)) {
      const piece = geometry.pieceOf(blockKey);
      run.claimed.get(piece)?.abandonWrite(blockKey - geometry.blockKey(piece, 0), this);
    }
    if (missing.length > 0) this.#host.released(this, missing);
    this.inflow.takenBack(Number.POSITIVE_INFINITY); // padding, or what ended early
    this.#host.idle(this);
  }

  /** The start of the block that holds the byte. */
  #blockStart(position: number): number {
    const { geometry } = this.#host.store;
    const start = geometry.pieceStart(geometry.pieceAt(position));
    return start + Math.floor((position - start) / BLOCK_BYTES) * BLOCK_BYTES;
  }

  /** The piece, where it is still the one whose blocks were claimed. */
  #claimedPiece(run: Run, piece: number): ActivePiece | undefined {
    const active = this.#host.store.active.get(piece);
    return active !== undefined && active === run.claimed.get(piece) ? active : undefined;
  }

  /** Keys of the run's claimed blocks that overlap [start, endExclusive). */
  #claimedOf(run: Run, start: number, endExclusive: number): number[] {
    const { geometry } = this.#host.store;
    const blockKeys = this.#blocksOf(start, endExclusive);
    return blockKeys.filter((blockKey) => this.#claimedPiece(run, geometry.pieceOf(blockKey)) !== undefined);
  }

  /** Keys of the blocks that overlap [start, endExclusive). */
  #blocksOf(start: number, endExclusive: number): number[] {
    const { geometry } = this.#host.store;
    const blockKeys: number[] = [];
    let position = start;
    while (position < endExclusive) {
      const piece = geometry.pieceAt(position);
      const inPiece = position - geometry.pieceStart(piece);
      if (inPiece >= geometry.pieceBytes(piece)) {
        position = geometry.pieceStart(piece + 1); // padding
        continue;
      }
      const block = Math.floor(inPiece / BLOCK_BYTES);
      blockKeys.push(geometry.blockKey(piece, block));
      position = geometry.pieceStart(piece) + block * BLOCK_BYTES + geometry.blockBytes(piece, block);
    }
    return blockKeys;
  }
}
