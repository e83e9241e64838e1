/**
 * What a peer says it has. Messages that come before the metadata are kept as they are (bounded) and sized later;
 * afterwards every index is checked. Invariant: once sized, `have` fits the torrent's piece count.
 */
import { ProtocolError } from '../../base/errors.ts';
import { Bitfield } from '../../codec/bitfield.ts';

/** A peer may let us have this many pieces while choked. */
const MAX_ALLOWED_FAST = 32;
/** Suggestions remembered; older ones go. */
const MAX_SUGGESTED = 16;
/** A piece refused so often while unchoked is not there, whatever the bitfield says. */
const MAX_REFUSALS = 3;
/** HAVE messages remembered before metadata. */
const MAX_EARLY_HAVES = 10_000;

type Early =
  | { readonly kind: 'none' }
  | { readonly kind: 'all' }
  | { readonly kind: 'bits'; readonly bytes: Uint8Array };

export class PeerPieces {
  #early: Early = { kind: 'none' };
  #earlyHaves: number[] = [];
  readonly #allowedFast = new Set<number>();
  #suggested: number[] = [];
  readonly #refusals = new Map<number, number>();
  #have: Bitfield | undefined;

  /** Undefined until `size` was called. */
  get have(): Bitfield | undefined {
    return this.#have;
  }

  has(piece: number): boolean {
    return this.#have?.has(piece) ?? false;
  }

  /** Whether it may be asked for some pieces even while it chokes us (BEP 6). */
  get servesChoked(): boolean {
    return this.#allowedFast.size > 0;
  }

  /** Whether it may be asked for the piece. */
  serves(piece: number, isChoking: boolean): boolean {
    return this.has(piece) && (!isChoking || this.#allowedFast.has(piece));
  }

  isAllowedFast(piece: number): boolean {
    return this.#allowedFast.has(piece);
  }

  /** It will serve the piece while choked; further ones than 32 are not needed. */
  allowFast(piece: number): void {
    if (this.#allowedFast.size < MAX_ALLOWED_FAST) this.#allowedFast.add(piece);
  }

  /** Pieces it would rather send, such as those it has in memory (BEP 6); newest last. */
  get suggested(): readonly number[] {
    return this.#suggested;
  }

  suggest(piece: number): void {
    this.#suggested = [...this.#suggested.filter((known) => known !== piece), piece].slice(-MAX_SUGGESTED);
  }

  /** It refused a block of the piece; true when the piece counts as missing there from now on. */
  refused(piece: number, isChoking: boolean): boolean {
    this.#allowedFast.delete(piece);
    if (isChoking) return false;
    const refusals = (this.#refusals.get(piece) ?? 0) + 1;
    this.#refusals.set(piece, refusals);
    return refusals >= MAX_REFUSALS && this.remove(piece);
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

  /** A later bitfield: what it changes. @throws ProtocolError when it does not fit. */
  restate(bytes: Uint8Array): { readonly gained: readonly number[]; readonly lost: readonly number[] } {
    const gained: number[] = [];
    const lost: number[] = [];
    if (this.#have === undefined) {
      this.#early = { kind: 'bits', bytes };
      this.#earlyHaves = [];
      return { gained, lost };
    }
    const now = Bitfield.fromBytes(bytes, this.#have.length);
    now.forEachSet((piece) => void (this.add(piece) && gained.push(piece)));
    now.forEachMissing((piece) => void (this.remove(piece) && lost.push(piece)));
    return { gained, lost };
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
