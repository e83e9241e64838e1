/**
 * What one peer was asked for. Invariant (BEP 6): each request ends exactly once, by a block, a reject, or silence of
 * a peer without the fast extension; a cancelled request may still be answered and then is legal.
 */
import type { SentRequest } from './pipeline.ts';

/** Cancelled requests of peers that never answer cancels are remembered up to this many. */
const MAX_CANCELLED = 1024;
const MAX_CANCELS_PER_BLOCK = 8;

export type OpenRequest = SentRequest;

/** How an answer relates to what was asked. */
export interface Settled {
  readonly request: OpenRequest;
  /** False for the late answer to a cancelled request. */
  readonly wasOpen: boolean;
  /** The block was asked for more than once: which request this answers, and how long that took, cannot be told. */
  readonly isAmbiguous: boolean;
}

export class RequestLedger {
  readonly #open = new Map<number, OpenRequest>();
  /** Cancelled and unanswered; one block may be cancelled and asked for again several times. */
  readonly #cancelled = new Map<number, OpenRequest[]>();

  #lapses = 0;

  /** How often in a row the peer let what it was asked for lapse, with no useful block in between. */
  get lapses(): number {
    return this.#lapses;
  }

  /** The peer was silent for too long, or refused. */
  lapsed(): void {
    this.#lapses++;
  }

  /** Requests that should still be answered with a block. */
  get size(): number {
    return this.#open.size;
  }

  get open(): ReadonlyMap<number, OpenRequest> {
    return this.#open;
  }

  add(blockKey: number, request: OpenRequest): void {
    this.#open.set(blockKey, request);
  }

  has(blockKey: number): boolean {
    return this.#open.has(blockKey);
  }

  /** Whether a block for this key would be an answer to something. */
  isExpected(blockKey: number): boolean {
    return this.#open.has(blockKey) || this.#cancelled.has(blockKey);
  }

  /**
   * A block came. A useful one is the wanted answer if one is open, else a late one; a useless one is the late answer
   * first. Undefined when nothing was asked.
   */
  settleBlock(blockKey: number, isUseful = true): Settled | undefined {
    if (isUseful) this.#lapses = 0;
    const isAmbiguous = this.#open.has(blockKey) && this.#cancelled.has(blockKey);
    const settled = isUseful
      ? (this.#settleOpen(blockKey) ?? this.#settleCancelled(blockKey))
      : (this.#settleCancelled(blockKey) ?? this.#settleOpen(blockKey));
    return settled && { ...settled, isAmbiguous };
  }

  /** A reject came: cancels are answered first, in the order they were sent; undefined when nothing was asked. */
  settleReject(blockKey: number): Settled | undefined {
    const settled = this.#settleCancelled(blockKey) ?? this.#settleOpen(blockKey);
    return settled && { ...settled, isAmbiguous: false };
  }

  /** No longer wanted, though an answer may still come; false when it was not open. */
  cancel(blockKey: number): boolean {
    const request = this.#open.get(blockKey);
    if (request === undefined) return false;
    this.#open.delete(blockKey);
    const earlier = this.#cancelled.get(blockKey) ?? [];
    if (earlier.length < MAX_CANCELS_PER_BLOCK) earlier.push(request);
    this.#cancelled.delete(blockKey);
    this.#cancelled.set(blockKey, earlier);
    const oldest = this.#cancelled.keys().next();
    if (this.#cancelled.size > MAX_CANCELLED && !oldest.done) this.#cancelled.delete(oldest.value);
    return true;
  }

  /** Cancels everything and returns the keys that were open. */
  cancelAll(): number[] {
    const keys = [...this.#open.keys()];
    for (const key of keys) this.cancel(key);
    return keys;
  }

  #settleOpen(blockKey: number): Omit<Settled, 'isAmbiguous'> | undefined {
    const request = this.#open.get(blockKey);
    if (request === undefined) return undefined;
    this.#open.delete(blockKey);
    return { request, wasOpen: true };
  }

  #settleCancelled(blockKey: number): Omit<Settled, 'isAmbiguous'> | undefined {
    const waiting = this.#cancelled.get(blockKey);
    const request = waiting?.shift();
    if (waiting?.length === 0) this.#cancelled.delete(blockKey);
    return request && { request, wasOpen: false };
  }
}
