/** Rows on SQLite: the shared contract, and what is SQLite's own. */
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { describeRows, shelfMigrations } from '../../../test/contracts/rows.ts';
import type { ShelfTables } from '../../../test/contracts/rows.ts';
import { temporaryFolder, testFolder } from '../../../test/support/temp-dir.ts';
import { NoSpace, StorageFailed, Unavailable } from '../../base/errors.ts';
import { Connection } from './connection.ts';
import { errorOf, failureOf } from './failures.ts';
import { commitGroup } from './group-commit.ts';
import { SqliteRows } from './sqlite-rows.ts';
import { MAX_WAITING_UNITS, Writer } from './writer.ts';

async function temporaryFile(): Promise<string> {
  return path.join(await testFolder('rows'), 'deep', 'seedbed.db');
}

function openShelf(file: string, migrations = shelfMigrations): Promise<SqliteRows<ShelfTables>> {
  return SqliteRows.open<ShelfTables>({ file, migrations });
}

describeRows('SQLite', async () => {
  const folder = await temporaryFolder('rows');
  const file = path.join(folder.path, 'seedbed.db');
  const opened = [await openShelf(file)];
  return {
    rows: opened[0] as SqliteRows<ShelfTables>,
    async reopen() {
      await opened.at(-1)?.close();
      const next = await openShelf(file);
      opened.push(next);
      return next;
    },
    async remove() {
      await opened.at(-1)?.close();
      await folder[Symbol.asyncDispose]();
    },
  };
});

test('acknowledged rows are synced: the journal is WAL and synchronous is FULL', async () => {
  const connection = Connection.writer(path.join(path.dirname(path.dirname(await temporaryFile())), 'x.db'), 'full');
  onTestFinished(() => connection.close());
  expect(connection.database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
  expect(connection.database.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 });
});

test('a group is one transaction: a reader sees none of it before the commit, and all of it after', async () => {
  const file = await temporaryFile();
  await (await openShelf(file)).close();
  const writer = Connection.writer(file, 'full');
  const reader = Connection.reader(file);
  onTestFinished(() => [writer, reader].forEach((connection) => connection.close()));
  const seen: unknown[] = [];
  writer.database.function('look', () => {
    seen.push(reader.database.prepare('SELECT count(*) AS shelves FROM shelf').get()?.['shelves']);
    return 0;
  });
  const unit = (name: string) => [{ sql: `INSERT INTO shelf VALUES (?, look(), NULL)`, parameters: [name] }];
  commitGroup(writer, [unit('a'), unit('b'), unit('c')]);
  expect(seen).toEqual([0, 0, 0]);
  expect(reader.database.prepare('SELECT count(*) AS shelves FROM shelf').get()).toEqual({ shelves: 3 });
});

test('a full database fails the whole group with NoSpace and keeps what was there', async () => {
  const file = await temporaryFile();
  await (await openShelf(file)).close();
  const connection = Connection.writer(file, 'full');
  onTestFinished(() => connection.close());
  const pages = Number(connection.database.prepare('PRAGMA page_count').get()?.['page_count']);
  connection.database.exec(`PRAGMA max_page_count = ${pages + 2}`);
  const put = (name: string, bytes: number) => [
    { sql: 'INSERT INTO shelf VALUES (?, 1, ?)', parameters: [name, new Uint8Array(bytes)] },
  ];
  expect(commitGroup(connection, [put('kept', 10)])).toMatchObject([{ kind: 'written' }]);
  const outcomes = commitGroup(connection, [put('small', 10), put('large', 100_000)]);
  expect(outcomes).toMatchObject([{ failure: { kind: 'full' } }, { failure: { kind: 'full' } }]);
  expect(connection.database.prepare('SELECT name FROM shelf').all()).toEqual([{ name: 'kept' }]);
  expect(commitGroup(connection, [put('after', 10)])).toMatchObject([{ kind: 'written' }]);
});

test('when the writer dies everybody who waits is told, and everybody who comes later', async () => {
  const writer = new Writer({ file: path.join(await temporaryFile(), 'no', 'such', 'folder'), synchronous: 'full' });
  const unit = [{ sql: 'SELECT 1', parameters: [] }];
  const early = await Promise.allSettled([writer.write(unit), writer.write(unit)]);
  expect(early).toMatchObject([{ reason: expect.any(StorageFailed) }, { reason: expect.any(StorageFailed) }]);
  await expect(writer.write(unit)).rejects.toBeInstanceOf(StorageFailed);
  await writer.close();
});

test('more waiting units than the queue holds are refused, and those that wait are written', async () => {
  const file = await temporaryFile();
  const rows = await openShelf(file);
  const put = (index: number) =>
    rows.write([
      {
        query: rows.query
          .insertInto('shelf')
          .values({ name: `${index}`, items: 1, label: null })
          .compile(),
      },
    ]);
  const outcomes = await Promise.allSettled(Array.from({ length: MAX_WAITING_UNITS + 10 }, (_, index) => put(index)));
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
  expect(refused.length).toBeGreaterThan(0);
  for (const { reason } of refused) expect(reason).toBeInstanceOf(Unavailable);
  const [count] = rows.read(
    rows.query
      .selectFrom('shelf')
      .select((eb) => eb.fn.countAll<number>().as('shelves'))
      .compile(),
  );
  expect(count?.shelves).toBe(outcomes.length - refused.length);
  await rows.close();
});

test.each([
  { resultCode: 13, kind: 'full', error: NoSpace },
  { resultCode: 10 | (4 << 8), kind: 'broken', error: StorageFailed },
  { resultCode: 11, kind: 'broken', error: StorageFailed },
  { resultCode: 5, kind: 'busy', error: Unavailable },
  { resultCode: 1, kind: 'statement', error: StorageFailed },
])('result code $resultCode means $kind', ({ resultCode, kind, error }) => {
  const failure = failureOf(Object.assign(new Error('made by the test'), { errcode: resultCode }));
  expect(failure).toMatchObject({ kind, resultCode });
  expect(errorOf(failure)).toBeInstanceOf(error);
});

const second = { name: '0002_colour', statements: [`ALTER TABLE shelf ADD COLUMN colour text`] };

test('migrations run once each, in the order of their names, whatever the order they are given in', async () => {
  const file = await temporaryFile();
  await (await openShelf(file)).close();
  for (let time = 0; time < 2; time++) {
    const rows = await openShelf(file, [second, ...shelfMigrations]);
    await rows.write([
      {
        query: rows.query
          .insertInto('shelf')
          .values({ name: `${time}`, items: 1, label: null })
          .compile(),
      },
    ]);
    await rows.close();
  }
});

test.each([
  { why: 'edited after release', migrations: [{ name: '0001_shelf', statements: [`CREATE TABLE other (a text)`] }] },
  { why: 'from a newer version', migrations: [] },
  { why: 'twice the same name', migrations: [...shelfMigrations, ...shelfMigrations] },
  { why: 'broken', migrations: [...shelfMigrations, { name: '0002', statements: ['CREATE TABLE x (a)', 'nonsense'] }] },
])('a database whose migrations are $why is refused and left as it was', async ({ migrations }) => {
  const file = await temporaryFile();
  await (await openShelf(file)).close();
  await expect(openShelf(file, migrations)).rejects.toBeInstanceOf(StorageFailed);
  const rows = await openShelf(file);
  expect(rows.read(rows.query.selectFrom('shelf').selectAll().compile())).toEqual([]);
  await rows.close();
});

test('formatting a migration anew is not an edit', async () => {
  const file = await temporaryFile();
  await (await openShelf(file)).close();
  const reformatted = shelfMigrations.map(({ name, statements }) => ({
    name,
    statements: statements.map((statement) => `\n  ${statement.replaceAll(' ', '\n  ')}  `),
  }));
  await (await openShelf(file, reformatted)).close();
});
