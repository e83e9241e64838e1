/** The files of a torrent: the v1 list (BEP 3, pad files BEP 47) and the v2 tree (BEP 52), laid out in one byte space. */
import { fromLatin1, fromUtf8 } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import { BencodeDict, type BencodeValue } from './bencode.ts';
import { displayName, isPlainName } from './display-name.ts';

/** Torrents with more files, pad files left out, are refused. */
export const MAX_FILES = 20_000;
const MAX_PATH_DEPTH = 30;

/** A file of a torrent, and where it lies in the flat byte space. */
export interface TorrentFile {
  /** For display, below the torrent's name; each element has passed `displayName`. Never a storage path. */
  readonly path: readonly string[];
  readonly lengthBytes: number;
  /** Start in the flat byte space. */
  readonly offsetBytes: number;
  /** Zeros that only fill up a piece: neither listed nor written, but served to v1 peers. */
  readonly isPad: boolean;
  /** Names another file of the torrent (BEP 47): empty, and never made, since links from strangers lead anywhere. */
  readonly isSymlink?: true;
  /** SHA-256 Merkle root, 32 bytes (v2, hybrid; absent for empty files). */
  readonly piecesRoot?: Uint8Array;
}

/** Puts a file behind the others. @throws InvalidInput when there are too many files or the sizes leave the safe integers. */
export function appendFile(files: TorrentFile[], file: Omit<TorrentFile, 'offsetBytes'>): void {
  const last = files.at(-1);
  const offsetBytes = last === undefined ? 0 : last.offsetBytes + last.lengthBytes;
  if (file.lengthBytes < 0) throw new InvalidInput('a file of negative length', { length: file.lengthBytes });
  if (!Number.isSafeInteger(offsetBytes + file.lengthBytes)) throw new InvalidInput('the files are too large');
  // Each v2 file may bring one implicit pad file, which does not count.
  if (files.length >= 2 * MAX_FILES) throw new InvalidInput('too many files');
  files.push({ ...file, offsetBytes });
}

/** Index of the first file that ends behind `position`, the number of files beyond the last; by halving, as there may be many. */
export function firstFileFrom(files: readonly TorrentFile[], position: number): number {
  let [low, high] = [0, files.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const file = files[middle];
    if (file !== undefined && file.offsetBytes + file.lengthBytes <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Reads the `files` list of a v1 info dictionary into `files`. @throws InvalidInput. */
export function parseV1Files(list: readonly BencodeValue[], files: TorrentFile[]): void {
  if (list.length > 2 * MAX_FILES) throw new InvalidInput('too many files', { files: list.length });
  for (const entry of list) {
    if (!(entry instanceof BencodeDict)) throw new InvalidInput('a file is not a dictionary');
    const attributes = entry.text('attr') ?? '';
    const isSymlink = attributes.includes('l');
    const lengthBytes = isSymlink ? 0 : entry.integer('length');
    if (lengthBytes === undefined) throw new InvalidInput('a file without length');
    const isPad = attributes.includes('p');
    appendFile(files, { path: parsePath(entry), lengthBytes, isPad, ...(isSymlink && { isSymlink }) });
  }
  if (files.filter((file) => !file.isPad).length > MAX_FILES) throw new InvalidInput('too many files');
}

function parsePath(entry: BencodeDict): string[] {
  const elements = entry.list('path.utf-8') ?? entry.list('path');
  if (elements === undefined || elements.length === 0 || elements.length > MAX_PATH_DEPTH)
    throw new InvalidInput('a file without a path, or one too deep');
  return elements.map((element) => {
    if (!(element instanceof Uint8Array)) throw new InvalidInput('a path element is not a string');
    return displayName(fromUtf8(element));
  });
}

/** Reads a v2 `file tree` into `files`; every non-empty file starts at a piece, pads fill the gaps. @throws InvalidInput. */
export function parseV2Files(tree: BencodeDict, pieceLengthBytes: number, files: TorrentFile[]): void {
  let count = 0;
  const visit = (dict: BencodeDict, path: readonly string[]): void => {
    if (path.length > MAX_PATH_DEPTH) throw new InvalidInput('the file tree is too deep');
    if (dict.size === 0) throw new InvalidInput('an empty directory in the file tree');
    dict.forEach((key, child) => {
      if (!(child instanceof BencodeDict) || key === '') throw new InvalidInput('malformed file tree');
      const childPath = [...path, isPlainName(key) ? key : displayName(fromUtf8(fromLatin1(key)))];
      // The empty key, which marks a file, comes before all others.
      if (child.keys()[0] !== '') return visit(child, childPath);
      const leaf = child.dict('');
      if (leaf === undefined || child.size > 1) throw new InvalidInput('a file that is also a directory');
      if (++count > MAX_FILES) throw new InvalidInput('too many files');
      appendV2File(files, childPath, leaf, pieceLengthBytes);
    });
  };
  visit(tree, []);
}

function appendV2File(
  files: TorrentFile[],
  path: readonly string[],
  leaf: BencodeDict,
  pieceLengthBytes: number,
): void {
  const isSymlink = (leaf.text('attr') ?? '').includes('l');
  const lengthBytes = isSymlink ? 0 : leaf.integer('length');
  const piecesRoot = leaf.bytes('pieces root');
  if (lengthBytes === undefined) throw new InvalidInput('a file without length');
  if (lengthBytes === 0) {
    appendFile(files, { path, lengthBytes, isPad: false, ...(isSymlink && { isSymlink }) });
    return;
  }
  if (piecesRoot?.length !== 32) throw new InvalidInput('a file without a 32-byte pieces root');
  const last = files.at(-1);
  const end = last === undefined ? 0 : last.offsetBytes + last.lengthBytes;
  const gapBytes = (pieceLengthBytes - (end % pieceLengthBytes)) % pieceLengthBytes;
  if (gapBytes > 0) appendFile(files, { path: ['.pad', String(gapBytes)], lengthBytes: gapBytes, isPad: true });
  appendFile(files, { path, lengthBytes, isPad: false, piecesRoot });
}
