/**
 * A part on disk: bytes on their way to becoming a blob. Invariants: `sizeBytes` is what was written without a gap;
 * a refused write leaves the part as it was; the name of a blob appears only after its bytes were synced.
 */
import path from 'node:path';
import { Conflict, InvalidInput, NoSpace, StorageFailed } from '../../base/errors.ts';
import type { Sha256, UploadId } from '../../base/ids.ts';
import type { BlobPart, BlobStat } from '../../store/blobs.ts';
import type { Disk } from './disk.ts';
import { lengthOf, viewsAfter } from './views.ts';
import type { Volume } from './volume.ts';

/** What a part needs from its store. */
export interface PartHome {
  readonly volume: Volume;
  pathOf(id: UploadId): string;
  /** Puts the synced file under its hash, durably. */
  publish(file: string, sizeBytes: number, blob: Sha256): Promise<BlobStat>;
  /** The part may be opened again. */
  letGo(id: UploadId): void;
}

export class FsBlobPart implements BlobPart {
  readonly id: UploadId;
  readonly #home: PartHome;
  readonly #fd: number;
  #sizeBytes: number;
  /** Counts starts and ends of changes: a sync covers those that ended before it began. */
  #changes = 1;
  #syncedChanges = 0;
  #isOpen = true;

  constructor(home: PartHome, id: UploadId, fd: number, sizeBytes: number) {
    this.#home = home;
    this.id = id;
    this.#fd = fd;
    this.#sizeBytes = sizeBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async write(chunks: readonly Uint8Array[], position: number): Promise<void> {
    this.#assertOpen();
    if (position !== this.#sizeBytes) {
      throw new Conflict('parts are written without gaps', { position, sizeBytes: this.#sizeBytes });
    }
    this.#changes++;
    try {
      await this.#change('write', (disk) => writeAll(disk, this.#fd, chunks, position));
    } catch (error) {
      if (error instanceof NoSpace) await this.#change('truncate', (disk) => disk.truncate(this.#fd, position));
      throw error;
    }
    this.#sizeBytes = position + lengthOf(chunks);
    this.#changes++;
  }

  async sync(): Promise<void> {
    this.#assertOpen();
    const covered = this.#changes;
    if (this.#syncedChanges === covered) return;
    await this.#change('sync', (disk) => disk.datasync(this.#fd));
    this.#syncedChanges = covered;
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.#assertOpen();
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || sizeBytes > this.#sizeBytes) {
      throw new InvalidInput('a part can only be cut back', { sizeBytes, currentBytes: this.#sizeBytes });
    }
    this.#changes++;
    await this.#change('truncate', (disk) => disk.truncate(this.#fd, sizeBytes));
    this.#sizeBytes = sizeBytes;
    this.#changes++;
  }

  async commit(blob: Sha256): Promise<BlobStat> {
    await this.sync();
    const stat = await this.#home.publish(this.#file, this.#sizeBytes, blob);
    await this.close();
    return stat;
  }

  async discard(): Promise<void> {
    this.#assertOpen();
    await this.#change('unlink', (disk) => disk.unlink(this.#file));
    await this.#change('sync', (disk) => disk.syncDirectory(path.dirname(this.#file)));
    await this.close();
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      await this.#home.volume.look('close', (disk) => disk.close(this.#fd));
    } finally {
      this.#home.letGo(this.id);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #file(): string {
    return this.#home.pathOf(this.id);
  }

  #change(what: string, task: (disk: Disk) => Promise<void>): Promise<void> {
    return this.#home.volume.change(what, task);
  }

  #assertOpen(): void {
    if (!this.#isOpen) throw new StorageFailed('the part is closed');
  }
}

/** Writes every byte, however short the single writes are. */
async function writeAll(disk: Disk, fd: number, chunks: readonly Uint8Array[], position: number): Promise<void> {
  let at = position;
  let rest: readonly Uint8Array[] = chunks.filter((chunk) => chunk.length > 0);
  while (rest.length > 0) {
    const written = await disk.write(fd, rest, at);
    if (written === 0) throw new StorageFailed('the disk takes no more bytes');
    at += written;
    rest = viewsAfter(rest, written);
  }
}
