/**
 * Files a person picked, as one torrent: hashed slice by slice, then read from where they lie, never copied. Invariant: the
 * bytes are laid out as the info dictionary says, padding included.
 */
import { FileStorage } from '../../adapters/browser/file-storage.ts';
import { subtleHasher } from '../../adapters/browser/subtle-hasher.ts';
import { InvalidInput } from '../../base/errors.ts';
import { MIB } from '../../base/units.ts';
import { canonicalPieceLength } from '../../codec/canonical.ts';
import { inTorrentOrder, type NamedFile, type TorrentFormat } from '../../codec/make-info.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';
import { type MadeTorrent, makeTorrent } from '../../torrent/index.ts';

const READ_BYTES = MIB;

/** What torrent is made of picked files. */
export interface HashPickedOptions {
  /** The torrent's name; needed for several files. Default: that of the file. */
  readonly name?: string;
  /** Default v1, which every client understands. */
  readonly format?: TorrentFormat;
  /** A power of two from 16 KiB on; default: one that gives at most 2,048 pieces, up to 16 MiB. */
  readonly pieceLengthBytes?: number;
  /** Hears the bytes read so far. */
  readonly hashed?: (hashedBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

/** A torrent of picked files that nobody serves yet. */
export interface PickedTorrent extends MadeTorrent {
  readonly name: string;
  readonly storage: FileStorage;
}

interface PickedFile extends NamedFile {
  readonly file: File;
}

/**
 * Reads picked files once and makes their torrent.
 * @throws InvalidInput for no bytes, several files without a name, or files that make no torrent; StorageFailed when one
 *   cannot be read any more, Conflict when one changed, Cancelled
 */
export async function hashPicked(
  picked: readonly File[],
  options: HashPickedOptions & { readonly name: string },
): Promise<PickedTorrent> {
  const { name, format = 'v1', hashed, signal } = options;
  const files = inTorrentOrder(picked.map((file) => pickedFile(file, picked.length === 1 ? [name] : pathOf(file))));
  const totalBytes = files.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  if (totalBytes === 0) throw new InvalidInput('only files with bytes make a torrent', { files: picked.length });
  const made = await makeTorrent({
    format,
    name,
    pieceLengthBytes: options.pieceLengthBytes ?? canonicalPieceLength(totalBytes),
    files: files.map(({ file, ...named }) => ({ ...named, read: () => slicesOf(file) })),
    hasher: subtleHasher,
    ...(signal && { signal }),
    ...(hashed && { hashed: (hashedBytes: number) => hashed(hashedBytes, totalBytes) }),
  });
  return { ...made, name, storage: new FileStorage(layOut(made.info, files)) };
}

function pickedFile(file: File, path: readonly string[]): PickedFile {
  return { file, path, lengthBytes: file.size };
}

/** Files of a picked folder carry their path, which begins with the folder's name. */
function pathOf({ webkitRelativePath, name }: File): readonly string[] {
  const [, ...below] = webkitRelativePath.split('/');
  return below.length > 0 ? below : [name];
}

async function* slicesOf(file: File): AsyncGenerator<Uint8Array> {
  const storage = new FileStorage(file);
  for (let at = 0; at < file.size; at += READ_BYTES) {
    const slice = new Uint8Array(Math.min(READ_BYTES, file.size - at));
    await storage.read([slice], at);
    yield slice;
  }
}

/** One blob of all files, which refers to them and copies nothing but padding. `files` are in the torrent's order. */
function layOut(info: TorrentInfo, files: readonly PickedFile[]): Blob {
  let next = 0;
  const parts = info.files.map(({ isPad, lengthBytes }) => (isPad ? new Uint8Array(lengthBytes) : files[next++]?.file));
  return new Blob(parts.filter((part) => part !== undefined));
}
