/** SQLite's result codes (https://sqlite.org/rescode.html) as plain facts that cross threads, and those as AppErrors. */
import { AppError, NoSpace, StorageFailed, Unavailable } from '../../base/errors.ts';

export interface SqliteFailure {
  /** `statement`: this statement is at fault; the others: the database is. */
  readonly kind: 'full' | 'broken' | 'busy' | 'statement';
  /** Extended result code; 0 when the error did not come from SQLite. */
  readonly resultCode: number;
  readonly message: string;
}

const PRIMARY = { busy: 5, locked: 6, readOnly: 8, ioError: 10, corrupt: 11, full: 13, cantOpen: 14, notADatabase: 26 };
const BROKEN = new Set([PRIMARY.readOnly, PRIMARY.ioError, PRIMARY.corrupt, PRIMARY.cantOpen, PRIMARY.notADatabase]);
/** SQLITE_CONSTRAINT_UNIQUE and SQLITE_CONSTRAINT_PRIMARYKEY. */
const DUPLICATE = new Set([2067, 1555]);

function resultCodeOf(error: unknown): number {
  if (!(error instanceof Error) || !('errcode' in error)) return 0;
  return typeof error.errcode === 'number' ? error.errcode : 0;
}

/** A row with that key was there first. */
export function isDuplicate(error: unknown): boolean {
  return DUPLICATE.has(resultCodeOf(error));
}

export function failureOf(error: unknown): SqliteFailure {
  const resultCode = resultCodeOf(error);
  return {
    kind: kindOf(resultCode & 0xff),
    resultCode,
    message: error instanceof Error ? error.message : String(error),
  };
}

function kindOf(primaryCode: number): SqliteFailure['kind'] {
  if (primaryCode === PRIMARY.full) return 'full';
  if (primaryCode === PRIMARY.busy || primaryCode === PRIMARY.locked) return 'busy';
  return BROKEN.has(primaryCode) ? 'broken' : 'statement';
}

export function errorOf(failure: SqliteFailure, cause?: unknown): AppError {
  const facts = { resultCode: failure.resultCode };
  switch (failure.kind) {
    case 'full':
      return new NoSpace('the disk has no room for the database', facts, { cause });
    case 'busy':
      return new Unavailable('another program holds the database', facts, { cause });
    case 'broken':
      return new StorageFailed(`the database failed: ${failure.message}`, facts, { cause });
    case 'statement':
      return new StorageFailed(`the database refused a statement: ${failure.message}`, facts, { cause });
  }
}

/** Runs a call into SQLite. @throws AppError */
export function translated<Result>(task: () => Result): Result {
  try {
    return task();
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw errorOf(failureOf(error), error);
  }
}
