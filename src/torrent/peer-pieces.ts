/**
 * What a peer says it has. Messages that come before the metadata are kept as they are (bounded) and sized later;
 * afterwards every index is checked. Invariant: once sized, `have` fits the torrent's piece count.
 */
import { ProtocolError } from '../base/errors.ts';
import { Bitfield } from '../codec/bitfield.ts';

/** HAVE messages remembered before metadata. */
const MAX_EARLY_HAVES = 10_000;

type Early =
  | { readonly kind: 'none' }
  | { readonly kind: 'all' }
  | { readonly kind: 'bits'; readonly bytes: Uint8Array };

export class PeerPieces {
  #early: Early = { kind: 'none' };
  #earlyHaves: number[] = [];
  #have: Bitfield | undefined;

  /** Undefined until `size` was called. */
  get have(): Bitfield | undefined {
    return this.#have;
  }

  has(piece: number): boolean {
    return this.#have?.has(piece) ?? false;
  }

  get isSeed(): boolean {
    return this.#have?.isComplete ?? this.#early.kind === 'all';
  }

  /** The metadata is known: reads what came early. @throws ProtocolError when that does not fit. */
  size(pieceCount: number): Bitfield {
    const have = this.#sized(pieceCount);
    this.#have = have;
    for (const piece of this.#earlyHaves) this.add(piece);
    this.#earlyHaves = [];
    this.#early = { kind: 'none' };
    return have;
  }

  setAll(): void {
    if (this.#have === undefined) this.#early = { kind: 'all' };
    else this.#have.setAll();
  }

  /** @throws ProtocolError when the size is wrong, spare bits are set, or single pieces came first. */
  setBits(bytes: Uint8Array): void {
    if (this.#earlyHaves.length > 0 || this.#have?.isEmpty === false) throw new ProtocolError('bitfield after HAVE');
    if (this.#have === undefined) this.#early = { kind: 'bits', bytes };
    else this.#have = Bitfield.fromBytes(bytes, this.#have.length);
  }

  /** True when the piece is new. @throws ProtocolError for an index out of range. */
  add(piece: number): boolean {
    if (this.#have === undefined) {
      if (this.#earlyHaves.length >= MAX_EARLY_HAVES) throw new ProtocolError('too many HAVE before metadata');
      this.#earlyHaves.push(piece);
      return false;
    }
    if (piece >= this.#have.length) throw new ProtocolError('HAVE of a piece that does not exist', { piece });
    return this.#have.set(piece);
  }

  /** The peer lost the piece (BEP 54) or will not serve it; true when it was counted. */
  remove(piece: number): boolean {
    if (this.#have === undefined || piece >= this.#have.length) return false;
    return this.#have.clear(piece);
  }

  #sized(pieceCount: number): Bitfield {
    switch (this.#early.kind) {
      case 'none':
        return new Bitfield(pieceCount);
      case 'all':
        return Bitfield.full(pieceCount);
      case 'bits':
        return Bitfield.fromBytes(this.#early.bytes, pieceCount);
    }
  }
}
