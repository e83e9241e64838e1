/**
 * What must hold at every moment of a simulation, and what happened before it did not. Invariant: only the first
 * breach counts, for everything after it may be its consequence.
 */
import type { Clock } from '../../../src/base/clock.ts';

/** The promises, by the names under which a failure reports them. */
export type Invariant =
  | 'only verified bytes leave'
  | 'only verified bytes are stored'
  | 'a node claims only what it holds'
  | 'every answer was asked for'
  | 'every request is answered'
  | 'nothing is asked of a peer that chokes'
  | 'nothing is asked that a peer does not have'
  | 'no more is asked than a peer takes'
  | 'a piece is in exactly one state'
  | 'every asked block is in its books'
  | 'books and wire agree'
  | 'what is asked is answered or given up'
  | 'lent buffers are accounted for'
  | 'limits hold'
  | `the engine's ${'upload' | 'download'} limit holds`
  | `a torrent's ${'upload' | 'download'} limit holds`
  | `an address's ${'upload' | 'download'} limit holds`
  | 'a buffer is left alone while it is in use'
  | 'storage is not used after it was closed'
  | 'honest peers are never banned'
  | 'no fault escapes'
  | 'a reader gets the right bytes'
  | 'a reader ends with its bytes or a typed error'
  | 'only what is wanted is asked for'
  | 'a paused torrent asks and serves nothing'
  | 'a private torrent keeps to its tracker'
  | 'only true hashes leave'
  | 'no block is kept that fails its leaf'
  | 'who requires encryption never speaks plainly'
  | 'what can complete completes'
  | 'after stop nothing is left'
  | 'stop ends';

export class InvariantBroken extends Error {
  readonly invariant: Invariant;

  constructor(invariant: Invariant, message: string) {
    super(message);
    this.name = 'InvariantBroken';
    this.invariant = invariant;
  }
}

/** Events kept for the report of a failure. */
const KEPT_EVENTS = 60;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** Follows a run: a hash over all that happens, the last events in full, and the first breach. */
export class Referee {
  breach: InvariantBroken | undefined;
  events = 0;
  readonly #clock: Clock;
  readonly #recent: string[] = [];
  #hash = FNV_OFFSET;
  #otherHash = 1;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Fingerprint of everything noted so far: equal runs have equal ones. */
  get fingerprint(): string {
    return `${this.#hash.toString(16)}-${this.#otherHash.toString(16)}-${this.events}`;
  }

  get recent(): readonly string[] {
    return this.#recent;
  }

  /** Something happened, at this moment of virtual time. */
  note(event: string): void {
    const line = `${this.#clock.monotonicMs().toFixed(3)} ${event}`;
    for (let at = 0; at < line.length; at++) {
      const code = line.charCodeAt(at);
      this.#hash = Math.imul(this.#hash ^ code, FNV_PRIME) >>> 0;
      this.#otherHash = (Math.imul(this.#otherHash, 31) + code) >>> 0;
    }
    this.events++;
    this.#recent.push(line);
    if (this.#recent.length > KEPT_EVENTS) this.#recent.shift();
  }

  /** Reports a breach unless `holds`. */
  check(holds: boolean, invariant: Invariant, describe: () => string): void {
    if (!holds) this.broken(invariant, describe());
  }

  broken(invariant: Invariant, message: string): void {
    this.breach ??= new InvariantBroken(
      invariant,
      `${invariant}: broken at ${this.#clock.monotonicMs().toFixed(1)} ms: ${message}`,
    );
  }
}
