import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { testFolder } from '../../../test/support/temp-dir.ts';
import { SqliteRows } from '../../adapters/sqlite/sqlite-rows.ts';
import { utf8 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import { dhtMigrations, DhtRows, type DhtTables } from './dht-rows.ts';

test('one small row for each address family is kept, the last that was saved', async () => {
  const file = path.join(await testFolder('dht-rows'), 'seedbed.db');
  const rows = await SqliteRows.open<DhtTables>({ file, migrations: dhtMigrations });
  onTestFinished(() => rows.close());
  const keeper = new DhtRows(rows, () => 7);
  expect(keeper.load('v4')).toBeUndefined();
  for (const text of ['first', 'second']) await keeper.save('v4', utf8(text));
  await keeper.save('v6', utf8('six'));
  expect(keeper.load('v4')).toEqual(utf8('second'));
  expect(keeper.load('v6')).toEqual(utf8('six'));
  expect(rows.read(rows.query.selectFrom('dht_memory').selectAll().compile())).toHaveLength(2);
  await expect(keeper.save('v4', new Uint8Array(16_385))).rejects.toBeInstanceOf(AppError);
  expect(keeper.load('v4')).toEqual(utf8('second'));
});
