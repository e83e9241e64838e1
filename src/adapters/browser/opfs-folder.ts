/**
 * A folder of the origin private file system, opened file by file with sync access handles (dedicated workers only).
 * A handle is exclusive for the whole origin: exactly one worker may own the store, and after a hand-over from another
 * tab the lock can outlive its owner for a moment, so opening is tried again for a second.
 */
import { sleep } from '../../base/tasks.ts';
import type { Clock } from '../../base/clock.ts';
import { Conflict, NoSpace, StorageFailed } from '../../base/errors.ts';

/** A FileSystemSyncAccessHandle; `at` and sizes in bytes. */
export interface SyncFile {
  read(into: Uint8Array<ArrayBuffer>, options: { at: number }): number;
  write(from: Uint8Array<ArrayBuffer>, options: { at: number }): number;
  flush(): void;
  getSize(): number;
  truncate(sizeBytes: number): void;
  close(): void;
}

interface SyncFileHandle {
  createSyncAccessHandle(): Promise<SyncFile>;
}

const RETRY_MS = 50;
const RETRIES = 20;

export class OpfsFolder {
  readonly #folder: FileSystemDirectoryHandle;
  readonly #clock: Clock;

  private constructor(folder: FileSystemDirectoryHandle, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
  }

  /** Undefined where the browser has no lasting storage or no sync access handles (private windows, windows' threads). */
  static async open(name: string, clock: Clock): Promise<OpfsFolder | undefined> {
    if (!('FileSystemFileHandle' in globalThis) || !('createSyncAccessHandle' in FileSystemFileHandle.prototype))
      return undefined;
    try {
      const root = await navigator.storage.getDirectory();
      return new OpfsFolder(await root.getDirectoryHandle(name, { create: true }), clock);
    } catch (error) {
      if (error instanceof DOMException) return undefined;
      throw error;
    }
  }

  /** Creates the file when it is not there. @throws Conflict when another worker holds it, StorageFailed */
  async openFile(name: string, signal?: AbortSignal): Promise<SyncFile> {
    for (let attempt = 1; ; attempt++) {
      try {
        const handle = await this.#folder.getFileHandle(name, { create: true });
        return await (handle as FileSystemFileHandle & SyncFileHandle).createSyncAccessHandle();
      } catch (error) {
        if (!isNamed(error, 'NoModificationAllowedError'))
          throw new StorageFailed('the browser cannot open its file', { name }, { cause: error });
        if (attempt >= RETRIES) throw new Conflict('another tab holds the file', { name }, { cause: error });
        await sleep(this.#clock, RETRY_MS, signal);
      }
    }
  }

  /** Harmless when there is no such file. @throws Conflict while it is open, StorageFailed */
  async remove(name: string): Promise<void> {
    try {
      await this.#folder.removeEntry(name);
    } catch (error) {
      if (isNamed(error, 'NotFoundError')) return;
      if (isNamed(error, 'NoModificationAllowedError')) throw new Conflict('the file is open', { name });
      throw new StorageFailed('the browser cannot remove its file', { name }, { cause: error });
    }
  }

  /** Size, and last change in ms since 1970, of a file; undefined when there is none. @throws StorageFailed */
  async describe(name: string): Promise<{ readonly sizeBytes: number; readonly changedAtMs: number } | undefined> {
    try {
      const { size, lastModified } = await (await this.#folder.getFileHandle(name)).getFile();
      return { sizeBytes: size, changedAtMs: lastModified };
    } catch (error) {
      if (isNamed(error, 'NotFoundError')) return undefined;
      throw new StorageFailed('the browser cannot look at its file', { name }, { cause: error });
    }
  }

  /** Names of all files. */
  async list(): Promise<readonly string[]> {
    const names: string[] = [];
    for await (const name of this.#folder.keys()) names.push(name);
    return names;
  }
}

/** Uses a `SyncFile`. @throws NoSpace, StorageFailed */
export function useFile<T>(access: () => T): T {
  try {
    return access();
  } catch (error) {
    throw storageError(error);
  }
}

/** The error a failed read or write of a `SyncFile` stands for. */
function storageError(error: unknown): NoSpace | StorageFailed {
  if (error instanceof NoSpace || error instanceof StorageFailed) return error;
  if (isNamed(error, 'QuotaExceededError')) return new NoSpace('the browser has no room left', {}, { cause: error });
  return new StorageFailed('the browser store failed', {}, { cause: error });
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof DOMException && error.name === name;
}
