/**
 * Keeps the rarest-first orders, one for each priority, in step with what peers say they have. Peers that have
 * everything do not change an order, so they are not counted: a swarm of seeds costs nothing. Neither does a torrent
 * from which nothing is to be picked: an order comes into being with its first offered piece.
 */
import type { Peer } from '../peer/peer.ts';
import { RarestFirst } from './rarest-first.ts';
import type { PieceLevel } from './wishes.ts';

export class Availability {
  readonly #pieceCount: number;
  readonly #random: () => number;
  readonly #counted = new Set<Peer>();
  /** Peers that served none of the offered pieces when last asked; spares the search until something changes. */
  readonly #exhausted = new Set<Peer>();
  /** By level, most wanted first. */
  #orders: readonly { readonly level: PieceLevel; readonly rarest: RarestFirst }[] = [];

  constructor(pieceCount: number, random: () => number) {
    this.#pieceCount = pieceCount;
    this.#random = random;
  }

  /** Pieces that may be begun. */
  get size(): number {
    return this.#orders.reduce((sum, { rarest }) => sum + rarest.size, 0);
  }

  /** Makes the piece pickable at this level, and at no other; level 0 withdraws it. */
  offer(piece: number, level: PieceLevel): void {
    this.withdraw(piece);
    if (level === 0) return;
    this.#exhausted.clear();
    this.#orderOf(level).add(piece);
  }

  withdraw(piece: number): void {
    for (const { rarest } of this.#orders) rarest.remove(piece);
  }

  /** Of the most wanted pieces this peer serves and that are not spared, one that it suggests (BEP 6), else the rarest. */
  pick(peer: Peer, isSpared: (piece: number) => boolean): number | undefined {
    if (this.#exhausted.has(peer)) return undefined;
    let sparesAny = false;
    const suits = (piece: number): boolean => {
      if (!peer.serves(piece)) return false;
      const spares = isSpared(piece);
      sparesAny ||= spares;
      return !spares;
    };
    for (const { rarest } of this.#orders) {
      const suggested = peer.pieces.suggested.find((piece) => rarest.wants(piece) && suits(piece));
      const piece = suggested ?? rarest.pick(suits);
      if (piece !== undefined) return piece;
    }
    if (!sparesAny) this.#exhausted.add(peer);
    return undefined;
  }

  /** What the peer serves may have grown. */
  refresh(peer: Peer): void {
    this.#exhausted.delete(peer);
  }

  /** The peer got one piece, or (undefined) said all it has. */
  gained(peer: Peer, piece: number | undefined): void {
    this.refresh(peer);
    if (piece !== undefined && this.#counted.has(peer)) this.#increment(piece);
    else if (!peer.isSeed && !this.#counted.has(peer)) this.#count(peer);
  }

  /** Call after the piece was removed from what the peer has. */
  lost(peer: Peer, piece: number): void {
    if (this.#counted.has(peer)) this.#decrement(piece);
    else this.#count(peer);
  }

  left(peer: Peer): void {
    this.refresh(peer);
    if (this.#counted.delete(peer)) peer.pieces.have?.forEachSet((piece) => this.#decrement(piece));
  }

  #increment(piece: number): void {
    for (const { rarest } of this.#orders) rarest.increment(piece);
  }

  #decrement(piece: number): void {
    for (const { rarest } of this.#orders) rarest.decrement(piece);
  }

  #orderOf(level: PieceLevel): RarestFirst {
    const known = this.#orders.find((order) => order.level === level);
    if (known !== undefined) return known.rarest;
    const rarest = new RarestFirst(this.#pieceCount, this.#random);
    for (const peer of this.#counted) peer.pieces.have?.forEachSet((piece) => rarest.increment(piece));
    this.#orders = [...this.#orders, { level, rarest }].sort((a, b) => b.level - a.level);
    return rarest;
  }

  #count(peer: Peer): void {
    this.#counted.add(peer);
    peer.pieces.have?.forEachSet((piece) => this.#increment(piece));
  }
}
