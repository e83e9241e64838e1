/** What `/readyz` asks: does the database take writes, and is there room for bytes. */
import { sql } from 'kysely';
import { AppError } from '../base/errors.ts';
import type { Readiness } from '../http/admin.ts';
import type { BlobStore } from '../store/blobs.ts';
import type { Rows } from '../store/rows.ts';
import type { Tables } from './tables.ts';

export async function readinessOf(rows: Rows<Tables>, store: BlobStore): Promise<readonly Readiness[]> {
  return await Promise.all([databaseWrites(rows), diskHasRoom(store)]);
}

async function databaseWrites(rows: Rows<Tables>): Promise<Readiness> {
  return await judged('database', async () => {
    const query = sql`DELETE FROM used_token WHERE event_id = ''`.compile(rows.query);
    await rows.write([{ query }]);
    return undefined;
  });
}

async function diskHasRoom(store: BlobStore): Promise<Readiness> {
  return await judged('disk', async () => ((await store.freeBytes()) > 0 ? undefined : 'the disk is full'));
}

/** `check` resolves with a reason, or undefined when all is well. */
async function judged(name: string, check: () => Promise<string | undefined>): Promise<Readiness> {
  try {
    const reason = await check();
    return reason === undefined ? { name, isReady: true } : { name, isReady: false, reason };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { name, isReady: false, reason: error.message };
  }
}
