/**
 * The info dictionary of a torrent, v1 (BEP 3), v2 (BEP 52) or hybrid, checked against every limit. Invariants: the
 * files lie gap-free in one flat byte space of `totalBytes` (v2 files start at pieces, pad files fill up), and `rawInfo`
 * is the dictionary exactly as found, because its hash is the torrent's identity.
 */
import { InvalidInput } from '../base/errors.ts';
import { KIB, MIB } from '../base/units.ts';
import { type BencodeDict, decodeBencodeDict } from './bencode.ts';
import { displayName } from './display-name.ts';
import { appendFile, parseV1Files, parseV2Files, type TorrentFile } from './torrent-files.ts';

/** Length of a SHA-1 hash. */
export const SHA1_BYTES = 20;
/** Larger info dictionaries are refused. */
export const MAX_INFO_BYTES = 8 * MIB;
/** Torrents with more pieces are refused. */
export const MAX_PIECES = 400_000;
/** The smallest piece length taken. */
export const MIN_PIECE_BYTES = 16 * KIB;
/** The largest piece length taken. */
export const MAX_PIECE_BYTES = 64 * MIB;

/** A checked info dictionary; made by `parseTorrentInfo`. */
export interface TorrentInfo {
  /** A hybrid whose halves disagree counts as v1. */
  readonly version: 'v1' | 'v2' | 'hybrid';
  /** For display; see `displayName`. */
  readonly name: string;
  /** All pieces but the last have this length. */
  readonly pieceLengthBytes: number;
  /** Length of the flat byte space, pad files included. */
  readonly totalBytes: number;
  readonly pieceCount: number;
  /** SHA-1 of each piece back to back (v1, hybrid). */
  readonly pieces?: Uint8Array;
  /** In the order of the flat byte space; a single-file torrent has one, whose path is its name. */
  readonly files: readonly TorrentFile[];
  readonly isSingleFile: boolean;
  /** No DHT, no peer exchange, no other trackers (BEP 27). */
  readonly isPrivate: boolean;
  /** The dictionary as found; its SHA-1 or SHA-256 is the info hash. */
  readonly rawInfo: Uint8Array;
}

/** Reads a raw info dictionary, from a .torrent or from peers. @throws InvalidInput. */
export function parseTorrentInfo(rawInfo: Uint8Array): TorrentInfo {
  if (rawInfo.length > MAX_INFO_BYTES) throw new InvalidInput('info dictionary too large', { length: rawInfo.length });
  return readTorrentInfo(decodeBencodeDict(rawInfo), rawInfo);
}

/** Reads an info dictionary that is decoded already; `rawInfo` are its bytes as found. @throws InvalidInput. */
export function readTorrentInfo(dict: BencodeDict, rawInfo: Uint8Array): TorrentInfo {
  if (rawInfo.length > MAX_INFO_BYTES) throw new InvalidInput('info dictionary too large', { length: rawInfo.length });
  const metaVersion = dict.integer('meta version');
  if (metaVersion !== undefined && metaVersion !== 1 && metaVersion !== 2)
    throw new InvalidInput('torrent of an unknown version', { metaVersion });
  const pieceLengthBytes = parsePieceLength(dict, metaVersion === 2);
  const name = displayName(dict.text('name.utf-8') ?? required(dict.text('name'), 'name'));
  const layout = parseLayout(dict, name, pieceLengthBytes, metaVersion === 2);
  const pieceCount = Math.ceil(layout.totalBytes / pieceLengthBytes);
  if (pieceCount > MAX_PIECES) throw new InvalidInput('too many pieces', { pieceCount });
  const pieces = layout.version === 'v2' ? undefined : parsePieces(dict, pieceCount);
  return {
    ...layout,
    name,
    pieceLengthBytes,
    pieceCount,
    ...(pieces && { pieces }),
    isPrivate: dict.get('private') === 1,
    rawInfo,
  };
}

/** Bytes of the files, pad files left out. */
export function contentBytesOf({ files }: Pick<TorrentInfo, 'files'>): number {
  return files.reduce((sum, { isPad, lengthBytes }) => sum + (isPad ? 0 : lengthBytes), 0);
}

/** Bytes of one piece; the last may be short. The caller has checked the index. */
export function pieceBytesAt(info: Pick<TorrentInfo, 'pieceLengthBytes' | 'totalBytes'>, piece: number): number {
  return Math.min(info.pieceLengthBytes, info.totalBytes - piece * info.pieceLengthBytes);
}

/** The SHA-1 a piece must have. @throws InvalidInput in a v2-only torrent. */
export function pieceSha1At(info: TorrentInfo, piece: number): Uint8Array {
  if (info.pieces === undefined) throw new InvalidInput('a v2 torrent has no SHA-1 pieces');
  return info.pieces.subarray(piece * SHA1_BYTES, (piece + 1) * SHA1_BYTES);
}

function required<Value>(value: Value | undefined, key: string): Value {
  if (value === undefined) throw new InvalidInput(`torrent without "${key}"`, { key });
  return value;
}

function parsePieceLength(dict: BencodeDict, isV2: boolean): number {
  const length = required(dict.integer('piece length'), 'piece length');
  if (length < MIN_PIECE_BYTES || length > MAX_PIECE_BYTES)
    throw new InvalidInput('piece length outside 16 KiB to 64 MiB', { length });
  if (isV2 && (length & (length - 1)) !== 0) throw new InvalidInput('v2 piece length is no power of two', { length });
  return length;
}

function parsePieces(dict: BencodeDict, pieceCount: number): Uint8Array {
  const pieces = required(dict.bytes('pieces'), 'pieces');
  if (pieces.length !== pieceCount * SHA1_BYTES)
    throw new InvalidInput('the number of piece hashes does not fit the size', { bytes: pieces.length, pieceCount });
  return pieces;
}

type Layout = Pick<TorrentInfo, 'version' | 'files' | 'isSingleFile' | 'totalBytes'>;

function parseLayout(dict: BencodeDict, name: string, pieceLengthBytes: number, isV2: boolean): Layout {
  const v2 = isV2 ? v2Layout(dict, name, pieceLengthBytes) : undefined;
  if (v2 !== undefined && dict.get('pieces') === undefined) return v2;
  const v1 = v1Layout(dict, name);
  return (v2 && hybridLayout(v1, v2, pieceLengthBytes)) ?? v1;
}

function v1Layout(dict: BencodeDict, name: string): Layout {
  const [length, list] = [dict.integer('length'), dict.list('files')];
  if ((length === undefined) === (list === undefined))
    throw new InvalidInput('a torrent has either "length" or "files"');
  const files: TorrentFile[] = [];
  if (length !== undefined) appendFile(files, { path: [name], lengthBytes: length, isPad: false });
  else parseV1Files(required(list, 'files'), files);
  return checked({ version: 'v1', files, isSingleFile: length !== undefined, totalBytes: totalOf(files) });
}

function v2Layout(dict: BencodeDict, name: string, pieceLengthBytes: number): Layout {
  const files: TorrentFile[] = [];
  parseV2Files(required(dict.dict('file tree'), 'file tree'), pieceLengthBytes, files);
  const [first, second] = files;
  const isSingleFile = second === undefined && first?.path.length === 1 && first.path[0] === name;
  return checked({ version: 'v2', files, isSingleFile, totalBytes: totalOf(files) });
}

function totalOf(files: readonly TorrentFile[]): number {
  const last = files.at(-1);
  return last === undefined ? 0 : last.offsetBytes + last.lengthBytes;
}

function checked(layout: Layout): Layout {
  if (layout.totalBytes === 0) throw new InvalidInput('a torrent without bytes');
  return layout;
}

/** The v1 files with the roots of their v2 twins; undefined when the halves do not describe the same bytes. */
function hybridLayout(v1: Layout, v2: Layout, pieceLengthBytes: number): Layout | undefined {
  const twins = v2.files.filter((file) => !file.isPad);
  let next = 0;
  const files = v1.files.map((file) => {
    const twin = file.isPad ? undefined : twins[next++];
    return twin?.piecesRoot === undefined ? file : { ...file, piecesRoot: twin.piecesRoot };
  });
  const real = v1.files.filter((file) => !file.isPad);
  // A pad file may follow the last file, but no piece of padding alone: the v2 half has no hash for it.
  const hasSamePieces = Math.ceil(v1.totalBytes / pieceLengthBytes) === Math.ceil(v2.totalBytes / pieceLengthBytes);
  const agrees = hasSamePieces && real.length === twins.length && real.every((file, at) => isSameFile(file, twins[at]));
  return agrees ? { ...v1, version: 'hybrid', files } : undefined;
}

function isSameFile(file: TorrentFile, twin: TorrentFile | undefined): boolean {
  if (twin === undefined || file.lengthBytes !== twin.lengthBytes) return false;
  const isSamePlace = file.lengthBytes === 0 || file.offsetBytes === twin.offsetBytes;
  return isSamePlace && file.path.join('/') === twin.path.join('/');
}
