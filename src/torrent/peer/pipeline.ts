/**
 * How many blocks to keep asked of one source. The window follows the bandwidth-delay product: enough to keep the
 * pipe full, little enough that a seek is not stuck behind seconds of stale requests. The delay is the smallest seen
 * lately, measured again on a drained queue when only queued samples came for a while (as BBR does).
 */
import { BLOCK_BYTES } from '../../codec/wire.ts';

/** Window before anything was measured. */
const START_BLOCKS = 8;
const MIN_BLOCKS = 4;
/** Queue while the delay is measured anew. */
const DRAINED_BLOCKS = 2;
/** Above this a longer queue gains nothing, even on loopback (measured: 256 blocks saturate it). */
const MAX_BLOCKS = 512;
const BANDWIDTH_MEMORY_MS = 3_000;
/** Busy time after which an old delivery weighs 1/e in the average. */
const BUSY_MEMORY_MS = 4_000;
/** Deliveries of one chunk come at the same moment; clocks may be coarse. */
const MIN_SPAN_MS = 0.05;
const DELAY_MEMORY_MS = 10_000;
/** Extra queue beside the delay. A reader wants short queues, bulk download wants to survive scheduling hiccups. */
const INTERACTIVE_SLACK_MS = 30;
const BULK_SLACK_MS = 250;
const BURST_TOLERANCE = 1.5;
/** Guess for sources that delivered nothing yet. */
const UNKNOWN_BYTES_PER_MS = 256;
const UNKNOWN_DELAY_MS = 100;

/** The smallest or largest value of the last one to two periods, in two numbers. */
class RecentExtreme {
  readonly #periodMs: number;
  readonly #better: (a: number, b: number) => number;
  #current: number | undefined;
  #previous: number | undefined;
  #turnedAtMs: number;

  constructor(periodMs: number, better: (a: number, b: number) => number, nowMs: number) {
    this.#periodMs = periodMs;
    this.#better = better;
    this.#turnedAtMs = nowMs;
  }

  get value(): number | undefined {
    if (this.#current === undefined) return this.#previous;
    return this.#previous === undefined ? this.#current : this.#better(this.#current, this.#previous);
  }

  /** The best of the running period only. */
  get fresh(): number | undefined {
    return this.#current;
  }

  /** Whether a new period is due. */
  isDue(nowMs: number): boolean {
    return nowMs - this.#turnedAtMs >= this.#periodMs;
  }

  turn(nowMs: number): void {
    this.#turnedAtMs = nowMs;
    this.#previous = this.#current ?? this.#previous;
    this.#current = undefined;
  }

  add(sample: number): void {
    this.#current = this.#current === undefined ? sample : this.#better(this.#current, sample);
  }
}

/** What must be remembered of each request to learn from its answer. */
export interface SentRequest {
  readonly sentAtMs: number;
  readonly deliveredBytes: number;
  readonly deliveredAtMs: number;
  /** Blocks outstanding when it was sent, itself included. */
  readonly queuedBlocks: number;
}

export class RequestPipeline {
  readonly #bandwidth: RecentExtreme;
  readonly #delay: RecentExtreme;
  #deliveredBytes = 0;
  #deliveredAtMs: number;
  /** Waiting is accounted for until here. */
  #waitedUntilMs: number;
  /** The next delivery is the first after an idle spell, so the way there and back is in its time. */
  #isFirst = true;
  /** Bytes delivered and time spent waiting for them, both fading. */
  #busyBytes = 0;
  #busyMs = 0;
  #draining = false;
  #promisedBlockMs = BLOCK_BYTES / UNKNOWN_BYTES_PER_MS;

  constructor(nowMs: number) {
    this.#bandwidth = new RecentExtreme(BANDWIDTH_MEMORY_MS, Math.max, nowMs);
    this.#delay = new RecentExtreme(DELAY_MEMORY_MS, Math.min, nowMs);
    this.#deliveredAtMs = nowMs;
    this.#waitedUntilMs = nowMs;
  }

  /** What it delivers while asked, in bytes per ms, bursts evened out; a modest guess before the first block. */
  get bytesPerMs(): number {
    return this.#busyBytes === 0 ? UNKNOWN_BYTES_PER_MS : this.#busyBytes / Math.max(this.#busyMs, MIN_SPAN_MS);
  }

  /**
   * Time per block, in ms, by what was known at the last delivery, or when the queue was last empty: what the source is
   * held to. A measure that slows down with the silence would never find it late.
   */
  get promisedBlockMs(): number {
    return this.#promisedBlockMs;
  }

  /** Delay of an empty queue in ms. */
  get delayMs(): number {
    return this.#delay.value ?? UNKNOWN_DELAY_MS;
  }

  get isMeasured(): boolean {
    return this.#bandwidth.value !== undefined;
  }

  /** Blocks to keep outstanding. `interactive` while a reader waits on this torrent. */
  windowBlocks(interactive: boolean): number {
    if (!this.isMeasured) return START_BLOCKS;
    if (this.#draining) return DRAINED_BLOCKS;
    const slackMs = interactive ? INTERACTIVE_SLACK_MS : BULK_SLACK_MS;
    const horizonMs = Math.max(2 * this.delayMs, this.delayMs + slackMs);
    // The best recent rate lets the window grow; for a reader a burst must not pass for bandwidth.
    const best = this.#bandwidth.value ?? 0;
    const bytesPerMs = interactive ? Math.min(best, BURST_TOLERANCE * this.bytesPerMs) : best;
    const blocks = Math.ceil((bytesPerMs * horizonMs) / BLOCK_BYTES);
    return Math.min(MAX_BLOCKS, Math.max(MIN_BLOCKS, blocks));
  }

  /** Blocks that fill the way there and back: no longer to be stopped by a cancel. */
  get blocksUnderWay(): number {
    return Math.ceil((this.bytesPerMs * this.delayMs) / BLOCK_BYTES);
  }

  /** When a block asked for now would be here, ms from now, behind `queuedBytes` already asked for. */
  arrivalMs(queuedBytes: number): number {
    return this.delayMs + (queuedBytes + BLOCK_BYTES) / this.bytesPerMs;
  }

  /** Call for each request as it is sent. */
  sent(queuedBlocks: number, nowMs: number): SentRequest {
    // After an idle spell the clock of deliveries restarts, or the pause would count as slowness.
    if (queuedBlocks <= 1) {
      this.#deliveredAtMs = nowMs;
      this.#waitedUntilMs = nowMs;
      this.#isFirst = true;
      this.#promisedBlockMs = BLOCK_BYTES / this.bytesPerMs;
    }
    return {
      sentAtMs: nowMs,
      deliveredBytes: this.#deliveredBytes,
      deliveredAtMs: this.#deliveredAtMs,
      queuedBlocks,
    };
  }

  /** Call now and then while something is outstanding: silence is a speed, too, and shows before the next block does. */
  waited(nowMs: number): void {
    const graceMs = this.#isFirst ? this.delayMs : 0;
    const fromMs = Math.max(this.#waitedUntilMs, this.#deliveredAtMs + graceMs);
    const busyMs = nowMs - fromMs;
    if (busyMs <= 0) return;
    this.#waitedUntilMs = nowMs;
    const kept = Math.exp(-busyMs / BUSY_MEMORY_MS);
    this.#busyBytes *= kept;
    this.#busyMs = this.#busyMs * kept + busyMs;
  }

  /** Call for each answered request; where several may have been answered, no delay is learned (Karn's rule). */
  delivered(sizeBytes: number, request: SentRequest, nowMs: number, isAmbiguous = false): void {
    this.waited(nowMs);
    this.#busyBytes += sizeBytes;
    this.#promisedBlockMs = BLOCK_BYTES / this.bytesPerMs;
    this.#isFirst = false;
    this.#deliveredBytes += sizeBytes;
    this.#deliveredAtMs = nowMs;
    const spanMs = Math.max(nowMs - request.deliveredAtMs, MIN_SPAN_MS);
    if (this.#bandwidth.isDue(nowMs)) this.#bandwidth.turn(nowMs);
    this.#bandwidth.add((this.#deliveredBytes - request.deliveredBytes) / spanMs);
    if (!isAmbiguous) this.#learnDelay(request, nowMs);
  }

  #learnDelay(request: SentRequest, nowMs: number): void {
    const known = this.#delay.value;
    if (this.#draining && request.queuedBlocks <= DRAINED_BLOCKS) this.#draining = false;
    this.#delay.add(nowMs - request.sentAtMs);
    if (!this.#delay.isDue(nowMs)) return;
    // Only samples with a queue in front of them came: drain once, so that the queue is not taken for distance.
    const fresh = this.#delay.fresh ?? 0;
    if (known !== undefined && fresh > known * 1.25) this.#draining = true;
    this.#delay.turn(nowMs);
  }
}
