/**
 * Pieces nobody has begun yet, ordered by how few peers have them; ties are in random order, so that many clients
 * of one swarm do not all fetch the same piece. Invariant: `#order` is sorted by `#counts`, and `#groupStart[n]` is
 * the first place of a piece that at least n peers have. Counting one peer up or down costs O(1).
 */

/** Fits the swarm sizes we allow per torrent; beyond it a piece is simply "not rare". */
const MAX_COUNT = 1000;

export class RarestFirst {
  readonly #random: () => number;
  readonly #counts: Uint16Array;
  readonly #order: Uint32Array;
  /** Place in `#order`, or −1 for pieces that are not wanted now. */
  readonly #place: Int32Array;
  #size = 0;
  #groupStart: number[] = [0, 0];

  /** Starts with no wanted piece and nobody having any. `random` is uniform in [0, 1). */
  constructor(pieceCount: number, random: () => number) {
    this.#random = random;
    this.#counts = new Uint16Array(pieceCount);
    this.#order = new Uint32Array(pieceCount);
    this.#place = new Int32Array(pieceCount).fill(-1);
  }

  /** Number of wanted pieces. */
  get size(): number {
    return this.#size;
  }

  wants(piece: number): boolean {
    return (this.#place[piece] ?? -1) >= 0;
  }

  /** How many counted peers have the piece. */
  count(piece: number): number {
    return this.#counts[piece] ?? 0;
  }

  /** Makes the piece pickable. */
  add(piece: number): void {
    if (this.wants(piece)) return;
    const count = this.count(piece);
    this.#ensureGroup(count);
    // Open a gap at the end of the piece's group by moving one member of each higher group to that group's end.
    let gap = this.#size++;
    for (let group = this.#groupStart.length - 1; group > count; group--) {
      const start = this.#groupStart[group] ?? 0;
      if (start !== gap) this.#put(this.#order[start] ?? 0, gap);
      gap = start;
      this.#groupStart[group] = start + 1;
    }
    this.#put(piece, gap);
    this.#shuffleInto(count, gap);
  }

  /** Makes the piece unpickable: begun, or already here. */
  remove(piece: number): void {
    if (!this.wants(piece)) return;
    const count = this.count(piece);
    let gap = this.#place[piece] ?? 0;
    for (let group = count + 1; group < this.#groupStart.length; group++) {
      const last = (this.#groupStart[group] ?? 0) - 1;
      if (last !== gap) this.#put(this.#order[last] ?? 0, gap);
      gap = last;
      this.#groupStart[group] = last;
    }
    const last = --this.#size;
    if (last !== gap) this.#put(this.#order[last] ?? 0, gap);
    this.#place[piece] = -1;
  }

  /** One more peer has the piece. */
  increment(piece: number): void {
    const count = this.count(piece);
    if (count >= MAX_COUNT) return;
    this.#counts[piece] = count + 1;
    if (!this.wants(piece)) return;
    this.#ensureGroup(count + 1);
    const border = (this.#groupStart[count + 1] ?? 0) - 1;
    this.#swap(this.#place[piece] ?? 0, border);
    this.#groupStart[count + 1] = border;
    this.#shuffleInto(count + 1, border);
  }

  /** One peer fewer has the piece. */
  decrement(piece: number): void {
    const count = this.count(piece);
    if (count === 0) return;
    this.#counts[piece] = count - 1;
    if (!this.wants(piece)) return;
    const border = this.#groupStart[count] ?? 0;
    this.#swap(this.#place[piece] ?? 0, border);
    this.#groupStart[count] = border + 1;
    this.#shuffleInto(count - 1, border);
  }

  /** The rarest wanted piece that `has` accepts. */
  pick(has: (piece: number) => boolean): number | undefined {
    for (let place = 0; place < this.#size; place++) {
      const piece = this.#order[place] ?? 0;
      if (has(piece)) return piece;
    }
    return undefined;
  }

  #put(piece: number, place: number): void {
    this.#order[place] = piece;
    this.#place[piece] = place;
  }

  #swap(a: number, b: number): void {
    const atA = this.#order[a] ?? 0;
    const atB = this.#order[b] ?? 0;
    this.#put(atA, b);
    this.#put(atB, a);
  }

  #ensureGroup(count: number): void {
    while (this.#groupStart.length <= count + 1) this.#groupStart.push(this.#size);
  }

  /** Gives the newcomer at `place` a random place within its group. */
  #shuffleInto(group: number, place: number): void {
    const start = this.#groupStart[group] ?? 0;
    const end = this.#groupStart[group + 1] ?? this.#size;
    this.#swap(place, start + Math.floor(this.#random() * (end - start)));
  }
}
