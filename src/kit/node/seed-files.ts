/**
 * Files of the user's as torrents, served from where they lie; canonical ones are made here, read once for sha256 and
 * pieces (other formats: `hash-path.ts`).
 */
import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import path from 'node:path';
import { nodeDisk } from '../../adapters/fs/disk.ts';
import { FilePieceStorage } from '../../adapters/fs/piece-storage.ts';
import type { PlacedFile } from '../../adapters/fs/placement.ts';
import { Volume } from '../../adapters/fs/volume.ts';
import { Conflict, InvalidInput, throwIfAborted } from '../../base/errors.ts';
import { parseSha256 } from '../../base/ids.ts';
import { type Log, silentLog } from '../../base/log.ts';
import { checkKeys, checkSignal, checkTexts, type OptionKeys } from '../../base/options.ts';
import { SECOND_MS } from '../../base/units.ts';
import { canonicalInfo, canonicalPieceCount, canonicalPieceLength } from '../../codec/canonical.ts';
import { infoHashesOf } from '../../codec/metainfo.ts';
import type { VerifiedLayers } from '../../codec/piece-layers.ts';
import { parseTorrentInfo, SHA1_BYTES, type TorrentInfo } from '../../codec/torrent-info.ts';
import { type TorrentLinks, torrentLinksOf } from '../../codec/torrent-links.ts';
import type { AddOptions, Torrent } from '../../torrent/index.ts';
import { orStopped } from './or-stopped.ts';
import type { SwarmNode } from './swarm-node.ts';

/** Pieces read ahead of the hashes; bounds memory to so many pieces. */
const PIECES_IN_FLIGHT = 4;

/** A file or folder whose torrent is made. */
export interface HashedFile {
  /** Absolute path. */
  readonly file: string;
  /** Of the file or folder itself; the torrent's own is `info.name`. */
  readonly name: string;
  readonly info: TorrentInfo;
  /** Of v2 and hybrid torrents. */
  readonly pieceLayers?: VerifiedLayers;
  /** Where the torrent's files lie. */
  readonly placed: readonly PlacedFile[];
}

/** How the hashing of files is followed and ended. */
export interface HashFileOptions {
  /** Hears the bytes read so far. */
  readonly hashed?: (hashedBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

const HASH_KEYS: OptionKeys<HashFileOptions> = { hashed: true, signal: true };

/**
 * Reads a file once and makes its canonical torrent: the same for the same bytes, whoever makes it (`hashPath` makes others).
 * @throws InvalidInput for folders, empty and missing files, and an option that is none, Conflict when the file changes, Cancelled
 */
export async function hashFile(file: string, options: HashFileOptions = {}): Promise<HashedFile> {
  checkKeys('hashFile', options, HASH_KEYS);
  checkSignal(options.signal);
  const found = await stat(file).catch((error: unknown) => {
    throw new InvalidInput(`${file} cannot be read`, { file }, { cause: error });
  });
  if (!found.isFile()) throw new InvalidInput(`${file} is not a file (a folder needs a format)`, { file });
  if (found.size === 0) throw new InvalidInput(`${file} is empty; only a file with bytes has a torrent`, { file });
  const { sha256, pieces } = await digest(file, found.size, options);
  const info = parseTorrentInfo(canonicalInfo({ sha256: parseSha256(sha256), sizeBytes: found.size, pieces }));
  const placed = [{ file: path.resolve(file), lengthBytes: found.size, offsetBytes: 0 }];
  return { file: path.resolve(file), name: path.basename(file), info, placed };
}

async function digest(
  file: string,
  sizeBytes: number,
  { signal, hashed }: HashFileOptions,
): Promise<{ sha256: string; pieces: Uint8Array }> {
  await using handle = await open(file, 'r');
  const pieceBytes = canonicalPieceLength(sizeBytes);
  const pieces = new Uint8Array(canonicalPieceCount(sizeBytes) * SHA1_BYTES);
  const whole = createHash('sha256');
  const buffers = Array.from({ length: PIECES_IN_FLIGHT }, () => new Uint8Array(pieceBytes));
  const busy = buffers.map(() => Promise.resolve());
  for (let piece = 0; piece * pieceBytes < sizeBytes; piece++) {
    throwIfAborted(signal);
    const slot = piece % PIECES_IN_FLIGHT;
    await busy[slot];
    const bytes = buffers[slot]?.subarray(0, Math.min(pieceBytes, sizeBytes - piece * pieceBytes)) ?? new Uint8Array();
    await readFully(handle, bytes, piece * pieceBytes);
    busy[slot] = crypto.subtle
      .digest('SHA-1', bytes)
      .then((sha1) => pieces.set(new Uint8Array(sha1), piece * SHA1_BYTES));
    whole.update(bytes);
    hashed?.(piece * pieceBytes + bytes.length, sizeBytes);
  }
  await Promise.all(busy);
  return { sha256: whole.digest('hex'), pieces };
}

async function readFully(handle: Awaited<ReturnType<typeof open>>, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesRead } = await handle.read(bytes, done, bytes.length - done, position + done);
    if (bytesRead === 0) throw new Conflict('the file became shorter while it was read');
    done += bytesRead;
  }
}

/** A file or folder that is being served. */
export interface SeededFile extends HashedFile, TorrentLinks {
  /** Stop it to end the serving. */
  readonly torrent: Torrent;
}

/**
 * Serves a hashed file or folder from where it lies, from now on, and announces it to the trackers, each a tier of its own;
 * they may lie anywhere, since it is you who names them. @throws Conflict when its torrent is running already
 */
export async function seedFile(
  node: SwarmNode,
  hashedFile: HashedFile,
  trackers: readonly string[] = [],
  log: Log = silentLog,
): Promise<SeededFile> {
  checkTexts('trackers', trackers);
  const { name, info, placed, pieceLayers } = hashedFile;
  const hashes = await infoHashesOf(info);
  const storage = new FilePieceStorage(new Volume(nodeDisk, log), placed, 'read');
  await storage.prepare();
  const torrent = await addOrClose(node, {
    ...hashes,
    info,
    ...(pieceLayers && { pieceLayers }),
    storage,
    have: 'all',
    mode: 'seed-only',
  });
  await orStopped(torrent, () => {
    node.announce(
      torrent,
      trackers.map((tracker) => [tracker]),
      'judged',
    );
  });
  const createdAtSec = Math.floor(Date.now() / SECOND_MS);
  const links = torrentLinksOf({ hashes, info, ...(pieceLayers && { pieceLayers }), name, trackers, createdAtSec });
  return { ...hashedFile, ...links, torrent };
}

async function addOrClose({ engine }: SwarmNode, options: AddOptions): Promise<Torrent> {
  try {
    return engine.add(options);
  } catch (error) {
    await options.storage.close();
    throw error;
  }
}
