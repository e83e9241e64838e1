/**
 * The bytes of one torrent in ordinary files: written sparsely at their place, whole pieces at a time, across file
 * borders. At most OPEN_FILES descriptors are open; a file that was written is synced before it is let go.
 */
import { constants } from 'node:fs';
import path from 'node:path';
import { StorageFailed } from '../../base/errors.ts';
import type { PieceStorage } from '../../torrent/ports.ts';
import type { PlacedFile } from './placement.ts';
import { lengthOf, viewsAfter } from './views.ts';
import type { Volume } from './volume.ts';

const OPEN_FILES = 64;

export type Access = 'read' | 'write';

interface OpenFile {
  readonly fd: number;
  isDirty: boolean;
  users: number;
}

/** A stretch of one file, or of zeros, that part of a read or write falls on. */
interface Stretch {
  readonly file: string | undefined;
  readonly position: number;
  readonly lengthBytes: number;
}

export class FilePieceStorage implements PieceStorage {
  readonly #volume: Volume;
  readonly #files: readonly PlacedFile[];
  readonly #access: Access;
  /** Least recently used first. */
  readonly #open = new Map<string, Promise<OpenFile>>();
  readonly #newFolders = new Set<string>();
  #isClosed = false;

  /** `files` tile the flat byte space in order. */
  constructor(volume: Volume, files: readonly PlacedFile[], access: Access) {
    this.#volume = volume;
    this.#files = files;
    this.#access = access;
  }

  /** Creates every file at its full size, without writing: what was downloaded into them stays. @throws NoSpace, StorageFailed */
  async prepare(): Promise<void> {
    const sizes = new Map<string, number>();
    for (const { file, lengthBytes, startBytes = 0 } of this.#files)
      if (file !== undefined) sizes.set(file, Math.max(sizes.get(file) ?? 0, startBytes + lengthBytes));
    for (const [file, sizeBytes] of sizes)
      await this.#use(file, async (open) => {
        await this.#volume.change('set the size', (disk) => disk.truncate(open.fd, sizeBytes));
        open.isDirty = true;
      });
    await this.sync();
  }

  async read(views: readonly Uint8Array[], position: number): Promise<void> {
    let rest = views;
    for (const stretch of this.#stretches(position, lengthOf(views))) {
      const [now, later] = split(rest, stretch.lengthBytes);
      await this.#readStretch(stretch, now);
      rest = later;
    }
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    let at = 0;
    for (const stretch of this.#stretches(position, bytes.length)) {
      const part = bytes.subarray(at, at + stretch.lengthBytes);
      at += stretch.lengthBytes;
      if (stretch.file !== undefined)
        await this.#use(stretch.file, async (open) => {
          open.isDirty = true;
          await this.#writeAll(open.fd, part, stretch.position);
        });
    }
  }

  async sync(): Promise<void> {
    for (const file of Array.from(this.#open.keys())) await this.#use(file, (open) => this.#clean(open));
    for (const folder of this.#newFolders)
      await this.#volume.change('sync the folder', (disk) => disk.syncDirectory(folder));
    this.#newFolders.clear();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    try {
      await this.sync();
    } finally {
      this.#isClosed = true;
      const opened = await Promise.allSettled(this.#open.values());
      this.#open.clear();
      for (const result of opened)
        if (result.status === 'fulfilled') await this.#volume.look('close', (disk) => disk.close(result.value.fd));
    }
  }

  *#stretches(position: number, lengthBytes: number): Iterable<Stretch> {
    const end = position + lengthBytes;
    let at = position;
    for (let index = this.#fileAt(position); at < end; index++) {
      const file = this.#files[index];
      if (file === undefined) throw new StorageFailed('outside the torrent', { position, lengthBytes });
      const stop = Math.min(end, file.offsetBytes + file.lengthBytes);
      if (stop <= at) continue; // an empty file
      const positionInFile = at - file.offsetBytes + (file.startBytes ?? 0);
      yield { file: file.file, position: positionInFile, lengthBytes: stop - at };
      at = stop;
    }
  }

  /** Index of the file that holds the byte; by halving, since torrents have up to 20,000 files. */
  #fileAt(position: number): number {
    let [low, high] = [0, this.#files.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const file = this.#files[middle];
      if (file !== undefined && file.offsetBytes + file.lengthBytes <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  async #readStretch({ file, position }: Stretch, views: readonly Uint8Array[]): Promise<void> {
    if (file === undefined) {
      for (const view of views) view.fill(0);
      return;
    }
    await this.#use(file, async ({ fd }) => {
      let rest = views;
      for (let at = position; rest.length > 0;) {
        const missing = rest;
        const from = at;
        const count = await this.#volume.look('read', (disk) => disk.read(fd, missing, from));
        if (count === 0) throw new StorageFailed('the file is shorter than it was', { operation: 'read' });
        at += count;
        rest = viewsAfter(rest, count);
      }
    });
  }

  async #writeAll(fd: number, bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const [rest, at] = [bytes.subarray(done), position + done];
      done += await this.#volume.change('write', (disk) => disk.write(fd, [rest], at));
    }
  }

  /** Runs a task over the open file and keeps it open until the task is done. */
  async #use<Result>(file: string, task: (open: OpenFile) => Promise<Result>): Promise<Result> {
    if (this.#isClosed) throw new StorageFailed('the torrent is closed');
    const opening = this.#open.get(file) ?? this.#openFile(file);
    this.#open.delete(file);
    this.#open.set(file, opening); // most recently used
    const open = await opening.catch((error: unknown) => {
      if (this.#open.get(file) === opening) this.#open.delete(file);
      throw error;
    });
    open.users++;
    try {
      return await task(open);
    } finally {
      open.users--;
      await this.#trim();
    }
  }

  async #openFile(file: string): Promise<OpenFile> {
    if (this.#access === 'read') {
      const fd = await this.#volume.look('open', (disk) => disk.open(file, constants.O_RDONLY));
      return { fd, isDirty: false, users: 0 };
    }
    const folder = path.dirname(file);
    const fd = await this.#volume.change('open', async (disk) => {
      await disk.makeDirectory(folder);
      return disk.open(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW);
    });
    this.#newFolders.add(folder);
    return { fd, isDirty: false, users: 0 };
  }

  async #clean(open: OpenFile): Promise<void> {
    if (!open.isDirty) return;
    open.isDirty = false;
    await this.#volume.change('sync', (disk) => disk.datasync(open.fd));
  }

  /** Lets go of the least recently used file that nobody uses. */
  async #trim(): Promise<void> {
    if (this.#open.size <= OPEN_FILES) return;
    for (const [file, opening] of this.#open) {
      const open = await opening;
      if (open.users > 0 || this.#open.get(file) !== opening) continue;
      this.#open.delete(file);
      await this.#clean(open);
      await this.#volume.look('close', (disk) => disk.close(open.fd));
      return;
    }
  }
}

/** The first `count` bytes of the views, and the rest. */
function split(
  views: readonly Uint8Array[],
  count: number,
): [now: readonly Uint8Array[], later: readonly Uint8Array[]] {
  const later = viewsAfter(views, count);
  let left = count;
  const now: Uint8Array[] = [];
  for (const view of views) {
    if (left === 0) break;
    if (view.length > 0) now.push(view.subarray(0, left));
    left -= Math.min(left, view.length);
  }
  return [now, later];
}
