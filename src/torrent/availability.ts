/**
 * Keeps the rarest-first order in step with what peers say they have. Peers that have everything do not change the
 * order, so they are not counted: a swarm of seeds costs nothing. Neither does a torrent from which nothing is to be
 * picked: the order comes into being with the first offered piece.
 */
import type { Peer } from './peer.ts';
import { RarestFirst } from './rarest-first.ts';

export class Availability {
  readonly #pieceCount: number;
  readonly #random: () => number;
  readonly #counted = new Set<Peer>();
  /** Peers that served none of the offered pieces when last asked; spares the search until something changes. */
  readonly #exhausted = new Set<Peer>();
  #rarest: RarestFirst | undefined;

  constructor(pieceCount: number, random: () => number) {
    this.#pieceCount = pieceCount;
    this.#random = random;
  }

  /** Pieces that may be begun. */
  get size(): number {
    return this.#rarest?.size ?? 0;
  }

  offer(piece: number): void {
    this.#exhausted.clear();
    this.#rarest ??= this.#createOrder();
    this.#rarest.add(piece);
  }

  withdraw(piece: number): void {
    this.#rarest?.remove(piece);
  }

  /** The rarest piece this peer serves. */
  pick(peer: Peer): number | undefined {
    if (this.#exhausted.has(peer)) return undefined;
    const piece = this.#rarest?.pick((candidate) => peer.serves(candidate));
    if (piece === undefined) this.#exhausted.add(peer);
    return piece;
  }

  /** What the peer serves may have grown. */
  refresh(peer: Peer): void {
    this.#exhausted.delete(peer);
  }

  /** The peer got one piece, or (undefined) said all it has. */
  gained(peer: Peer, piece: number | undefined): void {
    this.refresh(peer);
    if (piece !== undefined && this.#counted.has(peer)) this.#rarest?.increment(piece);
    else if (!peer.isSeed && !this.#counted.has(peer)) this.#count(peer);
  }

  /** Call after the piece was removed from what the peer has. */
  lost(peer: Peer, piece: number): void {
    if (this.#counted.has(peer)) this.#rarest?.decrement(piece);
    else this.#count(peer);
  }

  left(peer: Peer): void {
    this.refresh(peer);
    if (this.#counted.delete(peer)) peer.pieces.have?.forEachSet((piece) => this.#rarest?.decrement(piece));
  }

  #createOrder(): RarestFirst {
    const order = new RarestFirst(this.#pieceCount, this.#random);
    for (const peer of this.#counted) peer.pieces.have?.forEachSet((piece) => order.increment(piece));
    return order;
  }

  #count(peer: Peer): void {
    this.#counted.add(peer);
    peer.pieces.have?.forEachSet((piece) => this.#rarest?.increment(piece));
  }
}
