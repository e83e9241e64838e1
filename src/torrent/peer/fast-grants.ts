/**
 * What a choked peer was promised and may still ask for (BEP 6). Invariant: what is given away to one connection is
 * bounded, and nothing is given to a peer that has enough to trade with.
 */

/** BEP 6's k: a peer with so many pieces can trade. */
export const TRADING_PIECES = 10;
/** Each promised byte may be asked for once more, should it get lost. */
const REPEATS = 2;

/** What one peer was promised, and how much of it is left. */
export class FastGrants {
  readonly #leftBytes = new Map<number, number>();

  get isEmpty(): boolean {
    return this.#leftBytes.size === 0;
  }

  add(piece: number, sizeBytes: number): void {
    this.#leftBytes.set(piece, sizeBytes * REPEATS);
  }

  has(piece: number): boolean {
    return this.#leftBytes.has(piece);
  }

  /** Whether a choked peer with `theirPieces` pieces gets these bytes; they are then used up. */
  take(piece: number, lengthBytes: number, theirPieces: number): boolean {
    const leftBytes = this.#leftBytes.get(piece) ?? 0;
    if (theirPieces >= TRADING_PIECES || lengthBytes > leftBytes) return false;
    this.#leftBytes.set(piece, leftBytes - lengthBytes);
    return true;
  }
}
