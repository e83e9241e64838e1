/** Choices of a simulation. Invariant: all of them come from one seed, so the seed alone replays a run. */
import { seededRandom } from '../../support/random-bytes.ts';

export class Dice {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** Uniform in [0, 1). */
  next(): number {
    return this.#random();
  }

  /** A whole number of [min, max]. */
  int(min: number, max: number): number {
    return min + Math.floor(this.#random() * (max - min + 1));
  }

  chance(probability: number): boolean {
    return this.#random() < probability;
  }

  /** @throws RangeError for an empty list. */
  pick<Item>(items: readonly Item[]): Item {
    const item = items[Math.floor(this.#random() * items.length)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }

  /** Up to `count` different items in random order. */
  some<Item>(items: readonly Item[], count: number): Item[] {
    const left = [...items];
    const picked: Item[] = [];
    while (picked.length < count && left.length > 0)
      picked.push(...left.splice(Math.floor(this.#random() * left.length), 1));
    return picked;
  }

  bytes(count: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length: count }, () => this.int(0, 255));
  }

  /** Dice of their own, so that one part's choices do not shift those of another. */
  fork(): Dice {
    return new Dice(Math.floor(this.#random() * 2 ** 32));
  }
}
