/**
 * A piece on its way in. Every block is free, asked of one or more sources, or received and, where its leaf is known,
 * verified; received bytes sit in the piece's own pooled buffer. Invariant: at most one source streams into a block at
 * a time, so a block is never a mixture of two sources and blame for bad bytes is always exact.
 */
import { BLOCK_BYTES } from '../../codec/wire.ts';
import type { Geometry } from '../geometry.ts';
import { Lapses } from './lapses.ts';

/** Whoever delivers blocks: a peer or a web seed. */
export interface BlockSource {
  /** Unique within the engine's life. */
  readonly sourceId: number;
}

const RECEIVED = 255;
const NO_BLOCKS = new Uint8Array(0);
/** More sources than this are never asked for one block. */
const MAX_ASKERS = 8;
const anyBlock = (_block: number): boolean => true;

export class ActivePiece {
  readonly index: number;
  readonly sizeBytes: number;
  /** Its bytes and the zeros behind them that fill its place in the flat byte space. */
  readonly spanBytes: number;
  readonly blockCount: number;
  /** At least `spanBytes` long; lent by the buffer pool. */
  readonly buffer: Uint8Array<ArrayBuffer>;
  /** Set while a suspect piece is fetched again from one source only (smart ban). */
  exclusiveTo: BlockSource | undefined;
  /** Monotonic time of the last received block, for eviction of the stalest. */
  touchedAtMs: number;
  /** Number of sources asked per block, or RECEIVED. */
  readonly #askers: Uint8Array;
  /** Who let which block lapse. */
  readonly lapses = new Lapses();
  readonly #writers: (BlockSource | undefined)[];
  readonly #deliveredBy: (BlockSource | undefined)[];
  #freeBlocks: number;
  #receivedBlocks = 0;
  /** SHA-256 of each block, proven; undefined while unknown (always in v1). */
  #leaves: Uint8Array | undefined;
  /** 1 for blocks that match their leaf. */
  #isVerified = NO_BLOCKS;
  #verifiedBlocks = 0;
  #cursor = 0;

  constructor(geometry: Geometry, index: number, buffer: Uint8Array<ArrayBuffer>, nowMs: number) {
    this.index = index;
    this.sizeBytes = geometry.pieceBytes(index);
    this.spanBytes = geometry.spanBytes(index);
    this.blockCount = geometry.blockCount(index);
    this.buffer = buffer;
    buffer.fill(0, this.sizeBytes, this.spanBytes);
    this.touchedAtMs = nowMs;
    this.#askers = new Uint8Array(this.blockCount);
    this.#writers = Array.from({ length: this.blockCount });
    this.#deliveredBy = Array.from({ length: this.blockCount });
    this.#freeBlocks = this.blockCount;
  }

  /** Blocks that nobody was asked for. */
  get freeBlocks(): number {
    return this.#freeBlocks;
  }

  get receivedBlocks(): number {
    return this.#receivedBlocks;
  }

  /** Blocks that somebody was asked for and that are not here. */
  get askedBlocks(): number {
    return this.blockCount - this.#freeBlocks - this.#receivedBlocks;
  }

  get isComplete(): boolean {
    return this.#receivedBlocks === this.blockCount;
  }

  /** Proven SHA-256 of each 16 KiB, back to back (BEP 52); undefined while unknown. */
  get leaves(): Uint8Array | undefined {
    return this.#leaves;
  }

  /** Every block matches its leaf. */
  get isVerified(): boolean {
    return this.#verifiedBlocks === this.blockCount;
  }

  /** Takes proven leaves: from now on blocks are checked one by one. */
  expectLeaves(leaves: Uint8Array): void {
    this.#leaves = leaves;
    this.#isVerified = new Uint8Array(this.blockCount);
  }

  /** Notes that a received block matches its leaf. */
  verify(block: number): void {
    if (!this.isReceived(block) || this.#isVerified[block] !== 0) return;
    this.#isVerified[block] = 1;
    this.#verifiedBlocks++;
  }

  /** Blocks that match their leaf. */
  get verifiedBlocks(): number[] {
    if (this.#verifiedBlocks === 0) return [];
    return Array.from({ length: this.blockCount }, (_, block) => block).filter((block) => this.isBlockVerified(block));
  }

  isBlockVerified(block: number): boolean {
    return this.#isVerified[block] === 1;
  }

  /** A received block does not match its leaf: it is free again. Returns who delivered it. */
  reject(block: number): BlockSource | undefined {
    if (!this.isReceived(block) || this.isBlockVerified(block)) return undefined;
    const source = this.#deliveredBy[block];
    this.#deliveredBy[block] = undefined;
    this.#askers[block] = 0;
    this.#receivedBlocks--;
    this.#freeBlocks++;
    this.#cursor = Math.min(this.#cursor, block);
    return source;
  }

  /** Offset behind the verified blocks that follow `offsetBytes` without a gap; padding follows the last one. */
  verifiedUntil(offsetBytes: number): number {
    let block = Math.floor(Math.min(offsetBytes, this.sizeBytes - 1) / BLOCK_BYTES);
    while (block < this.blockCount && this.isBlockVerified(block)) block++;
    return Math.max(offsetBytes, block === this.blockCount ? this.spanBytes : block * BLOCK_BYTES);
  }

  isFree(block: number): boolean {
    return this.#askers[block] === 0;
  }

  isReceived(block: number): boolean {
    return this.#askers[block] === RECEIVED;
  }

  /** Sources now asked for the block; 0 when free or received. */
  askers(block: number): number {
    const askers = this.#askers[block] ?? 0;
    return askers === RECEIVED ? 0 : askers;
  }

  /** Blocks of [fromBlock, untilBlock) that nobody was asked for. */
  freeIn(fromBlock: number, untilBlock: number): number {
    if (this.#freeBlocks === 0 || untilBlock - fromBlock === this.blockCount) return this.#freeBlocks;
    let free = 0;
    for (let block = fromBlock; block < untilBlock; block++) free += Number(this.isFree(block));
    return free;
  }

  /** The first free block of [fromBlock, untilBlock) that `suits`, or undefined. */
  firstFreeIn(fromBlock: number, untilBlock: number, suits = anyBlock): number | undefined {
    if (this.#freeBlocks === 0) return undefined;
    for (let block = Math.max(fromBlock, this.#cursor); block < untilBlock; block++)
      if (this.isFree(block) && suits(block)) return block;
    for (let block = fromBlock; block < Math.min(untilBlock, this.#cursor); block++)
      if (this.isFree(block) && suits(block)) return block;
    return undefined;
  }

  /** The first free block, or undefined. */
  firstFree(): number | undefined {
    if (this.#freeBlocks === 0) return undefined;
    for (let step = 0; step < this.blockCount; step++) {
      const block = (this.#cursor + step) % this.blockCount;
      if (this.#askers[block] !== 0) continue;
      this.#cursor = block;
      return block;
    }
    return undefined;
  }

  /** Whether one more source may be asked. */
  mayAsk(block: number): boolean {
    return (this.#askers[block] ?? RECEIVED) < MAX_ASKERS;
  }

  /** Notes that a source was asked. */
  ask(block: number): void {
    const askers = this.#askers[block] ?? RECEIVED;
    if (askers >= MAX_ASKERS) return;
    if (askers === 0) this.#freeBlocks--;
    this.#askers[block] = askers + 1;
  }

  /** Notes that an asked source will not deliver; the block may become free again. */
  unask(block: number): void {
    const askers = this.#askers[block] ?? RECEIVED;
    if (askers === 0 || askers === RECEIVED) return;
    this.#askers[block] = askers - 1;
    if (askers > 1) return;
    this.#freeBlocks++;
    this.#cursor = Math.min(this.#cursor, block);
  }

  /** Claims the block's place in the buffer for one source's stream; false while another one writes or it is received. */
  beginWrite(block: number, source: BlockSource): boolean {
    if (this.isReceived(block)) return false;
    const writer = this.#writers[block];
    if (writer !== undefined && writer !== source) return false;
    this.#writers[block] = source;
    return true;
  }

  /** Gives up a claim before the block was complete. */
  abandonWrite(block: number, source: BlockSource): void {
    if (this.#writers[block] === source) this.#writers[block] = undefined;
  }

  /** Whether the source's claim still stands: another one may have completed the block, or the piece may be gone. */
  mayWrite(block: number, source: BlockSource): boolean {
    return this.#writers[block] === source;
  }

  /** Ends all claims: the buffer is about to be reused. */
  revokeWriters(): void {
    this.#writers.fill(undefined);
  }

  /** Notes that the block's bytes are all in the buffer, by this source; false when it was received before. */
  receive(block: number, source: BlockSource, nowMs: number): boolean {
    const askers = this.#askers[block] ?? RECEIVED;
    if (askers === RECEIVED) return false;
    if (askers === 0) this.#freeBlocks--;
    this.#askers[block] = RECEIVED;
    this.#writers[block] = undefined;
    this.#deliveredBy[block] = source;
    this.#receivedBlocks++;
    this.lapses.forget(block);
    this.touchedAtMs = nowMs;
    return true;
  }

  /** Who delivered each received block, in block order. */
  get deliveries(): readonly (BlockSource | undefined)[] {
    return this.#deliveredBy;
  }

  contributors(): Set<BlockSource> {
    return new Set(this.#deliveredBy.filter((source) => source !== undefined));
  }
}
