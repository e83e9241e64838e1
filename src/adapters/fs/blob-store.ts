/**
 * Blobs as files (`layout.ts`). Invariants: a blob's name appears by one rename of synced bytes; each directory a name
 * depends on is fsynced by this process before the name is reported; nothing is written after an I/O error.
 */
import fs from 'node:fs';
import path from 'node:path';
import { Conflict } from '../../base/errors.ts';
import { isSha256 } from '../../base/ids.ts';
import type { Sha256, UploadId } from '../../base/ids.ts';
import { silentLog } from '../../base/log.ts';
import type { Log } from '../../base/log.ts';
import type { BlobPart, BlobReader, BlobStat, BlobStore } from '../../store/blobs.ts';
import { errnoOf, nodeDisk } from './disk.ts';
import type { Disk, DiskStat } from './disk.ts';
import { blobDirectory, blobPath, layoutOf, partPath } from './layout.ts';
import type { Layout } from './layout.ts';
import { FsBlobPart } from './part.ts';
import type { PartHome } from './part.ts';
import { FsBlobReader } from './reader.ts';
import { DEFAULT_FLOOR, roomAbove, Volume } from './volume.ts';
import type { DiskFloor } from './volume.ts';

export interface FsBlobStoreOptions {
  /** Folder of `blobs/` and `incoming/`; made when missing. */
  readonly root: string;
  readonly log?: Log;
  /** Default: the smaller of 5 % and 2 GiB. */
  readonly floor?: DiskFloor;
  /** Default: the real file system. */
  readonly disk?: Disk;
}

const UPLOAD_ID = /^[0-9a-f]{32}$/;
const { O_CREAT, O_RDONLY, O_RDWR } = fs.constants;

export class FsBlobStore implements BlobStore {
  readonly layout: Layout;
  readonly #volume: Volume;
  readonly #floor: DiskFloor;
  readonly #openParts = new Set<UploadId>();
  /** Directories whose own name this process has made durable; at most 65,794. */
  readonly #durable = new Set<string>();
  /** One publication per blob at a time. */
  readonly #publishing = new Map<Sha256, Promise<unknown>>();
  readonly #home: PartHome;

  private constructor(options: FsBlobStoreOptions) {
    this.layout = layoutOf(options.root);
    this.#volume = new Volume(options.disk ?? nodeDisk, options.log ?? silentLog);
    this.#floor = options.floor ?? DEFAULT_FLOOR;
    this.#home = {
      volume: this.#volume,
      pathOf: (id) => partPath(this.layout, id),
      publish: (file, sizeBytes, blob) => this.#publish(file, sizeBytes, blob),
      letGo: (id) => this.#openParts.delete(id),
    };
  }

  /** Makes the folders, durably. @throws StorageFailed, NoSpace */
  static async open(options: FsBlobStoreOptions): Promise<FsBlobStore> {
    const store = new FsBlobStore(options);
    await store.#makeDurable(store.layout.incoming);
    await store.#makeDurable(store.layout.blobs);
    return store;
  }

  /** True after an I/O error, until a restart. */
  get isReadOnly(): boolean {
    return this.#volume.isReadOnly;
  }

  async openPart(id: UploadId): Promise<BlobPart> {
    const file = partPath(this.layout, id);
    if (this.#openParts.has(id)) throw new Conflict('the part is open already', { upload: id });
    this.#openParts.add(id);
    try {
      const isNew = (await this.#stat(file)) === undefined;
      const fd = await this.#volume.change('open', (disk) => disk.open(file, O_RDWR | O_CREAT));
      return await this.#openedPart(id, fd, isNew);
    } catch (error) {
      this.#openParts.delete(id);
      throw error;
    }
  }

  async #openedPart(id: UploadId, fd: number, isNew: boolean): Promise<BlobPart> {
    try {
      if (isNew) await this.#volume.change('sync', (disk) => disk.syncDirectory(this.layout.incoming));
      const { sizeBytes } = await this.#volume.look('stat', (disk) => disk.statOpen(fd));
      return new FsBlobPart(this.#home, id, fd, sizeBytes);
    } catch (error) {
      await this.#volume.disk.close(fd);
      throw error;
    }
  }

  async statPart(id: UploadId): Promise<{ readonly sizeBytes: number } | undefined> {
    return this.#stat(partPath(this.layout, id));
  }

  async *listParts(): AsyncIterable<UploadId> {
    for await (const name of this.#volume.names(this.layout.incoming)) {
      if (UPLOAD_ID.test(name)) yield name as UploadId;
    }
  }

  async open(blob: Sha256): Promise<BlobReader | undefined> {
    const file = blobPath(this.layout, blob);
    const fd = await this.#volume.look('open', (disk) => unlessMissing(disk.open(file, O_RDONLY)));
    if (fd === undefined) return undefined;
    try {
      return new FsBlobReader(this.#volume, fd, await this.#volume.look('stat', (disk) => disk.statOpen(fd)));
    } catch (error) {
      await this.#volume.disk.close(fd);
      throw error;
    }
  }

  /** What it reports survives a power cut: the name may be left over from a process that died before its fsync. */
  async stat(blob: Sha256): Promise<BlobStat | undefined> {
    const stat = await this.#stat(blobPath(this.layout, blob));
    if (stat !== undefined) await this.#makeDurable(blobDirectory(this.layout, blob));
    return stat;
  }

  async delete(blob: Sha256): Promise<boolean> {
    const file = blobPath(this.layout, blob);
    const gone = await this.#volume.change('unlink', (disk) => unlessMissing(disk.unlink(file).then(() => true)));
    if (gone === undefined) return false;
    await this.#volume.change('sync', (disk) => disk.syncDirectory(path.dirname(file)));
    return true;
  }

  async *list(): AsyncIterable<Sha256> {
    for await (const directory of this.#subdirectories(this.layout.blobs)) {
      for await (const inner of this.#subdirectories(directory)) {
        for await (const name of this.#volume.names(inner)) if (isSha256(name)) yield name;
      }
    }
  }

  async freeBytes(): Promise<number> {
    return roomAbove(this.#floor, await this.#volume.look('statfs', (disk) => disk.space(this.layout.root)));
  }

  async *#subdirectories(parent: string): AsyncIterable<string> {
    for await (const name of this.#volume.names(parent)) {
      if (/^[0-9a-f]{2}$/.test(name)) yield path.join(parent, name);
    }
  }

  #stat(file: string): Promise<DiskStat | undefined> {
    return this.#volume.look('stat', (disk) => unlessMissing(disk.stat(file)));
  }

  /** Waits for an earlier publication of the same blob, then publishes. */
  async #publish(file: string, sizeBytes: number, blob: Sha256): Promise<BlobStat> {
    const before = this.#publishing.get(blob) ?? Promise.resolve();
    const mine = before.catch(() => undefined).then(() => this.#publishAlone(file, sizeBytes, blob));
    this.#publishing.set(blob, mine);
    try {
      return await mine;
    } finally {
      if (this.#publishing.get(blob) === mine) this.#publishing.delete(blob);
    }
  }

  /** An equal blob that exists wins and keeps its inode; one of a wrong length is damaged and gives way. */
  async #publishAlone(file: string, sizeBytes: number, blob: Sha256): Promise<BlobStat> {
    const target = blobPath(this.layout, blob);
    const directory = path.dirname(target);
    await this.#makeDurable(directory);
    const existing = await this.#stat(target);
    if (existing?.sizeBytes === sizeBytes) {
      await this.#volume.change('unlink', (disk) => disk.unlink(file));
    } else {
      await this.#volume.change('rename', (disk) => disk.rename(file, target));
      await this.#volume.change('sync', (disk) => disk.syncDirectory(directory));
    }
    await this.#volume.change('sync', (disk) => disk.syncDirectory(this.layout.incoming));
    return existing?.sizeBytes === sizeBytes ? existing : this.#volume.look('stat', (disk) => disk.stat(target));
  }

  /** Makes a directory and fsyncs it and its parents, once per process: an earlier one may have died in between. */
  async #makeDurable(directory: string): Promise<void> {
    if (this.#durable.has(directory)) return;
    await this.#volume.change('mkdir', (disk) => disk.makeDirectory(directory));
    for (let at = directory; ; at = path.dirname(at)) {
      const current = at;
      await this.#volume.change('sync', (disk) => disk.syncDirectory(current));
      if (current === path.dirname(this.layout.root) || current === path.dirname(current)) break;
    }
    this.#durable.add(directory);
  }
}

async function unlessMissing<Result>(call: Promise<Result>): Promise<Result | undefined> {
  try {
    return await call;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
