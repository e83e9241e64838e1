/**
 * Where the server's DHT nodes keep what they remember: one small row for each address family. Written and read only where
 * the DHT is on.
 */
import type { AddressFamily } from '../../codec/krpc.ts';
import type { DhtKeeper } from '../../kit/node/dht.ts';
import type { Migration, Rows } from '../../store/rows.ts';

export interface DhtTables {
  dht_memory: {
    family: AddressFamily;
    /** Id and contacts, at most 16 KiB. */
    memory: Uint8Array;
    saved_at_ms: number;
  };
}

export const dhtMigrations: readonly Migration[] = [
  {
    name: '0005_dht',
    statements: [
      `CREATE TABLE dht_memory (
         family text PRIMARY KEY CHECK (family IN ('v4', 'v6')),
         memory bytea NOT NULL CHECK (length(memory) <= 16384),
         saved_at_ms bigint NOT NULL
       )`,
    ],
  },
];

export class DhtRows implements DhtKeeper {
  readonly #rows: Pick<Rows<DhtTables>, 'query' | 'read' | 'write'>;
  readonly #nowMs: () => number;

  constructor(rows: Pick<Rows<DhtTables>, 'query' | 'read' | 'write'>, nowMs: () => number) {
    this.#rows = rows;
    this.#nowMs = nowMs;
  }

  load(family: AddressFamily): Uint8Array | undefined {
    const { query } = this.#rows;
    const found = this.#rows.read(
      query.selectFrom('dht_memory').select('memory').where('family', '=', family).compile(),
    );
    return found[0]?.memory;
  }

  async save(family: AddressFamily, memory: Uint8Array): Promise<void> {
    const row = { family, memory, saved_at_ms: this.#nowMs() };
    const { query } = this.#rows;
    const upsert = query
      .insertInto('dht_memory')
      .values(row)
      .onConflict((conflict) => conflict.column('family').doUpdateSet(row));
    await this.#rows.write([{ query: upsert.compile() }]);
  }
}
