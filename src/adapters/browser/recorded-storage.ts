/**
 * Pieces in one OPFS file and, beside it, which of them are there. The record is written after the pieces it names were
 * flushed, and before those it no longer names are, so that a record torn by a crash still names nothing that is not on
 * the disk.
 */
import { Bitfield } from '../../codec/bitfield.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';
import type { PieceStorage } from '../../torrent/ports.ts';
import { useFile, type OpfsFolder, type SyncFile } from './opfs-folder.ts';
import { OpfsStorage } from './opfs-storage.ts';

/** Written pieces between two records: a crash costs at most these. */
const UNRECORDED_PIECES = 64;

type PieceLayout = Pick<TorrentInfo, 'totalBytes' | 'pieceLengthBytes' | 'pieceCount'>;

/** Clears the pieces that a file of so many bytes cannot hold: the browser may have cut it. */
export function dropMissing(
  have: Bitfield,
  storedBytes: number,
  { totalBytes, pieceLengthBytes }: Pick<PieceLayout, 'totalBytes' | 'pieceLengthBytes'>,
): void {
  const beyond: number[] = [];
  have.forEachSet((piece) => {
    if (Math.min(totalBytes, (piece + 1) * pieceLengthBytes) > storedBytes) beyond.push(piece);
  });
  for (const piece of beyond) have.clear(piece);
}

export class RecordedStorage implements PieceStorage {
  readonly #pieces: OpfsStorage;
  readonly #record: SyncFile;
  /** Written; `#recorded`: on disk, too, and named in the record. */
  readonly #have: Bitfield;
  #recorded: Bitfield;
  readonly #pieceLengthBytes: number;
  #unrecorded = 0;
  #isClosed = false;

  private constructor(pieces: OpfsStorage, record: SyncFile, have: Bitfield, pieceLengthBytes: number) {
    this.#pieces = pieces;
    this.#record = record;
    this.#have = have;
    this.#recorded = have.clone();
    this.#pieceLengthBytes = pieceLengthBytes;
  }

  /** Opens `<name>` and `<name>.have`. @throws Conflict when another worker holds them, StorageFailed */
  static async open(folder: Pick<OpfsFolder, 'openFile'>, name: string, info: PieceLayout): Promise<RecordedStorage> {
    const pieces = new OpfsStorage(await folder.openFile(name));
    try {
      const record = await folder.openFile(`${name}.have`);
      const bytes = new Uint8Array(Math.ceil(info.pieceCount / 8));
      record.read(bytes, { at: 0 });
      // At its full size from the start: a full disk must not keep it from being written later.
      useFile(() => record.write(bytes, { at: 0 }));
      const have = Bitfield.fromBytes(bytes, info.pieceCount);
      dropMissing(have, pieces.storedBytes, info);
      return new RecordedStorage(pieces, record, have, info.pieceLengthBytes);
    } catch (error) {
      await pieces.close();
      throw error;
    }
  }

  /** A copy of what is there, for the engine. */
  get have(): Bitfield {
    return this.#have.clone();
  }

  read(views: readonly Uint8Array[], position: number): Promise<void> {
    return this.#pieces.read(views, position);
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    await this.#pieces.write(bytes, position);
    for (let at = position; at < position + bytes.length; at += this.#pieceLengthBytes) {
      this.#have.set(Math.floor(at / this.#pieceLengthBytes));
      this.#unrecorded++;
    }
    if (this.#unrecorded >= UNRECORDED_PIECES) await this.sync();
  }

  async sync(): Promise<void> {
    if (this.#unrecorded === 0) return;
    await this.#pieces.sync();
    this.#unrecorded = 0;
    this.#recorded = this.#have.clone();
    this.#writeRecord();
  }

  forget(pieces: readonly number[]): void {
    for (const piece of pieces) {
      this.#have.clear(piece);
      this.#recorded.clear(piece);
    }
    this.#writeRecord();
  }

  #writeRecord(): void {
    useFile(() => {
      this.#record.write(new Uint8Array(this.#recorded.toBytes()), { at: 0 });
      this.#record.flush();
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      await this.sync();
    } finally {
      this.#record.close();
      await this.#pieces.close();
    }
  }
}
