/**
 * One file of a torrent as something to read. Invariant: what it reads lies within the file, whatever shares its pieces.
 */
import { InvalidInput, NotFound } from '../base/errors.ts';
import type { TorrentFile as FileEntry } from '../codec/torrent-files.ts';
import type { TorrentInfo } from '../codec/torrent-info.ts';
import { checkReadKeys, type ReadOptions } from './reading/reader.ts';

/** A range of the file's own bytes, by default all of them; the rest as for reading the torrent. */
export interface FileReadOptions extends Omit<ReadOptions, 'start' | 'endExclusive'> {
  readonly start?: number;
  readonly endExclusive?: number;
}

type ByteStream = ReadableStream<Uint8Array<ArrayBuffer>>;

/** A file to read from, as `Torrent.file` gives it. */
export class TorrentFile {
  /** As selections name it: pad files count. */
  readonly index: number;
  /** For display, below the torrent's name; a single-file torrent's is the name itself. */
  readonly path: readonly string[];
  readonly lengthBytes: number;
  readonly #offsetBytes: number;
  readonly #read: (options: ReadOptions) => ByteStream;

  /** Made by `openFile` alone. */
  constructor(index: number, entry: FileEntry, read: (options: ReadOptions) => ByteStream) {
    this.index = index;
    this.path = entry.path;
    this.lengthBytes = entry.lengthBytes;
    this.#offsetBytes = entry.offsetBytes;
    this.#read = read;
  }

  /**
   * Streams verified bytes of the file as they come; pulled slowly it fetches no faster than it must. An empty file is
   * an empty stream. @throws InvalidInput for a range outside the file or an option that is none, Cancelled when aborted or stopped.
   */
  read(options: FileReadOptions = {}): ByteStream {
    checkReadKeys(options);
    const { start = 0, endExclusive = this.lengthBytes, ...rest } = options;
    const isRange = Number.isSafeInteger(start) && Number.isSafeInteger(endExclusive);
    if (!isRange || start < 0 || start > endExclusive || endExclusive > this.lengthBytes)
      throw new InvalidInput('range outside the file', { start, endExclusive, lengthBytes: this.lengthBytes });
    if (start === endExclusive) return emptyStream();
    return this.#read({ ...rest, start: this.#offsetBytes + start, endExclusive: this.#offsetBytes + endExclusive });
  }
}

function emptyStream(): ByteStream {
  return new ReadableStream({ start: (controller) => controller.close() });
}

/** The file by its index or its path (parts joined by `/`). @throws NotFound for none and for padding. */
export function openFile(
  info: Pick<TorrentInfo, 'files'>,
  which: number | string,
  read: (options: ReadOptions) => ByteStream,
): TorrentFile {
  const isIt = (file: FileEntry, at: number): boolean =>
    !file.isPad && (typeof which === 'number' ? at === which : file.path.join('/') === which);
  const index = info.files.findIndex(isIt);
  const entry = info.files[index];
  if (entry === undefined) throw new NotFound('the torrent has no such file', { file: which });
  return new TorrentFile(index, entry, read);
}
