/**
 * Keeps the rarest-first order in step with what peers say they have. Peers that have everything do not change the
 * order, so they are not counted: a swarm of seeds costs nothing.
 */
import type { Peer } from './peer.ts';
import { RarestFirst } from './rarest-first.ts';

export class Availability {
  readonly #rarest: RarestFirst;
  readonly #counted = new Set<Peer>();

  constructor(pieceCount: number, random: () => number) {
    this.#rarest = new RarestFirst(pieceCount, random);
  }

  /** Pieces that may be begun. */
  get size(): number {
    return this.#rarest.size;
  }

  offer(piece: number): void {
    this.#rarest.add(piece);
  }

  withdraw(piece: number): void {
    this.#rarest.remove(piece);
  }

  /** The rarest piece this peer serves. */
  pick(peer: Peer): number | undefined {
    return this.#rarest.pick((piece) => peer.serves(piece));
  }

  /** The peer got one piece, or (undefined) said all it has. */
  gained(peer: Peer, piece: number | undefined): void {
    if (piece !== undefined && this.#counted.has(peer)) this.#rarest.increment(piece);
    else if (!peer.isSeed && !this.#counted.has(peer)) this.#count(peer);
  }

  /** Call after the piece was removed from what the peer has. */
  lost(peer: Peer, piece: number): void {
    if (this.#counted.has(peer)) this.#rarest.decrement(piece);
    else this.#count(peer);
  }

  left(peer: Peer): void {
    if (this.#counted.delete(peer)) peer.pieces.have?.forEachSet((piece) => this.#rarest.decrement(piece));
  }

  #count(peer: Peer): void {
    this.#counted.add(peer);
    peer.pieces.have?.forEachSet((piece) => this.#rarest.increment(piece));
  }
}
