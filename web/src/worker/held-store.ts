/**
 * The media this browser keeps, one file and one record each. Invariants: nothing is kept beyond the quota, a medium in
 * use is never evicted, and a file without a record, or a record without its file, does not survive a start.
 */
import { MemoryBudget, MemoryStorage } from '../../../src/adapters/browser/memory-storage.ts';
import { OpfsFolder } from '../../../src/adapters/browser/opfs-folder.ts';
import { OpfsStorage } from '../../../src/adapters/browser/opfs-storage.ts';
import { dropMissing } from '../../../src/adapters/browser/recorded-storage.ts';
import type { Clock } from '../../../src/base/clock.ts';
import { NoSpace } from '../../../src/base/errors.ts';
import type { InfoHashV1 } from '../../../src/base/ids.ts';
import { MIB } from '../../../src/base/units.ts';
import { Bitfield } from '../../../src/codec/bitfield.ts';
import type { PieceStorage } from '../../../src/torrent/ports.ts';
import { chooseEvictions } from './evict.ts';
import { type HeldRecord, type HeldRecords, passingRecords, storedRecords } from './held-records.ts';

const FOLDER = 'swarm';
/** For browsers without lasting storage. */
const MEMORY_LIMIT_BYTES = 256 * MIB;
/** The browser's grant is an estimate and shared with the app itself. */
const GRANT_SHARE = 0.8;

export interface OpenStorage {
  readonly storage: PieceStorage;
  readonly have: Bitfield;
}

export class HeldStore {
  readonly #clock: Clock;
  readonly #folder: OpfsFolder | undefined;
  readonly #kept: HeldRecords;
  readonly #memory = new MemoryBudget(MEMORY_LIMIT_BYTES);
  readonly #records = new Map<InfoHashV1, HeldRecord>();
  readonly #open = new Map<InfoHashV1, PieceStorage>();

  private constructor(clock: Clock, folder: OpfsFolder | undefined) {
    this.#clock = clock;
    this.#folder = folder;
    this.#kept = folder === undefined ? passingRecords() : storedRecords();
  }

  /** Reads what earlier visits left. */
  static async open(clock: Clock): Promise<HeldStore> {
    const store = new HeldStore(clock, await OpfsFolder.open(FOLDER, clock));
    await store.#reconcile();
    return store;
  }

  /** False where media are held in memory only. */
  get isLasting(): boolean {
    return this.#folder !== undefined;
  }

  get usedBytes(): number {
    return this.#records.values().reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  list(): readonly HeldRecord[] {
    return [...this.#records.values()];
  }

  find(infoHash: InfoHashV1): HeldRecord | undefined {
    return this.#records.get(infoHash);
  }

  /** The user's quota, as far as the browser grants it. */
  async quota(wishedBytes: number): Promise<number> {
    if (this.#folder === undefined) return Math.min(wishedBytes, MEMORY_LIMIT_BYTES);
    const { quota = wishedBytes } = await navigator.storage.estimate();
    return Math.min(wishedBytes, Math.floor(quota * GRANT_SHARE));
  }

  /** Begins to hold a medium; others, not open, make room for it. @throws NoSpace when it cannot fit, Conflict, StorageFailed */
  async create(record: HeldRecord, quotaBytes: number): Promise<OpenStorage> {
    await this.shrink(quotaBytes, record.sizeBytes);
    await this.#put({ ...record, lastUsedMs: this.#clock.nowMs() });
    return this.openStorage(record.infoHash);
  }

  /** Opens what is held of a medium. Each medium is open once; close the storage through `close`. */
  async openStorage(infoHash: InfoHashV1): Promise<OpenStorage> {
    const record = this.#records.get(infoHash);
    if (record === undefined) throw new NoSpace('the medium was evicted meanwhile', { infoHash });
    const { storage, storedBytes } = await this.#openFile(record);
    this.#open.set(infoHash, storage);
    return { storage, have: heldPieces(record, storedBytes) };
  }

  /** Flushes the file, then records `have`, which must have been true before the call. */
  async save(infoHash: InfoHashV1, have: Uint8Array, uploadedBytes: number): Promise<void> {
    await this.#open.get(infoHash)?.sync();
    const record = this.#records.get(infoHash);
    if (record !== undefined) await this.#put({ ...record, have, uploadedBytes });
  }

  /** The whole of it was found to have its sha256. */
  async prove(infoHash: InfoHashV1): Promise<void> {
    const record = this.#records.get(infoHash);
    if (record !== undefined) await this.#put({ ...record, isProven: true });
  }

  /** Somebody used it now: it goes last. */
  async touch(infoHash: InfoHashV1): Promise<void> {
    const record = this.#records.get(infoHash);
    if (record !== undefined) await this.#put({ ...record, lastUsedMs: this.#clock.nowMs() });
  }

  /** Lets go of the file. In memory that is the end of it. */
  async close(infoHash: InfoHashV1): Promise<void> {
    const storage = this.#open.get(infoHash);
    this.#open.delete(infoHash);
    await storage?.close();
    if (this.#folder === undefined) await this.#forget(infoHash);
  }

  /** Frees the space of a medium that is not open. @throws Conflict while it is open */
  async remove(infoHash: InfoHashV1): Promise<void> {
    await this.#folder?.remove(infoHash);
    await this.#forget(infoHash);
  }

  /** Evicts until `neededBytes` more fit. @throws NoSpace when they cannot */
  async shrink(quotaBytes: number, neededBytes = 0): Promise<void> {
    const held = this.list().map(({ infoHash, sizeBytes, lastUsedMs }) => ({
      infoHash,
      sizeBytes,
      lastUsedMs,
      inUse: this.#open.has(infoHash),
    }));
    const evicted = chooseEvictions(held, neededBytes, quotaBytes);
    if (evicted === undefined) throw new NoSpace('the medium does not fit into the quota', { neededBytes, quotaBytes });
    for (const infoHash of evicted) await this.remove(infoHash);
  }

  async #openFile(record: HeldRecord): Promise<{ storage: PieceStorage; storedBytes: number }> {
    if (this.#folder === undefined)
      return { storage: new MemoryStorage(record.pieceLengthBytes, this.#memory), storedBytes: 0 };
    const storage = new OpfsStorage(await this.#folder.openFile(record.infoHash));
    return { storage, storedBytes: storage.storedBytes };
  }

  async #put(record: HeldRecord): Promise<void> {
    this.#records.set(record.infoHash, record);
    await this.#kept.put(record);
  }

  async #forget(infoHash: InfoHashV1): Promise<void> {
    this.#records.delete(infoHash);
    await this.#kept.remove(infoHash);
  }

  /** A crash, or the browser's own eviction, may have left one without the other. */
  async #reconcile(): Promise<void> {
    const files = new Set(await this.#folder?.list());
    for (const record of await this.#kept.all()) {
      if (files.delete(record.infoHash)) this.#records.set(record.infoHash, record);
      else await this.#kept.remove(record.infoHash);
    }
    for (const orphan of files) await this.#folder?.remove(orphan);
  }
}

/** The recorded pieces, as far as the file reaches. */
function heldPieces({ have, sizeBytes, pieceLengthBytes }: HeldRecord, storedBytes: number): Bitfield {
  const pieces = Bitfield.fromBytes(have, Math.ceil(sizeBytes / pieceLengthBytes));
  dropMissing(pieces, storedBytes, { totalBytes: sizeBytes, pieceLengthBytes });
  return pieces;
}
