/**
 * Pieces on disk, and in memory those for which the disk had no room although others were given up for them: browsers do
 * not say how much they will really take, and what plays should go on. What is in memory ends with the worker, so it must
 * not be recorded.
 */
import { NoSpace } from '../../base/errors.ts';
import type { Bitfield } from '../../codec/bitfield.ts';
import type { PieceStorage } from '../../torrent/ports.ts';
import type { MemoryStorage } from './memory-storage.ts';

/** Gives something else up for a full disk; false when there is nothing that may go. */
export type GiveWay = () => Promise<boolean>;

export class OverflowStorage<Disk extends PieceStorage = PieceStorage> implements PieceStorage {
  readonly disk: Disk;
  readonly #memory: MemoryStorage;
  readonly #giveWay: GiveWay;
  readonly #pieceLengthBytes: number;
  /** Pieces in memory. */
  readonly #overflow = new Set<number>();

  constructor(disk: Disk, memory: MemoryStorage, pieceLengthBytes: number, giveWay: GiveWay) {
    this.disk = disk;
    this.#memory = memory;
    this.#giveWay = giveWay;
    this.#pieceLengthBytes = pieceLengthBytes;
  }

  /** Takes out of a bitfield what only memory holds. */
  dropPassing(have: Bitfield): void {
    for (const piece of this.#overflow) have.clear(piece);
  }

  async read(views: readonly Uint8Array[], position: number): Promise<void> {
    if (this.#overflow.size === 0) return this.disk.read(views, position);
    let at = position;
    for (const view of views) {
      for (const part of this.#parts(view, at)) {
        const from = this.#overflow.has(this.#pieceAt(part.position)) ? this.#memory : this.disk;
        await from.read([part.bytes], part.position);
      }
      at += view.length;
    }
  }

  /** @throws NoSpace when nothing gives way and memory is full as well, StorageFailed */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    while (!(await this.#fits(bytes, position))) {
      if (await this.#giveWay()) continue;
      await this.#memory.write(bytes, position);
      for (const part of this.#parts(bytes, position)) this.#overflow.add(this.#pieceAt(part.position));
      return;
    }
  }

  /** Writes to disk; false when that is full. */
  async #fits(bytes: Uint8Array, position: number): Promise<boolean> {
    try {
      await this.disk.write(bytes, position);
      return true;
    } catch (error) {
      if (error instanceof NoSpace) return false;
      throw error;
    }
  }

  forget(pieces: readonly number[]): void {
    this.#memory.forget(pieces);
    for (const piece of pieces) this.#overflow.delete(piece);
    this.disk.forget?.(pieces);
  }

  sync(): Promise<void> {
    return this.disk.sync();
  }

  async close(): Promise<void> {
    await this.#memory.close();
    await this.disk.close();
  }

  #pieceAt(position: number): number {
    return Math.floor(position / this.#pieceLengthBytes);
  }

  /** The stretches of a view, none across a piece's border. */
  *#parts(view: Uint8Array, position: number): Iterable<{ readonly bytes: Uint8Array; readonly position: number }> {
    for (let at = 0; at < view.length;) {
      const border = (this.#pieceAt(position + at) + 1) * this.#pieceLengthBytes - position;
      const end = Math.min(view.length, border);
      yield { bytes: view.subarray(at, end), position: position + at };
      at = end;
    }
  }
}
