/** What every Rows promises. An adapter's test calls `describeRows` with a way to make one. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { AppError, InvalidInput } from '../../src/base/errors.ts';
import { WriteRefused } from '../../src/store/rows.ts';
import type { Migration, Rows, WriteStep } from '../../src/store/rows.ts';

export interface ShelfTables {
  shelf: { name: string; items: number; label: Uint8Array | null };
}

export const shelfMigrations: readonly Migration[] = [
  {
    name: '0001_shelf',
    statements: [`CREATE TABLE shelf (name text PRIMARY KEY, items bigint NOT NULL CHECK (items >= 0), label bytea)`],
  },
];

export interface RowsUnderTest {
  readonly rows: Rows<ShelfTables>;
  /** Closes and opens the same database again. */
  reopen(): Promise<Rows<ShelfTables>>;
  remove(): Promise<void>;
}

/** Registers the suite under `name`. */
export function describeRows(name: string, make: () => Promise<RowsUnderTest>): void {
  async function fresh(): Promise<RowsUnderTest> {
    const made = await make();
    onTestFinished(() => made.remove());
    return made;
  }

  const insert = (rows: Rows<ShelfTables>, shelf: string, items = 0): WriteStep => ({
    query: rows.query.insertInto('shelf').values({ name: shelf, items, label: null }).compile(),
  });
  const add = (rows: Rows<ShelfTables>, shelf: string, items: number, atMost = Infinity): WriteStep => {
    const update = rows.query.updateTable('shelf').set((eb) => ({ items: eb('items', '+', items) }));
    const bounded = atMost === Infinity ? update : update.where('items', '<=', atMost - items);
    return { query: bounded.where('name', '=', shelf).compile(), expectChanges: 1 };
  };
  const itemsOf = (rows: Rows<ShelfTables>, shelf: string): number | undefined =>
    rows.read(rows.query.selectFrom('shelf').select('items').where('name', '=', shelf).compile())[0]?.items;

  describe(`${name} keeps the Rows contract`, () => {
    test('what was written is seen by both kinds of read, and after a restart', async () => {
      const { rows, ...place } = await fresh();
      await rows.write([insert(rows, 'a', 3)]);
      expect(itemsOf(rows, 'a')).toBe(3);
      expect(await rows.query.selectFrom('shelf').selectAll().execute()).toEqual([
        { name: 'a', items: 3, label: null },
      ]);
      expect(itemsOf(await place.reopen(), 'a')).toBe(3);
    });

    test('results tell the changes of each step and the rows of a RETURNING clause', async () => {
      const { rows } = await fresh();
      const query = rows.query
        .insertInto('shelf')
        .values({ name: 'b', items: 2, label: null })
        .returningAll()
        .compile();
      const all = rows.query.updateTable('shelf').set({ items: 9 }).compile();
      expect(await rows.write([insert(rows, 'a'), { query }, { query: all }])).toEqual([
        { changes: 1, rows: [] },
        { changes: 1, rows: [{ name: 'b', items: 2, label: null }] },
        { changes: 2, rows: [] },
      ]);
    });

    test('bytes come back as they went, views of larger buffers too', async () => {
      const { rows } = await fresh();
      const label = Uint8Array.from({ length: 300 }, (_, index) => index).subarray(20, 280);
      await rows.write([{ query: rows.query.insertInto('shelf').values({ name: 'a', items: 0, label }).compile() }]);
      const [row] = rows.read(rows.query.selectFrom('shelf').select('label').compile());
      expect(new Uint8Array(row?.label ?? [])).toEqual(label.slice());
    });

    test('a guard that does not hold undoes the whole unit and names the step', async () => {
      const { rows } = await fresh();
      await rows.write([insert(rows, 'a', 1)]);
      const refused = rows.write([add(rows, 'a', 5), add(rows, 'missing', 1)]);
      await expect(refused).rejects.toMatchObject({ step: 1 });
      await expect(refused).rejects.toBeInstanceOf(WriteRefused);
      expect(itemsOf(rows, 'a')).toBe(1);
    });

    test('a key that is taken refuses the unit', async () => {
      const { rows } = await fresh();
      await rows.write([insert(rows, 'a')]);
      await expect(rows.write([insert(rows, 'b'), insert(rows, 'a')])).rejects.toMatchObject({ step: 1 });
      expect(itemsOf(rows, 'b')).toBeUndefined();
    });

    test('a statement the schema forbids is a typed error and undoes only its own unit', async () => {
      const { rows } = await fresh();
      const outcomes = await Promise.allSettled([
        rows.write([insert(rows, 'a')]),
        rows.write([insert(rows, 'b'), insert(rows, 'c', -1)]),
        rows.write([insert(rows, 'd')]),
      ]);
      expect(outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(outcomes[1]).toMatchObject({ reason: expect.any(AppError) });
      expect(['a', 'b', 'c', 'd'].filter((shelf) => itemsOf(rows, shelf) !== undefined)).toEqual(['a', 'd']);
    });

    test('of two hundred units racing for one limit exactly as many win as fit', async () => {
      const { rows } = await fresh();
      await rows.write([insert(rows, 'a')]);
      const outcomes = await Promise.allSettled(
        Array.from({ length: 200 }, () => rows.write([add(rows, 'a', 10, 500)])),
      );
      expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(50);
      expect(itemsOf(rows, 'a')).toBe(500);
    });

    test('units are applied in the order they were written', async () => {
      const { rows } = await fresh();
      const set = (items: number): WriteStep => ({ query: rows.query.updateTable('shelf').set({ items }).compile() });
      await rows.write([insert(rows, 'a')]);
      await Promise.all(Array.from({ length: 100 }, (_, index) => rows.write([set(index)])));
      expect(itemsOf(rows, 'a')).toBe(99);
    });

    test('a change does not go through the reading door', async () => {
      const { rows } = await fresh();
      expect(() => rows.read(insert(rows, 'a').query)).toThrow(AppError);
      await expect(rows.query.executeQuery(insert(rows, 'a').query)).rejects.toBeInstanceOf(AppError);
      expect(itemsOf(rows, 'a')).toBeUndefined();
    });

    test('a value no database takes is refused before it is sent', async () => {
      const { rows } = await fresh();
      const query = rows.query.selectFrom('shelf').selectAll().compile();
      expect(() => rows.read({ ...query, parameters: [{}] })).toThrow(InvalidInput);
    });

    test('closing writes what was accepted and refuses what comes later', async () => {
      const { rows, ...place } = await fresh();
      const accepted = Array.from({ length: 50 }, (_, index) => rows.write([insert(rows, `s${index}`, index)]));
      const closed = rows.close();
      await expect(rows.write([insert(rows, 'late')])).rejects.toBeInstanceOf(AppError);
      await Promise.all([...accepted, closed]);
      const reopened = await place.reopen();
      expect(itemsOf(reopened, 's49')).toBe(49);
      expect(itemsOf(reopened, 'late')).toBeUndefined();
    });
  });
}
