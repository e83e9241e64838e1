/**
 * One server per data folder. An open exclusive transaction on a tiny database is a lock of the operating system: it
 * goes with the process, however that ends, and leaves nothing stale behind.
 */
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Unavailable } from '../../base/errors.ts';

const FILE = 'lock.db';

export class FolderLock implements Disposable {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** @throws Unavailable when another process holds it. */
  static take(folder: string): FolderLock {
    const database = new DatabaseSync(path.join(folder, FILE));
    try {
      database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE');
    } catch (cause) {
      database.close();
      throw new Unavailable(`another Seedbed already runs on ${folder}; stop it, or set SEEDBED_DATA`, {}, { cause });
    }
    return new FolderLock(database);
  }

  [Symbol.dispose](): void {
    if (this.#database.isOpen) this.#database.close();
  }
}
