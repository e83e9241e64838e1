/**
 * What the browser remembers of held media, in IndexedDB. A record's bitfield is written only after the pieces it names
 * were flushed to their file, so it never claims bytes that a crash could have taken.
 */
import { createStore, del, entries, set } from 'idb-keyval';
import type { InfoHashV1, Sha256 } from '../../../src/base/ids.ts';

export interface HeldRecord {
  readonly infoHash: InfoHashV1;
  readonly sha256: Sha256;
  readonly name: string;
  /** MIME type. */
  readonly type: string;
  readonly sizeBytes: number;
  readonly pieceLengthBytes: number;
  /** The raw info dictionary; its SHA-1 is the info hash. */
  readonly rawInfo: Uint8Array;
  /** BEP 3 bitfield of flushed pieces. */
  readonly have: Uint8Array;
  /** Complete, and the whole has the sha256. */
  readonly isProven: boolean;
  readonly uploadedBytes: number;
  readonly lastUsedMs: number;
}

export interface HeldRecords {
  all(): Promise<readonly HeldRecord[]>;
  put(record: HeldRecord): Promise<void>;
  remove(infoHash: InfoHashV1): Promise<void>;
}

/** Lasts across visits. */
export function storedRecords(): HeldRecords {
  const store = createStore('seedbed-swarm', 'held');
  return {
    all: async () => (await entries<InfoHashV1, HeldRecord>(store)).map(([, record]) => record),
    put: (record) => set(record.infoHash, record, store),
    remove: (infoHash) => del(infoHash, store),
  };
}

/** Ends with the tab, as media in memory do. */
export function passingRecords(): HeldRecords {
  const records = new Map<InfoHashV1, HeldRecord>();
  return {
    all: () => Promise.resolve([...records.values()]),
    put: async (record) => void records.set(record.infoHash, record),
    remove: async (infoHash) => void records.delete(infoHash),
  };
}
