/**
 * What one peer was asked for. Invariant (BEP 6): each request ends exactly once, by a block, a reject, or silence of
 * a peer without the fast extension; a cancelled request may still be answered and then is legal.
 */
import type { SentRequest } from './pipeline.ts';

/** Cancelled requests of peers that never answer cancels are remembered up to this many. */
const MAX_CANCELLED = 1024;

export interface OpenRequest extends SentRequest {
  /** Monotonic time at which the block should be here; later than that a second source may be asked. */
  readonly expectedAtMs: number;
}

export class RequestLedger {
  readonly #open = new Map<number, OpenRequest>();
  readonly #cancelled = new Map<number, OpenRequest>();

  /** Requests that should still be answered with a block. */
  get size(): number {
    return this.#open.size;
  }

  get open(): ReadonlyMap<number, OpenRequest> {
    return this.#open;
  }

  add(blockKey: number, request: OpenRequest): void {
    this.#cancelled.delete(blockKey);
    this.#open.set(blockKey, request);
  }

  has(blockKey: number): boolean {
    return this.#open.has(blockKey);
  }

  /** Whether a block for this key would be an answer to something. */
  isExpected(blockKey: number): boolean {
    return this.#open.has(blockKey) || this.#cancelled.has(blockKey);
  }

  /** The request was answered. `wasOpen` tells a wanted answer from a late one; undefined when nothing was asked. */
  settle(blockKey: number): { readonly request: OpenRequest; readonly wasOpen: boolean } | undefined {
    const open = this.#open.get(blockKey);
    if (open !== undefined) {
      this.#open.delete(blockKey);
      return { request: open, wasOpen: true };
    }
    const cancelled = this.#cancelled.get(blockKey);
    if (cancelled === undefined) return undefined;
    this.#cancelled.delete(blockKey);
    return { request: cancelled, wasOpen: false };
  }

  /** No longer wanted, though an answer may still come; false when it was not open. */
  cancel(blockKey: number): boolean {
    const request = this.#open.get(blockKey);
    if (request === undefined) return false;
    this.#open.delete(blockKey);
    this.#cancelled.set(blockKey, request);
    if (this.#cancelled.size > MAX_CANCELLED) {
      const oldest = this.#cancelled.keys().next();
      if (!oldest.done) this.#cancelled.delete(oldest.value);
    }
    return true;
  }

  /** Cancels everything and returns the keys that were open. */
  cancelAll(): number[] {
    const keys = [...this.#open.keys()];
    for (const key of keys) this.cancel(key);
    return keys;
  }
}
