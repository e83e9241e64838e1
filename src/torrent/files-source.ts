/**
 * HTTP sources of whole torrents (BEP 19), made of sources of single files. Invariants: a file is asked for its own bytes
 * only; padding is zeros that nobody is asked for, and files without bytes are not asked for at all.
 */
import { InvalidInput } from '../base/errors.ts';
import { KIB } from '../base/units.ts';
import { firstFileFrom, type TorrentFile } from '../codec/torrent-files.ts';
import type { TorrentInfo } from '../codec/torrent-info.ts';
import { webSeedFolder, webSeedUrl, within } from '../codec/web-seed-url.ts';
import type { RangeSource } from './ports.ts';

const ZEROS = new Uint8Array(64 * KIB);

/** What of the metadata says where files lie. */
export type WebSeededInfo = Pick<TorrentInfo, 'name' | 'files' | 'isSingleFile' | 'totalBytes'>;

/** Makes the source of one file, addressed from its first byte. */
type OpenFile = (url: URL, sizeBytes: number) => RangeSource;

/**
 * The torrent's bytes from a web seed's URL: the file, or a folder that holds the torrent under its name.
 * @throws InvalidInput for a URL that cannot serve this torrent
 */
export function webSeedOf(url: string, info: WebSeededInfo, openFile: OpenFile): RangeSource {
  if (info.isSingleFile) return openFile(webSeedUrl(url, info.name), info.totalBytes);
  return new FilesSource(webSeedFolder(url), info, openFile);
}

class FilesSource implements RangeSource {
  readonly label: string;
  readonly identity: string;
  readonly #folder: URL;
  readonly #name: string;
  readonly #files: readonly TorrentFile[];
  readonly #openFile: OpenFile;

  constructor(folder: URL, { name, files }: Pick<TorrentInfo, 'name' | 'files'>, openFile: OpenFile) {
    this.#folder = folder;
    this.#name = name;
    this.#files = files;
    this.#openFile = openFile;
    const { origin, pathname, href } = folder;
    this.label = origin + pathname;
    this.identity = href;
  }

  async *fetch(start: number, endExclusive: number, signal: AbortSignal): AsyncIterable<Uint8Array> {
    for (let at = fileAt(this.#files, start); at < this.#files.length; at++) {
      const file = this.#files[at];
      if (file === undefined || file.offsetBytes >= endExclusive) return;
      const from = Math.max(start, file.offsetBytes) - file.offsetBytes;
      const until = Math.min(endExclusive - file.offsetBytes, file.lengthBytes);
      if (from >= until) continue;
      if (file.isPad) yield* zeros(until - from);
      else yield* this.#openFile(this.#urlOf(file.path), file.lengthBytes).fetch(from, until, signal);
    }
  }

  #urlOf(path: readonly string[]): URL {
    return within(this.#folder, [this.#name, ...path]);
  }
}

/** The first file that ends behind the position. @throws InvalidInput beyond the last */
function fileAt(files: readonly TorrentFile[], position: number): number {
  const at = firstFileFrom(files, position);
  if (at === files.length) throw new InvalidInput('beyond the last file', { position });
  return at;
}

function* zeros(sizeBytes: number): Generator<Uint8Array> {
  for (let left = sizeBytes; left > 0; left -= ZEROS.length) yield ZEROS.subarray(0, Math.min(left, ZEROS.length));
}
