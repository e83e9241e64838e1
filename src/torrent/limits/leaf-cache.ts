/**
 * Hash trees (BEP 52) of pieces that were hashed lately, under one byte budget for all torrents; the least recently used
 * goes first. What is gone is computed again from storage, so the cache saves time and is never needed.
 */

/** Rows of a piece's tree without their padding: the leaves, and above them, once somebody asked, up to the piece's node. */
export type PieceRows = readonly [leaves: Uint8Array, ...above: Uint8Array[]];

export class LeafCache {
  readonly #budgetBytes: number;
  /** By owner and piece; least recently used first. */
  readonly #kept = new Map<string, PieceRows>();
  #keptBytes = 0;

  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  get(owner: number, piece: number): PieceRows | undefined {
    const key = `${owner}/${piece}`;
    const rows = this.#kept.get(key);
    if (rows === undefined) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, rows);
    return rows;
  }

  put(owner: number, piece: number, rows: PieceRows): void {
    this.#drop(`${owner}/${piece}`);
    if (sizeBytesOf(rows) > this.#budgetBytes) return;
    this.#kept.set(`${owner}/${piece}`, rows);
    this.#keptBytes += sizeBytesOf(rows);
    for (const key of this.#kept.keys()) {
      if (this.#keptBytes <= this.#budgetBytes) return;
      this.#drop(key);
    }
  }

  /** Forgets everything of one owner. */
  forget(owner: number): void {
    for (const key of this.#kept.keys()) if (key.startsWith(`${owner}/`)) this.#drop(key);
  }

  #drop(key: string): void {
    const rows = this.#kept.get(key);
    if (rows !== undefined) this.#keptBytes -= sizeBytesOf(rows);
    this.#kept.delete(key);
  }
}

function sizeBytesOf(rows: PieceRows): number {
  return rows.reduce((sum, row) => sum + row.length, 0);
}
