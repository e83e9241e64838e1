/**
 * The calling side of one followed file. Invariant: what waits on it settles exactly once: by the thread's news, by a
 * failure, or by an abort.
 */
import { Cancelled, InvalidInput, StorageFailed, throwIfAborted } from '../../base/errors.ts';
import type { AppError } from '../../base/errors.ts';
import { MIB } from '../../base/units.ts';
import type { ContentDigest, Follower } from '../../store/follower.ts';
import type { FromFollowThread, ToFollowThread } from './follow-messages.ts';

/** How far a writer may run ahead: far enough never to wait for a scheduler, near enough to hit the page cache. */
const MAX_LAG_BYTES = 64 * MIB;

/** A follower's way to its thread. */
export interface JobLine {
  readonly job: number;
  tell(message: ToFollowThread): void;
  forget(): void;
}

export class WorkerFollower implements Follower {
  readonly #line: JobLine;
  #availableBytes = 0;
  #hashedBytes = 0;
  #failure: AppError | undefined;
  #isOver = false;
  #digest: PromiseWithResolvers<ContentDigest> | undefined;
  /** Those who wait for less lag. */
  readonly #waiting = new Set<() => void>();

  constructor(line: JobLine) {
    this.#line = line;
  }

  get availableBytes(): number {
    return this.#availableBytes;
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  advance(availableBytes: number): void {
    if (availableBytes < this.#availableBytes) throw new InvalidInput('bytes that were announced cannot be taken back');
    this.#availableBytes = availableBytes;
    if (!this.#isOver) this.#line.tell({ kind: 'advance', job: this.#line.job, availableBytes });
  }

  async caughtUp(signal: AbortSignal): Promise<void> {
    while (this.#failure === undefined && this.#availableBytes - this.#hashedBytes > MAX_LAG_BYTES) {
      throwIfAborted(signal);
      await this.#change(signal);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  finish(sizeBytes: number, signal: AbortSignal): Promise<ContentDigest> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (signal.aborted || this.#isOver) return Promise.reject(new Cancelled('hashing was cancelled'));
    if (sizeBytes !== this.#availableBytes) return Promise.reject(new InvalidInput('not all bytes were announced'));
    this.#digest ??= Promise.withResolvers();
    const { promise, reject } = this.#digest;
    const abort = (): void => {
      this.abandon();
      reject(new Cancelled('hashing was cancelled', {}, { cause: signal.reason }));
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#line.tell({ kind: 'finish', job: this.#line.job, sizeBytes });
    return promise.finally(() => signal.removeEventListener('abort', abort));
  }

  abandon(): void {
    if (this.#isOver) return;
    this.#line.tell({ kind: 'abandon', job: this.#line.job });
    this.fail(new Cancelled('hashing was cancelled'));
  }

  /** News from the thread. */
  receive(message: FromFollowThread): void {
    switch (message.kind) {
      case 'hashed':
        this.#hashedBytes = message.hashedBytes;
        this.#wake();
        return;
      case 'done':
        this.#end();
        this.#digest?.resolve(message.digest);
        return;
      case 'failed':
        this.fail(
          new StorageFailed('the bytes cannot be read back', { reason: message.message, errno: message.errno }),
        );
    }
  }

  fail(error: AppError): void {
    if (this.#isOver) return;
    this.#failure = error;
    this.#end();
    this.#digest?.reject(error);
  }

  #end(): void {
    this.#isOver = true;
    this.#line.forget();
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  async #change(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    this.#waiting.add(wake);
    signal.addEventListener('abort', wake, { once: true });
    await promise;
    signal.removeEventListener('abort', wake);
    this.#waiting.delete(wake);
  }
}
