/** One SQLite connection with its prepared statements, the least recently used of which are dropped. */
import { DatabaseSync } from 'node:sqlite';
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import { InvalidInput } from '../../base/errors.ts';

/** FULL: a commit survives a power cut. NORMAL: the newest may be lost; only for caches, heartbeats, metrics. */
export type Synchronous = 'full' | 'normal';

export interface Prepared {
  readonly statement: StatementSync;
  /** SELECT or RETURNING. */
  readonly hasRows: boolean;
}

const BUSY_TIMEOUT_MS = 5_000;
const MAX_PREPARED = 256;
/** The write-ahead log is cut back to this after a checkpoint. */
const WAL_LIMIT_BYTES = 64 * 1024 * 1024;

export class Connection {
  readonly database: DatabaseSync;
  readonly #prepared = new Map<string, Prepared>();

  private constructor(database: DatabaseSync) {
    this.database = database;
  }

  static writer(file: string, synchronous: Synchronous): Connection {
    const database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
    database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; PRAGMA foreign_keys = ON;
      PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; PRAGMA journal_size_limit = ${WAL_LIMIT_BYTES}`);
    return new Connection(database);
  }

  /** Cannot write, whatever it is told. */
  static reader(file: string): Connection {
    return new Connection(new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS }));
  }

  prepare(sql: string): Prepared {
    const known = this.#prepared.get(sql);
    if (known !== undefined) {
      this.#prepared.delete(sql);
      this.#prepared.set(sql, known);
      return known;
    }
    const statement = this.database.prepare(sql);
    const prepared = { statement, hasRows: statement.columns().length > 0 };
    this.#prepared.set(sql, prepared);
    if (this.#prepared.size > MAX_PREPARED) this.#dropOldest();
    return prepared;
  }

  close(): void {
    this.#prepared.clear();
    this.database.close();
  }

  #dropOldest(): void {
    for (const sql of this.#prepared.keys()) {
      this.#prepared.delete(sql);
      return;
    }
  }
}

/** Values SQLite takes; views into larger buffers are copied, as threads pass on whole buffers; booleans become 0 and 1. @throws InvalidInput for anything else, before it crosses a thread. */
export function bindable(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters.map((value, index) => {
    if (typeof value === 'boolean') return Number(value);
    if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint')
      return value;
    if (value instanceof Uint8Array) return value.byteLength === value.buffer.byteLength ? value : value.slice();
    throw new InvalidInput('not a value for the database', { parameter: index, type: typeof value });
  });
}
