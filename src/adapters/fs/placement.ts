/**
 * Where the files of a torrent lie below a folder of the user's choice. Names come from strangers: every element is made
 * safe for any common file system, and no two files, nor a file and a folder, ever share a path.
 */
import path from 'node:path';
import type { FileRange } from '../../codec/magnet.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';

/** One file of the flat byte space. */
export interface PlacedFile {
  /** Absolute path; pad files and links have none and are zeros. */
  readonly file: string | undefined;
  readonly lengthBytes: number;
  readonly offsetBytes: number;
  /** Where in `file` its bytes begin; absent: at the start. */
  readonly startBytes?: number;
}

/** Files that are wanted under their names; of the others only what shares a piece with them is kept. */
export interface Selected {
  /** By index in the torrent; none: every file. */
  readonly ranges: readonly FileRange[];
  /** Absolute path of one sparse file for what is kept of the others. */
  readonly rest: string;
}

/** Below the 255 bytes of most file systems, with room for ` (2)` and `.part`. */
const MAX_SEGMENT_BYTES = 200;
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$/i;

/** A single file lies at `target` itself, several lie below it. Paths are unique even where case does not count. */
export function placeFiles(
  info: Pick<TorrentInfo, 'files' | 'isSingleFile'>,
  target: string,
  selected?: Selected,
): PlacedFile[] {
  const taken = new Taken();
  return info.files.map(({ path: elements, lengthBytes, offsetBytes, isPad, isSymlink }, at) => {
    if (isPad || isSymlink === true) return { file: undefined, lengthBytes, offsetBytes };
    // A path is claimed for every file, so that it does not depend on what is selected.
    const file = info.isSingleFile ? target : path.join(target, ...taken.claim(elements.map(safeSegment)));
    if (selected === undefined || isSelected(selected, at)) return { file, lengthBytes, offsetBytes };
    return { file: selected.rest, lengthBytes, offsetBytes, startBytes: offsetBytes };
  });
}

function isSelected({ ranges }: Selected, at: number): boolean {
  return ranges.length === 0 || ranges.some(({ first, last }) => at >= first && at <= last);
}

/** One path element: no separators, no reserved characters or names, no leading or trailing dots and spaces, ≤ 200 bytes. */
export function safeSegment(text: string): string {
  const clean = text.replaceAll(/[<>:"/\\|?*\p{Cc}]/gu, '_').replaceAll(/^[\s.]+|[\s.]+$/g, '');
  const short = shorten(clean);
  if (short === '') return '_';
  return RESERVED.test(short) ? `_${short}` : short;
}

/** Cuts in the middle of no character and keeps the extension. */
function shorten(name: string): string {
  if (Buffer.byteLength(name) <= MAX_SEGMENT_BYTES) return name;
  const extension = /\.[A-Za-z0-9]{1,10}$/.exec(name)?.[0] ?? '';
  let kept = '';
  let bytes = extension.length;
  for (const character of name) {
    bytes += Buffer.byteLength(character);
    if (bytes > MAX_SEGMENT_BYTES) break;
    kept += character;
  }
  return kept.trimEnd() + extension;
}

/** The paths given away so far, compared without case. What is taken stays taken. */
class Taken {
  readonly #files = new Set<string>();
  readonly #folders = new Set<string>();
  /** By kind and path of the first choice: the numbers below are known to be taken, so no name is tried twice. */
  readonly #firstNumbers = new Map<string, number>();

  /** The path, with ` (2)`, ` (3)`… where another file, or a folder, was first. */
  claim(elements: readonly string[]): string[] {
    const folders: string[] = [];
    for (const element of elements.slice(0, -1)) {
      folders.push(this.#free('folder', folders, element));
      this.#folders.add(keyOf(folders));
    }
    const placed = [...folders, this.#free('file', folders, elements.at(-1) ?? '_')];
    this.#files.add(keyOf(placed));
    return placed;
  }

  #free(kind: 'file' | 'folder', folders: readonly string[], name: string): string {
    const first = `${kind}/${keyOf([...folders, name])}`;
    let number = this.#firstNumbers.get(first) ?? 1;
    let candidate = numbered(name, number);
    while (this.#isTaken(kind, keyOf([...folders, candidate]))) candidate = numbered(name, ++number);
    if (number > 1) this.#firstNumbers.set(first, number);
    return candidate;
  }

  #isTaken(kind: 'file' | 'folder', key: string): boolean {
    return this.#files.has(key) || (kind === 'file' && this.#folders.has(key));
  }
}

function numbered(name: string, number: number): string {
  if (number === 1) return name;
  const { name: stem, ext } = path.parse(name);
  return `${stem} (${number})${ext}`;
}

function keyOf(elements: readonly string[]): string {
  return elements.join('/').normalize('NFC').toLowerCase();
}
