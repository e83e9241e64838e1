/**
 * The file system calls the store makes, as one narrow object: the real ones here, faulty ones in crash tests.
 * Invariant: nothing in this folder touches the disk except through a `Disk` (the hashing worker only reads).
 */
import fs from 'node:fs';
import { promisify } from 'node:util';

export interface DiskStat {
  readonly sizeBytes: number;
  /** Size, mtime in ns and inode in one string; changes whenever the bytes could have changed. */
  readonly fingerprint: string;
}

export interface DiskSpace {
  /** Bytes an ordinary user may still write. */
  readonly availableBytes: number;
  readonly totalBytes: number;
}

/** All methods reject with Node's `ErrnoException`; `Volume.run` turns those into AppErrors. */
export interface Disk {
  open(file: string, flags: number): Promise<number>;
  close(fd: number): Promise<void>;
  /** May read less than asked for, 0 at the end. */
  read(fd: number, views: readonly Uint8Array[], position: number): Promise<number>;
  /** May write less than given. */
  write(fd: number, views: readonly Uint8Array[], position: number): Promise<number>;
  truncate(fd: number, sizeBytes: number): Promise<void>;
  /** fdatasync: the bytes and the size. */
  datasync(fd: number): Promise<void>;
  /** fsync of a directory: the names in it. */
  syncDirectory(directory: string): Promise<void>;
  makeDirectory(directory: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(file: string): Promise<void>;
  statOpen(fd: number): Promise<DiskStat>;
  stat(file: string): Promise<DiskStat>;
  names(directory: string): AsyncIterable<string>;
  space(directory: string): Promise<DiskSpace>;
}

const calls = {
  open: promisify(fs.open),
  close: promisify(fs.close),
  read: promisify(fs.readv),
  write: promisify(fs.writev),
  truncate: promisify(fs.ftruncate),
  datasync: promisify(fs.fdatasync),
  sync: promisify(fs.fsync),
};

function describe(stat: fs.BigIntStats): DiskStat {
  return { sizeBytes: Number(stat.size), fingerprint: `${stat.size}-${stat.mtimeNs}-${stat.ino}` };
}

export const nodeDisk: Disk = {
  open: (file, flags) => calls.open(file, flags, 0o640),
  close: (fd) => calls.close(fd),
  read: async (fd, views, position) => (await calls.read(fd, views, position)).bytesRead,
  write: async (fd, views, position) => (await calls.write(fd, views, position)).bytesWritten,
  truncate: (fd, sizeBytes) => calls.truncate(fd, sizeBytes),
  datasync: (fd) => calls.datasync(fd),
  async syncDirectory(directory) {
    const fd = await calls.open(directory, fs.constants.O_RDONLY);
    try {
      await calls.sync(fd);
    } finally {
      await calls.close(fd);
    }
  },
  async makeDirectory(directory) {
    await fs.promises.mkdir(directory, { recursive: true, mode: 0o750 });
  },
  rename: (from, to) => fs.promises.rename(from, to),
  unlink: (file) => fs.promises.unlink(file),
  statOpen: async (fd) => describe(await promisify(fs.fstat)(fd, { bigint: true })),
  stat: async (file) => describe(await fs.promises.stat(file, { bigint: true })),
  async *names(directory) {
    for await (const entry of await fs.promises.opendir(directory)) yield entry.name;
  },
  async space(directory) {
    const stat = await fs.promises.statfs(directory);
    return { availableBytes: stat.bavail * stat.bsize, totalBytes: stat.blocks * stat.bsize };
  },
};

/** The `errno` name of a file system error, such as `ENOSPC`; undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
