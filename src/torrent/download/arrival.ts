/** Estimates of when blocks will be here, and who should therefore be asked: plain arithmetic over measured speeds. */
import { BLOCK_BYTES } from '../../codec/wire.ts';

/** What an estimate needs to know of a peer. */
export interface ArrivalSource {
  readonly queuedBytes: number;
  readonly pipeline: { readonly bytesPerMs: number; readonly delayMs: number };
}

/**
 * When these peers together would have delivered `sizeBytes` more, ms from now; Infinity without any. A block is not
 * divided: however many they are, it is not here before the quickest of them has brought it.
 */
export function jointArrivalMs(peers: readonly ArrivalSource[], sizeBytes: number): number {
  let bytesPerMs = 0;
  let queuedBytes = 0;
  let delayMs = Number.POSITIVE_INFINITY;
  let firstBlockMs = Number.POSITIVE_INFINITY;
  const blockBytes = Math.min(sizeBytes, BLOCK_BYTES);
  for (const peer of peers) {
    const ownMs = peer.pipeline.delayMs + (peer.queuedBytes + blockBytes) / peer.pipeline.bytesPerMs;
    firstBlockMs = Math.min(firstBlockMs, ownMs);
    bytesPerMs += peer.pipeline.bytesPerMs;
    queuedBytes += peer.queuedBytes;
    delayMs = Math.min(delayMs, peer.pipeline.delayMs);
  }
  if (bytesPerMs === 0) return Number.POSITIVE_INFINITY;
  return Math.max(firstBlockMs, delayMs + (queuedBytes + sizeBytes) / bytesPerMs);
}

/** Players take what comes into buffers of their own, and so need it sooner than their bitrate says. */
const TRUSTED_SHARE = 0.5;

/** Whether a block comes so early that the reader does not depend on the estimate. Both in ms from now. */
export function isEarly(ownMs: number, dueInMs: number): boolean {
  return ownMs <= TRUSTED_SHARE * dueInMs;
}

/**
 * Whether a peer should take one of the blocks that are still free in a piece a reader needs: early for the reader, or
 * at least no later than the others would have finished the piece without it. All times in ms from now.
 */
export function isTimely(times: {
  readonly ownMs: number;
  readonly othersMs: number;
  readonly dueInMs: number;
}): boolean {
  return isEarly(times.ownMs, times.dueInMs) || times.ownMs <= times.othersMs;
}

/** A slower source is as good when its block comes not much later. */
const TOLERATED_LATENESS = 1.5;
/** What a second source must save at least, in ms: less is not worth the bytes. */
const MIN_GAIN_MS = 20;

/** Whether a block is worth asking of a second source, too. Both in ms from now. */
export function isWorthHedging(arrivesInMs: number, secondArrivesInMs: number): boolean {
  return arrivesInMs > TOLERATED_LATENESS * secondArrivesInMs + MIN_GAIN_MS;
}

/**
 * When the blocks that one source owes should come, ms from now, one after the other without end. `headInMs` says when
 * the first was expected. What is overdue is expected to take as long again: the longer a silence lasted, the longer it
 * may last.
 */
export function* owedArrivalsMs(headInMs: number, blockMs: number): Generator<number, never> {
  for (let atMs = Math.abs(headInMs); ; atMs += blockMs) yield atMs;
}
