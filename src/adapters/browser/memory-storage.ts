/** Pieces in memory, for browsers without lasting storage (private windows). The cap is shared by all torrents. */
import { NoSpace, StorageFailed } from '../../base/errors.ts';
import type { PieceStorage } from '../../torrent/ports.ts';

/** Bytes that all memory storages of one browser may hold together. */
export class MemoryBudget {
  readonly limitBytes: number;
  #usedBytes = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** @throws NoSpace when the cap would be exceeded */
  take(sizeBytes: number): void {
    if (this.#usedBytes + sizeBytes > this.limitBytes)
      throw new NoSpace('no memory left for pieces', { limitBytes: this.limitBytes });
    this.#usedBytes += sizeBytes;
  }

  giveBack(sizeBytes: number): void {
    this.#usedBytes -= sizeBytes;
  }
}

/** Position → bytes, as written: the engine writes whole pieces and reads within them. */
export class MemoryStorage implements PieceStorage {
  readonly #budget: MemoryBudget;
  readonly #pieceLengthBytes: number;
  readonly #pieces = new Map<number, Uint8Array>();

  constructor(pieceLengthBytes: number, budget: MemoryBudget) {
    this.#pieceLengthBytes = pieceLengthBytes;
    this.#budget = budget;
  }

  read(views: readonly Uint8Array[], position: number): Promise<void> {
    let at = position;
    for (const view of views) {
      if (!this.#fill(view, at)) return Promise.reject(new StorageFailed('bytes are not in memory', { position }));
      at += view.length;
    }
    return Promise.resolve();
  }

  #fill(view: Uint8Array, position: number): boolean {
    let filled = 0;
    while (filled < view.length) {
      const index = Math.floor((position + filled) / this.#pieceLengthBytes);
      const within = position + filled - index * this.#pieceLengthBytes;
      const part = this.#pieces.get(index)?.subarray(within, within + view.length - filled);
      if (part === undefined || part.length === 0) return false;
      view.set(part, filled);
      filled += part.length;
    }
    return true;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let at = 0; at < bytes.length; at += this.#pieceLengthBytes) {
      const index = (position + at) / this.#pieceLengthBytes;
      if (!Number.isInteger(index)) throw new StorageFailed('only whole pieces are written', { position });
      const piece = bytes.slice(at, at + this.#pieceLengthBytes);
      this.#budget.take(piece.length - (this.#pieces.get(index)?.length ?? 0));
      this.#pieces.set(index, piece);
    }
  }

  forget(pieces: readonly number[]): void {
    for (const piece of pieces) {
      this.#budget.giveBack(this.#pieces.get(piece)?.length ?? 0);
      this.#pieces.delete(piece);
    }
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    for (const piece of this.#pieces.values()) this.#budget.giveBack(piece.length);
    this.#pieces.clear();
    return Promise.resolve();
  }
}
