/**
 * Addresses one torrent may dial: bounded, each tried with growing pauses and forgotten after a few failures, or for a newer one.
 * Invariant: an address is in at most one state: waiting, being dialled, or connected.
 */
import { SECOND_MS } from '../../base/units.ts';
import type { PeerAddress } from '../ports.ts';
import { addressKey } from './peer-exchange.ts';

const MAX_CANDIDATES = 500;
/** Pauses after the first, second … failure; one more failure and the address is forgotten. The first is short because
 * some clients refuse a torrent's very first connection while they get it ready. */
const RETRY_MS = [SECOND_MS, 10 * SECOND_MS, 60 * SECOND_MS, 300 * SECOND_MS];

const JITTER = 0.25;

interface Candidate {
  readonly address: PeerAddress;
  failures: number;
  nextAtMs: number;
  state: 'waiting' | 'busy';
  /** It had everything, or wanted nothing, when it was last connected: of no use to those who want nothing either. */
  isSeed: boolean;
}

/** How a connection ended; of a failed dial nothing is known. */
export interface Ending {
  /** It gave us something. */
  readonly wasUseful: boolean;
  /** It had everything, or wanted nothing. */
  readonly isSeed: boolean;
}

export class Candidates {
  readonly #candidates = new Map<string, Candidate>();
  readonly #random: () => number;

  /** `random` is uniform in [0, 1): pauses vary by a quarter, so that peers do not knock in step. */
  constructor(random: () => number) {
    this.#random = random;
  }

  get size(): number {
    return this.#candidates.size;
  }

  /** True when the address is new. */
  add(address: PeerAddress, nowMs: number): boolean {
    const key = addressKey(address);
    if (this.#candidates.has(key)) return false;
    if (this.#candidates.size >= MAX_CANDIDATES && !this.#forgetWorst()) return false;
    this.#candidates.set(key, { address, failures: 0, nextAtMs: nowMs, state: 'waiting', isSeed: false });
    return true;
  }

  /** The peer itself said just now that it is there: earlier failures no longer count. */
  renew(address: PeerAddress, nowMs: number): void {
    const candidate = this.#candidates.get(addressKey(address));
    if (candidate?.state !== 'waiting') return;
    candidate.failures = 0;
    candidate.isSeed = false;
    candidate.nextAtMs = nowMs;
  }

  /** All that wait are due now. */
  renewAll(nowMs: number): void {
    for (const candidate of this.#candidates.values()) if (candidate.state === 'waiting') candidate.nextAtMs = nowMs;
  }

  /** An address that is due, now marked as busy; known seeds only when they are wanted. */
  next(nowMs: number, wantsSeeds = true): PeerAddress | undefined {
    for (const candidate of this.#candidates.values()) {
      if (!isWaiting(candidate, wantsSeeds) || candidate.nextAtMs > nowMs) continue;
      candidate.state = 'busy';
      return candidate.address;
    }
    return undefined;
  }

  /** Whether any address waits for its turn, now or later. */
  hasWaiting(wantsSeeds = true): boolean {
    for (const candidate of this.#candidates.values()) if (isWaiting(candidate, wantsSeeds)) return true;
    return false;
  }

  /** The dial failed or the connection ended. `wasUseful` starts the pauses anew. */
  ended(address: PeerAddress, { wasUseful, isSeed }: Ending, nowMs: number): void {
    const key = addressKey(address);
    const candidate = this.#candidates.get(key);
    if (candidate === undefined) return;
    candidate.isSeed = isSeed;
    const pauseMs = RETRY_MS[wasUseful ? 1 : candidate.failures];
    candidate.failures = wasUseful ? 1 : candidate.failures + 1;
    if (pauseMs === undefined) this.#candidates.delete(key);
    else {
      candidate.state = 'waiting';
      candidate.nextAtMs = nowMs + pauseMs * (1 - JITTER + 2 * JITTER * this.#random());
    }
  }

  /** It could not be dialled just now; it stays next in line. */
  postpone(address: PeerAddress): void {
    const candidate = this.#candidates.get(addressKey(address));
    if (candidate !== undefined) candidate.state = 'waiting';
  }

  /** Of those that wait, the one that failed most often makes room; false when none failed yet. */
  #forgetWorst(): boolean {
    let worst: [key: string, failures: number] | undefined;
    for (const [key, { state, failures }] of this.#candidates)
      if (state === 'waiting' && failures > (worst?.[1] ?? 0)) worst = [key, failures];
    return worst !== undefined && this.#candidates.delete(worst[0]);
  }

  forget(address: PeerAddress): void {
    this.#candidates.delete(addressKey(address));
  }

  clear(): void {
    this.#candidates.clear();
  }
}

function isWaiting(candidate: Candidate, wantsSeeds: boolean): boolean {
  return candidate.state === 'waiting' && (wantsSeeds || !candidate.isSeed);
}
