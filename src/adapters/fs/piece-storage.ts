/**
 * The bytes of one torrent in ordinary files: written sparsely at their place, whole pieces at a time, across file
 * borders. At most OPEN_FILES descriptors are open; a file that was written is synced before it is let go.
 */
import { constants } from 'node:fs';
import path from 'node:path';
import { endInTurn, endTogether } from '../../base/endings.ts';
import { Conflict, StorageFailed } from '../../base/errors.ts';
import type { PieceStorage } from '../../torrent/ports.ts';
import { type Disk, errnoOf } from './disk.ts';
import { heldPaths } from './held-paths.ts';
import type { PlacedFile } from './placement.ts';
import { lengthOf, viewsAfter } from './views.ts';
import type { Volume } from './volume.ts';

const OPEN_FILES = 64;

export type Access = 'read' | 'write';

interface OpenFile {
  readonly fd: Promise<number>;
  isDirty: boolean;
  /** Counted from before it is open: it is closed with the last one, once it is no longer kept. */
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
  readonly #open = new Map<string, OpenFile>();
  /** No longer kept, and still in use. */
  readonly #leaving = new Set<OpenFile>();
  /** Being synced and closed. */
  readonly #closing = new Set<Promise<void>>();
  readonly #newFolders = new Set<string>();
  #giveBack: (() => void) | undefined;
  #isClosed = false;

  /** `files` tile the flat byte space in order. */
  constructor(volume: Volume, files: readonly PlacedFile[], access: Access) {
    this.#volume = volume;
    this.#files = files;
    this.#access = access;
  }

  /**
   * Holds the paths until `close`. To write, also creates every file at its full size; what was downloaded into them
   * stays, and nothing is ever cut.
   * @throws Conflict, before anything is created, where another torrent holds a path or a file is longer than the
   *   torrent's, and so another one; NoSpace, StorageFailed
   */
  async prepare(): Promise<void> {
    const paths = new Set(this.#files.flatMap(({ file }) => file ?? []));
    this.#giveBack ??= heldPaths.hold([...paths], this.#access);
    if (this.#access === 'read') return;
    try {
      await this.#refuseOthers();
      await this.#create();
    } catch (error) {
      this.#giveBack();
      this.#giveBack = undefined; // the next attempt holds them anew
      throw error;
    }
  }

  async #refuseOthers(): Promise<void> {
    for (const { file, lengthBytes, startBytes } of this.#files) {
      if (file === undefined || startBytes !== undefined) continue; // what files share may have held more before
      const foundBytes = await this.#volume.look('look at a file', (disk) => sizeOf(disk, file));
      if (foundBytes <= lengthBytes) continue;
      const facts = { file, foundBytes, lengthBytes };
      throw new Conflict(`${file} is another, longer file; move it away or choose another folder`, facts);
    }
  }

  async #create(): Promise<void> {
    const sizes = new Map<string, number>();
    for (const { file, lengthBytes, startBytes = 0 } of this.#files)
      if (file !== undefined) sizes.set(file, Math.max(sizes.get(file) ?? 0, startBytes + lengthBytes));
    for (const [file, sizeBytes] of sizes)
      await this.#use(file, async (fd, open) => {
        const found = await this.#volume.look('look at a file', (disk) => disk.statOpen(fd));
        if (found.sizeBytes < sizeBytes)
          await this.#volume.change('set the size', (disk) => disk.truncate(fd, sizeBytes));
        open.isDirty = true;
        this.#newFolders.add(path.dirname(file)); // an earlier run may have made the file, and ended before this
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
        await this.#use(stretch.file, async (fd, open) => {
          open.isDirty = true;
          await this.#writeAll(fd, part, stretch.position);
        });
    }
  }

  async sync(): Promise<void> {
    for (const open of [...this.#open.values(), ...this.#leaving]) await this.#hold(open, () => this.#clean(open));
    await Promise.all(this.#closing);
    for (const folder of this.#newFolders)
      await this.#volume.change('sync the folder', (disk) => disk.syncDirectory(folder));
    this.#newFolders.clear();
  }

  /** What runs ends on the file that it began on; all that comes opens its file by name. */
  async reopen(): Promise<void> {
    const closed = Array.from(this.#open, ([file, open]) => this.#letGo(file, open));
    await Promise.all(closed);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    // After a disk error nothing is written any more, and a sync could only fail.
    await endInTurn([() => (this.#volume.isReadOnly ? undefined : this.sync()), () => this.#closeAll()]);
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
    await this.#use(file, async (fd) => {
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

  /** Runs a task over the open file, which becomes the most recently used. */
  async #use<Result>(file: string, task: (fd: number, open: OpenFile) => Promise<Result>): Promise<Result> {
    if (this.#isClosed) throw new StorageFailed('the torrent is closed');
    const open = this.#open.get(file) ?? { fd: this.#openFile(file), isDirty: false, users: 0 };
    this.#open.delete(file);
    this.#open.set(file, open);
    try {
      return await this.#hold(open, async () => {
        const fd = await open.fd.catch((error: unknown) => {
          if (this.#open.get(file) === open) this.#open.delete(file);
          throw error;
        });
        return task(fd, open);
      });
    } finally {
      await this.#trim();
    }
  }

  /** Keeps the file open until the task is done. */
  async #hold<Result>(open: OpenFile, task: () => Promise<Result>): Promise<Result> {
    open.users++;
    try {
      return await task();
    } finally {
      open.users--;
      if (open.users === 0 && this.#leaving.has(open)) await this.#close(open);
    }
  }

  async #openFile(file: string): Promise<number> {
    if (this.#access === 'read') return this.#volume.look('open', (disk) => disk.open(file, constants.O_RDONLY));
    const found = await this.#volume.look('open', (disk) => openExisting(disk, file));
    if (found !== undefined) return found;
    const folder = path.dirname(file);
    const fd = await this.#volume.change('open', async (disk) => {
      await disk.makeDirectory(folder);
      return disk.open(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW);
    });
    this.#newFolders.add(folder);
    return fd;
  }

  async #clean(open: OpenFile): Promise<void> {
    if (!open.isDirty) return;
    open.isDirty = false;
    const fd = await open.fd;
    await this.#volume.change('sync', (disk) => disk.datasync(fd));
  }

  /** Lets go of the least recently used file that nobody uses. */
  async #trim(): Promise<void> {
    if (this.#open.size <= OPEN_FILES) return;
    for (const [file, open] of this.#open) if (open.users === 0) return this.#letGo(file, open);
  }

  /** Every descriptor, whatever becomes of the others. */
  async #closeAll(): Promise<void> {
    this.#isClosed = true;
    this.#giveBack?.();
    const opened = await Promise.allSettled([...this.#open.values(), ...this.#leaving].map(({ fd }) => fd));
    this.#open.clear();
    this.#leaving.clear();
    const closing = opened.map((result) =>
      result.status === 'fulfilled' ? this.#volume.look('close', (disk) => disk.close(result.value)) : undefined,
    );
    await endTogether([...this.#closing, ...closing]);
  }

  /** No longer keeps the file; closed at once where nobody uses it, else by its last user. */
  async #letGo(file: string, open: OpenFile): Promise<void> {
    this.#open.delete(file);
    this.#leaving.add(open);
    if (open.users === 0) await this.#close(open);
  }

  async #close(open: OpenFile): Promise<void> {
    this.#leaving.delete(open);
    const closing = this.#cleanAndClose(open).finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
    await closing;
  }

  async #cleanAndClose(open: OpenFile): Promise<void> {
    const fd = await open.fd;
    try {
      await this.#clean(open);
    } finally {
      await this.#volume.look('close', (disk) => disk.close(fd));
    }
  }
}

/** To read and write; undefined where there is nothing. */
async function openExisting(disk: Disk, file: string): Promise<number | undefined> {
  try {
    return await disk.open(file, constants.O_RDWR | constants.O_NOFOLLOW);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** 0 where there is nothing. */
async function sizeOf(disk: Disk, file: string): Promise<number> {
  try {
    return (await disk.stat(file)).sizeBytes;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0;
    throw error;
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
