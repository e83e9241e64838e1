/**
 * Who was asked for which block of one piece and let it lapse, by silence or refusal. Whoever did is not asked for that
 * block again while an idle source has not been tried. Invariant: empty for a piece whose sources all deliver, and
 * bounded for any other.
 */
import type { BlockSource } from './active-piece.ts';

/** Sources remembered for one block; the oldest is forgotten, and may be tried again. */
const MAX_SOURCES_PER_BLOCK = 32;

export class Lapses {
  /** Source ids by block, the oldest first. */
  readonly #byBlock = new Map<number, Set<number>>();

  get isEmpty(): boolean {
    return this.#byBlock.size === 0;
  }

  /** The source was asked for the block and will not bring it. */
  add(block: number, source: BlockSource): void {
    const sources = this.#byBlock.get(block) ?? new Set();
    sources.delete(source.sourceId);
    sources.add(source.sourceId);
    this.#byBlock.set(block, sources);
    const oldest = sources.values().next();
    if (sources.size > MAX_SOURCES_PER_BLOCK && !oldest.done) sources.delete(oldest.value);
  }

  /** Whether the source let this very block lapse. */
  has(block: number, source: BlockSource): boolean {
    return this.#byBlock.get(block)?.has(source.sourceId) ?? false;
  }

  /** The block is here. */
  forget(block: number): void {
    this.#byBlock.delete(block);
  }
}
