/**
 * Every error Seedbed throws on purpose. An error carries a stable `code` that programs may test, facts as fields,
 * and a message for people. Only the edges (HTTP, CLI) turn errors into statuses and exit codes.
 */

export type ErrorFacts = Readonly<Record<string, string | number | boolean | undefined>>;

/** What every error of ours is; tell them apart by `code`. */
export abstract class AppError extends Error {
  /** Stable, snake_case, part of the API. */
  abstract readonly code: string;
  /** What it is about, such as `{ infoHash }`; never secrets. */
  readonly facts: ErrorFacts;

  constructor(message: string, facts: ErrorFacts = {}, options?: ErrorOptions) {
    super(message, options);
    this.facts = facts;
  }
}

// From the code, not from the class: bundlers shorten the names of classes, and people read these.
Object.defineProperty(AppError.prototype, 'name', {
  configurable: true,
  get(this: { readonly code?: string }): string {
    const words = (this.code ?? 'error').split('_');
    return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  },
});

/** Input that breaks its format or range; the sender must change it. */
export class InvalidInput extends AppError {
  override readonly code = 'invalid_input';
}

/** Nobody is signed in, or the token does not hold. */
export class Unauthorized extends AppError {
  override readonly code = 'unauthorized';
}

/** Known caller, but not allowed to do this. */
export class Forbidden extends AppError {
  override readonly code = 'forbidden';
}

/** What was asked for is not there. */
export class NotFound extends AppError {
  override readonly code = 'not_found';
}

/** The request contradicts what is stored: offsets, states, names. */
export class Conflict extends AppError {
  override readonly code = 'conflict';
}

/** The bytes that came do not have the hash that was declared. */
export class HashMismatch extends AppError {
  override readonly code = 'hash_mismatch';
}

/** A size is needed before the first byte and was not given. */
export class LengthRequired extends AppError {
  override readonly code = 'length_required';
}

/** Above the limit for one upload. */
export class TooLarge extends AppError {
  override readonly code = 'too_large';
}

/** The account's or the server's quota, or the disk, has no room. Nothing acknowledged is lost; retry later. */
export class NoSpace extends AppError {
  override readonly code = 'no_space';
}

/** A media type that is not taken. */
export class UnsupportedType extends AppError {
  override readonly code = 'unsupported_type';
}

/** Too much from one place; later again. */
export class RateLimited extends AppError {
  override readonly code = 'rate_limited';
}

/** Temporarily not possible: stopping, volume read-only, a dependency is away. */
export class Unavailable extends AppError {
  override readonly code = 'unavailable';
}

/** Unavailable, from somebody who said when to come again. */
export class RetryLater extends Unavailable {
  /** From now on. */
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number, facts: ErrorFacts = {}) {
    super(message, { ...facts, retryAfterMs });
    this.retryAfterMs = retryAfterMs;
  }
}

/** A peer, server or client broke its protocol. */
export class ProtocolError extends AppError {
  override readonly code = 'protocol_error';
}

/** Nothing came in the time it may take. */
export class TimedOut extends AppError {
  override readonly code = 'timed_out';
}

/** The disk failed (EIO) or bytes on it are not what was committed. */
export class StorageFailed extends AppError {
  override readonly code = 'storage_failed';
}

/** Several things that were ended together failed, each in its own way; all of them have ended. */
export class SeveralFailed extends AppError {
  override readonly code = 'several_failed';
  /** What they threw, two or more. */
  readonly errors: readonly unknown[];

  constructor(errors: readonly unknown[]) {
    const [first] = errors;
    const reason = first instanceof Error ? first.message : String(first);
    super(`${errors.length} things failed, the first: ${reason}`, { failures: errors.length }, { cause: first });
    this.errors = errors;
  }
}

/** The caller gave up; carries the reason of its AbortSignal as `cause`. */
export class Cancelled extends AppError {
  override readonly code = 'cancelled';
}

/** Throws Cancelled when the signal is already aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new Cancelled('cancelled by the caller', {}, { cause: signal.reason });
}
