/** What survives a reload: one record per unfinished upload in IndexedDB, with the file's handle where the browser gives one. */
import { createStore, del, keys, set, values, type UseStore } from 'idb-keyval';
import type { FileHash } from './item.ts';

export interface UploadRecord {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly createdAtMs: number;
  readonly isPaused: boolean;
  readonly hash?: FileHash;
  /** Where the server takes the bytes (tus). */
  readonly uploadUrl?: string;
  /** File System Access; the browser may ask the user before it opens the file again. */
  readonly handle?: FileSystemFileHandle;
}

export interface UploadRecords {
  /** Oldest first. */
  list(): Promise<readonly UploadRecord[]>;
  save(record: UploadRecord): Promise<void>;
  remove(id: string): Promise<void>;
}

let opened: UseStore | undefined;
const store = (): UseStore => (opened ??= createStore('seedbed-uploads', 'records'));

/** Whether an earlier visit left something unfinished. */
export async function hasRecords(): Promise<boolean> {
  return (await keys(store())).length > 0;
}

/** The records of this browser. */
export function browserRecords(): UploadRecords {
  return {
    async list() {
      const records = await values<UploadRecord>(store());
      return records.sort((a, b) => a.createdAtMs - b.createdAtMs);
    },
    save: async (record) => await set(record.id, record, store()),
    remove: async (id) => await del(id, store()),
  };
}
