/** Errors that crossed from the worker become the classes they were. */
import {
  type AppError,
  Cancelled,
  Conflict,
  HashMismatch,
  InvalidInput,
  NoSpace,
  NotFound,
  StorageFailed,
  TimedOut,
  Unavailable,
} from '../../../src/base/errors.ts';
import type { SentError } from './tab-protocol.ts';

const CLASSES = {
  cancelled: Cancelled,
  conflict: Conflict,
  hash_mismatch: HashMismatch,
  invalid_input: InvalidInput,
  no_space: NoSpace,
  not_found: NotFound,
  storage_failed: StorageFailed,
  timed_out: TimedOut,
} as const;

/** The error of that code; Unavailable for codes that mean nothing to a page. */
export function receivedError({ code, message, facts }: SentError): AppError {
  const Class = code in CLASSES ? CLASSES[code as keyof typeof CLASSES] : Unavailable;
  return new Class(message, facts);
}
