/**
 * Rows on node:sqlite: reads on the calling thread through a connection that cannot write, writes through `writer.ts`.
 * A write is visible to reads from the moment its promise resolves.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import { Kysely, SqliteDialect } from 'kysely';
import type { CompiledQuery, SqliteDatabase } from 'kysely';
import { systemClock } from '../../base/clock.ts';
import type { Clock } from '../../base/clock.ts';
import { InvalidInput } from '../../base/errors.ts';
import { silentLog } from '../../base/log.ts';
import type { Log } from '../../base/log.ts';
import type { Migration, Rows, StepResult, WriteStep } from '../../store/rows.ts';
import { bindable, Connection } from './connection.ts';
import type { Synchronous } from './connection.ts';
import { translated } from './failures.ts';
import type { Step } from './group-commit.ts';
import { migrate } from './migrate.ts';
import { Writer } from './writer.ts';

export interface SqliteRowsOptions {
  /** Path of the database file; its folder is made when missing. */
  readonly file: string;
  readonly migrations: readonly Migration[];
  /** Default `full`; `normal` only for a file whose newest rows may be lost. */
  readonly synchronous?: Synchronous;
  readonly log?: Log;
  readonly clock?: Clock;
}

export class SqliteRows<Tables> implements Rows<Tables> {
  readonly query: Kysely<Tables>;
  readonly #reader: Connection;
  readonly #writer: Writer;

  private constructor(reader: Connection, writer: Writer) {
    this.#reader = reader;
    this.#writer = writer;
    this.query = new Kysely<Tables>({ dialect: new SqliteDialect({ database: readOnlyDriver(reader) }) });
  }

  /** Migrates, then opens. @throws StorageFailed, NoSpace, Unavailable */
  static async open<Tables>(options: SqliteRowsOptions): Promise<SqliteRows<Tables>> {
    const { file, synchronous = 'full' } = options;
    await fs.mkdir(path.dirname(file), { recursive: true, mode: 0o750 });
    migrateFile(options);
    await syncDirectory(path.dirname(file));
    const reader = translated(() => Connection.reader(file));
    return new SqliteRows<Tables>(reader, new Writer({ file, synchronous }));
  }

  read<Row>(query: CompiledQuery<Row>): readonly Row[] {
    return select(this.#reader, query.sql, query.parameters) as readonly Row[];
  }

  write(steps: readonly WriteStep[]): Promise<readonly StepResult[]> {
    return this.#writer.write(steps.map(toStep));
  }

  async close(): Promise<void> {
    await this.#writer.close();
    await this.query.destroy();
    if (this.#reader.database.isOpen) this.#reader.close();
  }
}

function toStep({ query, expectChanges }: WriteStep): Step {
  const step = { sql: query.sql, parameters: bindable(query.parameters) };
  return expectChanges === undefined ? step : { ...step, expectChanges };
}

function select(connection: Connection, sql: string, parameters: readonly unknown[]): unknown[] {
  return translated(() => connection.prepare(sql).statement.all(...bindable(parameters)));
}

function migrateFile({
  file,
  migrations,
  synchronous = 'full',
  log = silentLog,
  clock = systemClock,
}: SqliteRowsOptions): void {
  translated(() => {
    const connection = Connection.writer(file, synchronous);
    try {
      const applied = migrate(connection, migrations, clock.nowMs());
      if (applied.length > 0) log.info('database.migrated', { migrations: applied });
    } finally {
      connection.close();
    }
  });
}

/** Makes the names of a new database survive a power cut. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await fs.open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What Kysely expects of a driver; INSERT, UPDATE, DELETE fail in SQLite, as the connection is read-only. */
function readOnlyDriver(connection: Connection): SqliteDatabase {
  return {
    close: () => connection.close(),
    prepare: (sql) => ({
      reader: true,
      all: (parameters) => select(connection, sql, parameters),
      run: () => {
        throw new InvalidInput('changes go through write()');
      },
      iterate: (parameters) => select(connection, sql, parameters).values(),
    }),
  };
}
