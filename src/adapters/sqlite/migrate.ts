/**
 * Brings a database to the schema this version knows. Each migration runs in a transaction of its own and is recorded
 * with a hash of its text. Invariant: a database that a newer or a different version has changed is not touched.
 */
import { createHash } from 'node:crypto';
import { StorageFailed } from '../../base/errors.ts';
import type { Migration } from '../../store/rows.ts';
import type { Connection } from './connection.ts';

const TABLE = `CREATE TABLE IF NOT EXISTS schema_migration (
  name text PRIMARY KEY,
  statements_sha256 text NOT NULL,
  applied_at_ms bigint NOT NULL
)`;

/** Returns the names of what was applied. @throws StorageFailed when the database does not fit this version. */
export function migrate(connection: Connection, migrations: readonly Migration[], nowMs: number): readonly string[] {
  const wanted = inOrder(migrations);
  connection.database.exec(TABLE);
  const applied = readApplied(connection);
  for (const name of applied.keys()) {
    if (!wanted.some((migration) => migration.name === name)) {
      throw new StorageFailed('a newer version has changed this database; use that version', { migration: name });
    }
  }
  return wanted
    .filter((migration) => !isApplied(migration, applied))
    .map((migration) => apply(connection, migration, nowMs));
}

function inOrder(migrations: readonly Migration[]): readonly Migration[] {
  const sorted = migrations.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const [index, migration] of sorted.entries()) {
    if (sorted[index + 1]?.name === migration.name) {
      throw new StorageFailed('two migrations have one name', { migration: migration.name });
    }
  }
  return sorted;
}

function readApplied(connection: Connection): ReadonlyMap<string, string> {
  const rows = connection.database.prepare('SELECT name, statements_sha256 FROM schema_migration').all();
  return new Map(rows.map((row) => [String(row['name']), String(row['statements_sha256'])]));
}

function isApplied(migration: Migration, applied: ReadonlyMap<string, string>): boolean {
  const recorded = applied.get(migration.name);
  if (recorded === undefined) return false;
  if (recorded === hashOf(migration)) return true;
  throw new StorageFailed('a released migration was edited', { migration: migration.name });
}

function apply({ database }: Connection, migration: Migration, nowMs: number): string {
  database.exec('BEGIN IMMEDIATE');
  try {
    for (const statement of migration.statements) database.exec(statement);
    const record = database.prepare('INSERT INTO schema_migration VALUES (?, ?, ?)');
    record.run(migration.name, hashOf(migration), nowMs);
    database.exec('COMMIT');
    return migration.name;
  } catch (cause) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw new StorageFailed('a migration failed; the database is as before', { migration: migration.name }, { cause });
  }
}

/** White space does not count, so that formatting a file is not an edit. */
function hashOf(migration: Migration): string {
  const text = migration.statements.map((statement) => statement.replaceAll(/\s+/g, ' ').trim()).join(';\n');
  return createHash('sha256').update(text).digest('hex');
}
