/**
 * The health of one file system. Invariant: after the first I/O error nothing is written until a restart, because
 * after a failed fsync the page cache no longer tells what is on the disk (trust.md: "never retry and hope").
 */
import { AppError, NoSpace, StorageFailed, Unavailable } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { GIB } from '../../base/units.ts';
import { errnoOf } from './disk.ts';
import type { Disk, DiskSpace } from './disk.ts';

/** Space the store leaves to the system: the smaller of a share of the disk and a number of bytes. */
export interface DiskFloor {
  readonly share: number;
  readonly bytes: number;
}

export const DEFAULT_FLOOR: DiskFloor = { share: 0.05, bytes: 2 * GIB };

const FULL = new Set(['ENOSPC', 'EDQUOT']);
const BROKEN = new Set(['EIO', 'EROFS', 'ENODEV', 'ENXIO', 'ESTALE']);

/** Bytes above the floor; never negative. */
export function roomAbove(floor: DiskFloor, space: DiskSpace): number {
  return Math.max(0, Math.floor(space.availableBytes - Math.min(floor.bytes, space.totalBytes * floor.share)));
}

export class Volume {
  readonly disk: Disk;
  readonly #log: Log;
  #broken: string | undefined;

  constructor(disk: Disk, log: Log) {
    this.disk = disk;
    this.#log = log;
  }

  /** True from the first I/O error until a restart. */
  get isReadOnly(): boolean {
    return this.#broken !== undefined;
  }

  /** Runs a change of the disk. @throws Unavailable when read-only, NoSpace, StorageFailed */
  async change<Result>(what: string, task: (disk: Disk) => Promise<Result>): Promise<Result> {
    if (this.#broken !== undefined) {
      const facts = { operation: what, errno: this.#broken };
      throw new Unavailable('the volume is read-only after a disk error; check the disk and restart', facts);
    }
    try {
      return await task(this.disk);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno !== undefined && BROKEN.has(errno)) this.#break(what, errno);
      throw translate(what, error);
    }
  }

  /** Runs a call that only reads; one bad sector does not stop uploads. @throws StorageFailed */
  async look<Result>(what: string, task: (disk: Disk) => Promise<Result>): Promise<Result> {
    try {
      return await task(this.disk);
    } catch (error) {
      throw translate(what, error);
    }
  }

  /** The names in a directory, one at a time. @throws StorageFailed */
  async *names(directory: string): AsyncIterable<string> {
    try {
      yield* this.disk.names(directory);
    } catch (error) {
      throw translate('list', error);
    }
  }

  #break(what: string, errno: string): void {
    if (this.#broken === undefined) this.#log.error('volume.read-only', { operation: what, errno });
    this.#broken ??= errno;
  }
}

function translate(what: string, error: unknown): AppError {
  if (error instanceof AppError) return error;
  const errno = errnoOf(error) ?? 'unknown';
  const facts = { operation: what, errno };
  if (FULL.has(errno)) return new NoSpace('the disk is full', facts, { cause: error });
  return new StorageFailed(`the disk failed to ${what}`, facts, { cause: error });
}
