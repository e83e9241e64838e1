/**
 * The upload slots of all torrents together: how many peers may be unchoked at once. Invariants: what torrents hold never
 * exceeds the cap; while one of them has none and wants one, each other shrinks to its equal share at its next round.
 */

/** Who holds slots: any object of the torrent's own. */
type Holder = object;

export class UploadSlots {
  readonly #max: number;
  readonly #held = new Map<Holder, number>();
  /** Those who asked and got none. */
  readonly #starving = new Set<Holder>();
  #total = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Slots in use. */
  get held(): number {
    return this.#total;
  }

  /** How many of `wanted` slots it may hold now, those it holds included. */
  allowance(holder: Holder, wanted: number): number {
    const room = this.#max - this.#total + (this.#held.get(holder) ?? 0);
    const allowed = Math.max(0, Math.min(wanted, room, this.#shareOf(holder)));
    if (allowed === 0 && wanted > 0) this.#starving.add(holder);
    else this.#starving.delete(holder);
    return allowed;
  }

  /** It holds so many from now on; never more than `allowance` said. */
  hold(holder: Holder, count: number): void {
    this.#total += count - (this.#held.get(holder) ?? 0);
    if (count === 0) this.#held.delete(holder);
    else this.#held.set(holder, count);
  }

  /** It holds none and wants none. */
  leave(holder: Holder): void {
    this.hold(holder, 0);
    this.#starving.delete(holder);
  }

  #shareOf(holder: Holder): number {
    if (this.#starving.size === 0 || this.#starving.has(holder)) return Number.POSITIVE_INFINITY;
    const sharers = this.#starving.size + this.#held.size + Number(!this.#held.has(holder));
    return Math.max(1, Math.floor(this.#max / sharers));
  }
}
