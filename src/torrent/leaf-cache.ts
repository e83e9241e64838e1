/**
 * Leaf hashes (BEP 52) of pieces that were hashed lately, under one byte budget for all torrents; the least recently used
 * goes first. What is gone is computed again from storage, so the cache saves time and is never needed.
 */

export class LeafCache {
  readonly #budgetBytes: number;
  /** By owner and piece; least recently used first. */
  readonly #kept = new Map<string, Uint8Array>();
  #keptBytes = 0;

  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  get(owner: number, piece: number): Uint8Array | undefined {
    const key = `${owner}/${piece}`;
    const leaves = this.#kept.get(key);
    if (leaves === undefined) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, leaves);
    return leaves;
  }

  put(owner: number, piece: number, leaves: Uint8Array): void {
    this.#drop(`${owner}/${piece}`);
    if (leaves.length > this.#budgetBytes) return;
    this.#kept.set(`${owner}/${piece}`, leaves);
    this.#keptBytes += leaves.length;
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
    this.#keptBytes -= this.#kept.get(key)?.length ?? 0;
    this.#kept.delete(key);
  }
}
