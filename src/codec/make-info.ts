/**
 * Writing info dictionaries of any format: v1 (BEP 3), v2 and hybrid (BEP 52), byte for byte as libtorrent 2.0.8 writes
 * them for the same files. Invariant: what is written here reads back as the same files at the same places.
 */
import { compareBytes, toLatin1, utf8 } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import { encodeBencode, type BencodeInput } from './bencode.ts';

/** v1 (BEP 3), v2 (BEP 52), or both in one. */
export type TorrentFormat = 'v1' | 'v2' | 'hybrid';

/** A file to put into a torrent. */
export interface NamedFile {
  /** Below the torrent's name. */
  readonly path: readonly string[];
  readonly lengthBytes: number;
}

/** A file of a torrent to be written. */
export interface FileToWrite extends NamedFile {
  /** Merkle root; undefined in v1 and for empty files. */
  readonly piecesRoot: Uint8Array | undefined;
}

/** What an info dictionary is written from. */
export interface InfoToWrite {
  readonly format: TorrentFormat;
  readonly name: string;
  /** A power of two from 16 KiB on. */
  readonly pieceLengthBytes: number;
  /** In the order of `inTorrentOrder`. One whose path is just the torrent's name makes a single-file torrent. */
  readonly files: readonly FileToWrite[];
  /** SHA-1 of each piece of the flat byte space, padding included (v1, hybrid). */
  readonly pieces?: Uint8Array;
  /** No peers but those of its trackers (BEP 27). */
  readonly isPrivate?: boolean;
}

/** Files sorted as the keys of a file tree are: element by element, by their bytes (BEP 52). */
export function inTorrentOrder<File extends NamedFile>(files: readonly File[]): File[] {
  const keyed = files.map((file) => ({ file, key: file.path.map((element) => utf8(element)) }));
  keyed.sort((a, b) => comparePaths(a.key, b.key));
  return keyed.map(({ file }) => file);
}

function comparePaths(a: readonly Uint8Array[], b: readonly Uint8Array[]): number {
  for (const [at, element] of a.entries()) {
    const other = b[at];
    if (other === undefined) return 1;
    const order = compareBytes(element, other);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Zeros behind a file of a hybrid with several, so that the next starts a piece (BEP 47, 52). */
export function padBytesBehind(lengthBytes: number, pieceLengthBytes: number): number {
  return (pieceLengthBytes - (lengthBytes % pieceLengthBytes)) % pieceLengthBytes;
}

/** Whether the torrent has one file, which lies under the torrent's own name. */
export function isSingleFile({
  name,
  files,
}: {
  readonly name: string;
  readonly files: readonly NamedFile[];
}): boolean {
  const [only, second] = files;
  return second === undefined && only?.path.length === 1 && only.path[0] === name;
}

/** The raw info dictionary. @throws InvalidInput for paths that contradict each other. */
export function makeInfo(parts: InfoToWrite): Uint8Array<ArrayBuffer> {
  const { format, name, pieceLengthBytes, files, pieces } = parts;
  const isSingle = isSingleFile(parts);
  return encodeBencode({
    ...(format !== 'v2' && (isSingle ? { length: files[0]?.lengthBytes } : { files: fileList(parts) })),
    ...(format !== 'v1' && { 'file tree': fileTree(files), 'meta version': 2 }),
    name,
    'piece length': pieceLengthBytes,
    pieces: format === 'v2' ? undefined : pieces,
    private: parts.isPrivate === true ? 1 : undefined,
  });
}

function fileList({ format, files, pieceLengthBytes }: InfoToWrite): BencodeInput[] {
  return files.flatMap(({ path, lengthBytes }): BencodeInput[] => {
    const padBytes = format === 'hybrid' ? padBytesBehind(lengthBytes, pieceLengthBytes) : 0;
    const entry = { length: lengthBytes, path };
    return padBytes === 0 ? [entry] : [entry, { attr: 'p', length: padBytes, path: ['.pad', String(padBytes)] }];
  });
}

/** A folder by the keys of what lies in it, or a file. */
type Node = Map<string, Node> | FileToWrite;

function fileTree(files: readonly FileToWrite[]): BencodeInput {
  const root = new Map<string, Node>();
  for (const file of files) {
    let folder = root;
    for (const element of file.path.slice(0, -1)) folder = enter(folder, keyOf(element));
    const key = keyOf(file.path.at(-1) ?? '');
    if (folder.has(key)) throw new InvalidInput('two files of one path', { path: file.path.join('/') });
    folder.set(key, file);
  }
  return toDict(root);
}

/** Keys of bencode dictionaries have one character per byte. */
function keyOf(element: string): string {
  return toLatin1(utf8(element));
}

/** The folder of that name, made where there is none. */
function enter(folder: Map<string, Node>, key: string): Map<string, Node> {
  const known = folder.get(key) ?? new Map<string, Node>();
  if (!(known instanceof Map)) throw new InvalidInput('a file that is also a folder', { path: known.path.join('/') });
  folder.set(key, known);
  return known;
}

function toDict(folder: ReadonlyMap<string, Node>): BencodeInput {
  const dict: Record<string, BencodeInput> = {};
  for (const [key, node] of folder)
    dict[key] =
      node instanceof Map ? toDict(node) : { '': { length: node.lengthBytes, 'pieces root': node.piecesRoot } };
  return dict;
}
