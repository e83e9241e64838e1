/**
 * When a torrent has what it is to fetch, and when it wants nothing of anybody any more (BEP 21). Invariant: each change
 * is reported once, and what was there from the start is not reported as fetched.
 */
import type { Bitfield } from '../../codec/bitfield.ts';
import type { Wishes } from './wishes.ts';

export interface CompletionParts {
  /** Live: what is in storage. */
  readonly have: Bitfield;
  readonly wishes: Wishes;
  /** Somebody reads, or did a moment ago. */
  isRead(): boolean;
  /** Storage is being looked at: what is there is not known yet. */
  isChecking(): boolean;
  /** The last wanted piece came. */
  finished(): void;
  /** We want nothing any more, or something again. */
  uploadOnlyChanged(): void;
}

export class Completion {
  readonly #parts: CompletionParts;
  #wasDone: boolean;
  /** Pieces came since everything was here last. */
  #hasFetched = false;
  #saidUploadOnly: boolean;

  constructor(parts: CompletionParts) {
    this.#parts = parts;
    this.#wasDone = this.isDone;
    this.#saidUploadOnly = this.isUploadOnly;
  }

  /** All that is to be fetched unread is here: the selected files, or everything. */
  get isDone(): boolean {
    const { have, wishes } = this.#parts;
    return have.isComplete || (wishes.mode === 'all' && wishes.isSatisfied);
  }

  /** Nothing is wanted of anybody for good: a seed, or one that has all it selected. */
  get isUploadOnly(): boolean {
    const { have, wishes } = this.#parts;
    return have.isComplete || wishes.mode === 'seed-only' || (this.isDone && !this.#parts.isRead());
  }

  /** Call when a piece came. */
  fetched(): void {
    this.#hasFetched = true;
    this.wishesChanged();
  }

  /** Call when something else may have become of what is wanted: files, mode. */
  wishesChanged(): void {
    if (this.#parts.isChecking()) return;
    const wasDone = this.#wasDone;
    this.#wasDone = this.isDone;
    if (wasDone || !this.isDone) return;
    this.#hasFetched = false;
    this.checkUploadOnly();
    this.#parts.finished();
  }

  /** Call when pieces left storage. */
  lost(): void {
    this.#wasDone = this.isDone;
    this.checkUploadOnly();
  }

  /** Call at the end of a recheck: what was found was there before; what came meanwhile may have been the last. */
  checked(): void {
    if (this.#hasFetched) this.wishesChanged();
    else this.#wasDone = this.isDone;
  }

  /** Reports when we want nothing any more, or something again. */
  checkUploadOnly(): void {
    const { isUploadOnly } = this;
    if (this.#saidUploadOnly === isUploadOnly) return;
    this.#saidUploadOnly = isUploadOnly;
    this.#parts.uploadOnlyChanged();
  }
}
