/**
 * The media this browser keeps, one file and one record each, or, where there is no room on disk, in memory until they are
 * closed. Who may be kept is decided elsewhere (`storage-budget.ts`). Invariants: a medium that is open is never removed,
 * a record never names a piece that only memory has, and a file without a record, or a record without its file, does not
 * survive a start.
 */
import { MemoryBudget, MemoryStorage } from '../../../src/adapters/browser/memory-storage.ts';
import { OpfsFolder } from '../../../src/adapters/browser/opfs-folder.ts';
import { OpfsStorage } from '../../../src/adapters/browser/opfs-storage.ts';
import { type GiveWay, OverflowStorage } from '../../../src/adapters/browser/overflow-storage.ts';
import { dropMissing } from '../../../src/adapters/browser/recorded-storage.ts';
import type { StoragePlace, StoragePlan } from '../../../src/adapters/browser/storage-budget.ts';
import type { Clock } from '../../../src/base/clock.ts';
import { NoSpace } from '../../../src/base/errors.ts';
import type { InfoHashV1 } from '../../../src/base/ids.ts';
import { MIB } from '../../../src/base/units.ts';
import { Bitfield } from '../../../src/codec/bitfield.ts';
import type { PieceStorage } from '../../../src/torrent/ports.ts';
import { type HeldRecord, type HeldRecords, passingRecords, storedRecords } from './held-records.ts';

const FOLDER = 'swarm';
/** For media that the disk has no room for, all together. */
export const MEMORY_LIMIT_BYTES = 256 * MIB;

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
  /** Held in memory only; their records end with them. */
  readonly #passing = new Set<InfoHashV1>();
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

  /** What is kept across visits occupies, or, without lasting storage, what memory holds. */
  get usedBytes(): number {
    const counted = this.isLasting ? 'disk' : 'memory';
    return this.list().reduce(
      (sum, { infoHash, sizeBytes }) => sum + (this.placeOf(infoHash) === counted ? sizeBytes : 0),
      0,
    );
  }

  /** Where a medium is, or would be as far as is known now. */
  placeOf(infoHash: InfoHashV1): StoragePlace {
    return this.isLasting && !this.#passing.has(infoHash) ? 'disk' : 'memory';
  }

  list(): readonly HeldRecord[] {
    return [...this.#records.values()];
  }

  find(infoHash: InfoHashV1): HeldRecord | undefined {
    return this.#records.get(infoHash);
  }

  /** Begins to hold a medium as planned; what must go for it goes first. @throws NoSpace when refused, Conflict, StorageFailed */
  async create(record: HeldRecord, plan: StoragePlan<InfoHashV1>, giveWay: GiveWay): Promise<OpenStorage> {
    const { infoHash, sizeBytes } = record;
    if (plan.kind === 'refuse')
      throw new NoSpace('there is no room for the medium', { sizeBytes, limitBytes: plan.limitBytes });
    await this.evict(plan.evict);
    if (plan.kind === 'memory') this.#passing.add(infoHash);
    await this.#put({ ...record, lastUsedMs: this.#clock.nowMs() });
    return this.openStorage(infoHash, giveWay);
  }

  /** Opens what is held of a medium. Each medium is open once; close the storage through `close`.
   * `giveWay` is asked when the disk is full. */
  async openStorage(infoHash: InfoHashV1, giveWay: GiveWay): Promise<OpenStorage> {
    const record = this.#records.get(infoHash);
    if (record === undefined) throw new NoSpace('the medium was evicted meanwhile', { infoHash });
    const { storage, storedBytes } = await this.#openFile(record, giveWay);
    this.#open.set(infoHash, storage);
    return { storage, have: heldPieces(record, storedBytes) };
  }

  /** Flushes the file, then records `have`, which must have been true before the call. */
  async save(infoHash: InfoHashV1, have: Uint8Array, uploadedBytes: number): Promise<void> {
    await this.#open.get(infoHash)?.sync();
    const record = this.#records.get(infoHash);
    if (record === undefined) return;
    await this.#put({ ...record, have: this.#withoutPassing(record, have), uploadedBytes });
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
    if (this.placeOf(infoHash) === 'memory') await this.#forget(infoHash);
  }

  /** Frees the space of a medium that is not open. @throws Conflict while it is open */
  async remove(infoHash: InfoHashV1): Promise<void> {
    if (this.placeOf(infoHash) === 'disk') await this.#folder?.remove(infoHash);
    await this.#forget(infoHash);
  }

  /** Frees the space of media that are not open. @throws Conflict while one is */
  async evict(infoHashes: readonly InfoHashV1[]): Promise<void> {
    for (const infoHash of infoHashes) await this.remove(infoHash);
  }

  async #openFile(record: HeldRecord, giveWay: GiveWay): Promise<{ storage: PieceStorage; storedBytes: number }> {
    const { infoHash, pieceLengthBytes } = record;
    const memory = new MemoryStorage(pieceLengthBytes, this.#memory);
    if (this.#folder === undefined || this.placeOf(infoHash) === 'memory') return { storage: memory, storedBytes: 0 };
    const disk = new OpfsStorage(await this.#folder.openFile(infoHash));
    return { storage: new OverflowStorage(disk, memory, pieceLengthBytes, giveWay), storedBytes: disk.storedBytes };
  }

  /** The pieces that a later visit will find. */
  #withoutPassing({ infoHash, sizeBytes, pieceLengthBytes }: HeldRecord, have: Uint8Array): Uint8Array {
    const storage = this.#open.get(infoHash);
    if (!(storage instanceof OverflowStorage)) return have;
    const kept = Bitfield.fromBytes(have, Math.ceil(sizeBytes / pieceLengthBytes));
    storage.dropPassing(kept);
    return kept.toBytes();
  }

  async #put(record: HeldRecord): Promise<void> {
    this.#records.set(record.infoHash, record);
    if (!this.#passing.has(record.infoHash)) await this.#kept.put(record);
  }

  async #forget(infoHash: InfoHashV1): Promise<void> {
    this.#records.delete(infoHash);
    this.#passing.delete(infoHash);
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
