/**
 * Making a torrent of any format from streams, each read once: SHA-1 of the pieces (v1, hybrid), SHA-256 leaves folded as
 * they come (v2, hybrid). Memory is bounded by a few pieces, however large the files are.
 */
import { concatBytes, toHex } from '../base/bytes.ts';
import { Conflict, InvalidInput, throwIfAborted } from '../base/errors.ts';
import { inTorrentOrder, isSingleFile, makeInfo, type NamedFile, type TorrentFormat } from '../codec/make-info.ts';
import { heightOf, LEAF_BYTES, leafCountOf, rowsAbove, fold } from '../codec/merkle.ts';
import { type VerifiedLayers, verifyPieceLayers } from '../codec/piece-layers.ts';
import { parseTorrentInfo, type TorrentInfo } from '../codec/torrent-info.ts';
import { leavesOf } from './hashes/verify.ts';
import type { Hasher } from './ports.ts';

/** Pieces being hashed while the next is read. */
const PIECES_IN_FLIGHT = 4;

/** A file to be put into a torrent. */
export interface FileToHash extends NamedFile {
  /** Streams its bytes, once. */
  read(): AsyncIterable<Uint8Array>;
}

/** What a torrent is made from. */
export interface TorrentToMake {
  readonly format: TorrentFormat;
  readonly name: string;
  /** A power of two from 16 KiB on. */
  readonly pieceLengthBytes: number;
  /** In any order. One whose path is just the torrent's name makes a single-file torrent. */
  readonly files: readonly FileToHash[];
  /** No peers but those of its trackers (BEP 27); default false. */
  readonly isPrivate?: boolean;
  readonly hasher: Hasher;
  readonly signal?: AbortSignal;
  /** Hears how many bytes were read in all. */
  readonly hashed?: (hashedBytes: number) => void;
}

/** What `Engine.add`, and `writeMetainfo` of the codec, need of a torrent just made. */
export interface MadeTorrent {
  readonly info: TorrentInfo;
  /** For v2 and hybrid. */
  readonly pieceLayers?: VerifiedLayers;
}

/**
 * Reads every file once and makes the info dictionary. @throws InvalidInput for files that fit into no torrent,
 * Conflict when a file has another length than was said, Cancelled
 */
export async function makeTorrent(options: TorrentToMake): Promise<MadeTorrent> {
  const files = inTorrentOrder(options.files);
  const maker = new Maker(options, isSingleFile({ name: options.name, files }));
  for (const file of files) await maker.add(file);
  const { roots, layers, pieces } = await maker.finish();
  const { format, name, pieceLengthBytes, isPrivate = false } = options;
  const written = files.map(({ path, lengthBytes }, at) => ({ path, lengthBytes, piecesRoot: roots[at] }));
  const info = parseTorrentInfo(makeInfo({ format, name, pieceLengthBytes, files: written, pieces, isPrivate }));
  if (info.version !== format) throw new InvalidInput('these files fit into no torrent of this format', { format });
  return format === 'v1' ? { info } : { info, pieceLayers: await verifyPieceLayers(info, layers) };
}

class Maker {
  readonly #options: TorrentToMake;
  readonly #isSingleFile: boolean;
  readonly #roots: (Uint8Array | undefined)[] = [];
  readonly #layers = new Map<string, Uint8Array>();
  /** Of each piece: SHA-1, and its node in the file's tree. */
  readonly #sha1s: Promise<Uint8Array>[] = [];
  #nodes: Promise<Uint8Array>[] = [];
  readonly #slots: Promise<unknown>[] = Array.from({ length: PIECES_IN_FLIGHT }, () => Promise.resolve());
  readonly #buffers: Uint8Array<ArrayBuffer>[];
  #slot = 0;
  /** Bytes in the current buffer. */
  #filled = 0;
  #hashedBytes = 0;

  constructor(options: TorrentToMake, isSingle: boolean) {
    this.#options = options;
    this.#isSingleFile = isSingle;
    this.#buffers = this.#slots.map(() => new Uint8Array(options.pieceLengthBytes));
  }

  async add(file: FileToHash): Promise<void> {
    const { pieceLengthBytes, format, signal, hashed } = this.#options;
    this.#nodes = [];
    let readBytes = 0;
    for await (const chunk of file.read()) {
      throwIfAborted(signal);
      readBytes += chunk.length;
      if (readBytes > file.lengthBytes) break;
      for (let at = 0; at < chunk.length;) {
        const part = chunk.subarray(at, at + pieceLengthBytes - this.#filled);
        this.#buffers[this.#slot]?.set(part, this.#filled);
        this.#filled += part.length;
        at += part.length;
        if (this.#filled === pieceLengthBytes) await this.#endPiece(file);
      }
      hashed?.((this.#hashedBytes += chunk.length));
    }
    if (readBytes !== file.lengthBytes)
      throw new Conflict('a file changed its length while it was read', { path: file.path.join('/') });
    if (format === 'v1') return;
    if (this.#filled > 0) await this.#endPiece(file);
    this.#roots.push(await this.#endTree(file));
  }

  async finish(): Promise<{
    roots: readonly (Uint8Array | undefined)[];
    layers: ReadonlyMap<string, Uint8Array>;
    pieces: Uint8Array;
  }> {
    if (this.#filled > 0) await this.#endPiece();
    return { roots: this.#roots, layers: this.#layers, pieces: concatBytes(await Promise.all(this.#sha1s)) };
  }

  /** Hands the buffer to the hashes and goes on with the next, once that is free. */
  async #endPiece(file?: FileToHash): Promise<void> {
    const { format, hasher, pieceLengthBytes } = this.#options;
    const buffer = this.#buffers[this.#slot] ?? new Uint8Array(0);
    const own = buffer.subarray(0, this.#filled);
    const jobs: Promise<unknown>[] = [];
    if (format !== 'v1' && file !== undefined) {
      const isOnePiece = file.lengthBytes <= pieceLengthBytes;
      const height = heightOf(isOnePiece ? leafCountOf(file.lengthBytes) : pieceLengthBytes / LEAF_BYTES);
      const node = leavesOf(own, hasher).then((leaves) => fold(leaves, 0, height));
      this.#nodes.push(node);
      jobs.push(node);
    }
    if (format !== 'v2') {
      // In a hybrid of several files each is padded; a single one ends where it ends.
      const isPadded = format === 'hybrid' && !this.#isSingleFile;
      if (isPadded) buffer.fill(0, this.#filled);
      const sha1 = hasher.sha1(isPadded ? buffer : own);
      this.#sha1s.push(sha1);
      jobs.push(sha1);
    }
    this.#slots[this.#slot] = Promise.all(jobs);
    this.#filled = 0;
    this.#slot = (this.#slot + 1) % PIECES_IN_FLIGHT;
    await this.#slots[this.#slot];
  }

  /** The file's root; its piece layer is kept where it has one. */
  async #endTree(file: FileToHash): Promise<Uint8Array | undefined> {
    const nodes = await Promise.all(this.#nodes);
    const [only, second] = nodes;
    if (second === undefined) return only;
    const layer = concatBytes(nodes);
    const pieceHeight = heightOf(this.#options.pieceLengthBytes / LEAF_BYTES);
    const rows = await rowsAbove(layer, pieceHeight, heightOf(leafCountOf(file.lengthBytes)));
    const root = rows.at(-1) ?? layer;
    this.#layers.set(toHex(root), layer);
    return root;
  }
}
