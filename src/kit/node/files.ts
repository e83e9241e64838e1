/**
 * The files of a torrent on the disk of this machine, as the engine wants them. What is there already counts only as far
 * as its hashes are right; names from the torrent are made safe (see `placement.ts`).
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { nodeDisk } from '../../adapters/fs/disk.ts';
import { FilePieceStorage } from '../../adapters/fs/piece-storage.ts';
import { placeFiles, safeSegment } from '../../adapters/fs/placement.ts';
import { Volume } from '../../adapters/fs/volume.ts';
import { type Log, silentLog } from '../../base/log.ts';
import { checkKeys, type OptionKeys } from '../../base/options.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';
import type { OpenedStorage } from '../../torrent/index.ts';

/** How files are opened. */
export interface OpenFilesOptions {
  /** Default: nothing is logged. */
  readonly log?: Log;
}

const FILES_KEYS: OptionKeys<OpenFilesOptions> = { log: true };

/**
 * Opens the torrent's files below `folder`, making those that are missing at their full size. Bytes of an earlier run are
 * read and hashed once by the engine; those that are right need not be fetched.
 * @throws Conflict, with nothing changed, where a file is longer than the torrent's or belongs to a torrent that runs in
 *   this process; InvalidInput for an option that is none, NoSpace, StorageFailed
 */
export async function openFiles(
  info: TorrentInfo,
  folder: string,
  options: OpenFilesOptions = {},
): Promise<OpenedStorage> {
  checkKeys('openFiles', options, FILES_KEYS);
  const { log = silentLog } = options;
  const files = placeFiles(info, path.resolve(folder, safeSegment(info.name)));
  const wasThere = await anyExists(files.flatMap(({ file }) => file ?? []));
  const storage = new FilePieceStorage(new Volume(nodeDisk, log), files, 'write');
  try {
    await storage.prepare();
    return { storage, have: wasThere ? 'check' : 'none' };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

async function anyExists(files: readonly string[]): Promise<boolean> {
  for (const file of files) {
    const found = await stat(file).catch(() => undefined); // absent and unreadable: opening it will tell
    if (found !== undefined) return true;
  }
  return false;
}
