/**
 * Which pieces somebody has, one bit each, first piece in the highest bit of the first byte (BEP 3).
 * Invariant: spare bits behind the last piece are zero and `count` is the number of set bits.
 */
import { InvalidInput, ProtocolError } from '../base/errors.ts';

const ONES = Uint8Array.from({ length: 256 }, (_, byte) => {
  let ones = 0;
  for (let rest = byte; rest > 0; rest &= rest - 1) ones++;
  return ones;
});

/** A set of pieces. */
export class Bitfield {
  /** Pieces, not bytes. */
  readonly length: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #count = 0;

  /** All pieces missing. @throws InvalidInput unless `length` is a whole number ≥ 0. */
  constructor(length: number) {
    if (!Number.isSafeInteger(length) || length < 0)
      throw new InvalidInput('a bitfield needs a piece count', { length });
    this.length = length;
    this.#bytes = new Uint8Array(Math.ceil(length / 8));
  }

  /** All pieces present. */
  static full(length: number): Bitfield {
    const bitfield = new Bitfield(length);
    bitfield.setAll();
    return bitfield;
  }

  /** Copies the payload of a bitfield message. @throws ProtocolError on a wrong size or set spare bits (BEP 3). */
  static fromBytes(bytes: Uint8Array, length: number): Bitfield {
    const bitfield = new Bitfield(length);
    if (bytes.length !== bitfield.#bytes.length)
      throw new ProtocolError('bitfield of the wrong size', { bytes: bytes.length, pieces: length });
    const spareBits = bytes.length * 8 - length;
    if (((bytes.at(-1) ?? 0) & ((1 << spareBits) - 1)) !== 0) throw new ProtocolError('bitfield with spare bits set');
    bitfield.#bytes.set(bytes);
    for (const byte of bytes) bitfield.#count += ONES[byte] ?? 0;
    return bitfield;
  }

  /** Number of pieces present. */
  get count(): number {
    return this.#count;
  }

  /** Every piece is present; so it is without pieces. */
  get isComplete(): boolean {
    return this.#count === this.length;
  }

  /** No piece is present. */
  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** False for what is no piece of this torrent. */
  has(piece: number): boolean {
    return (
      Number.isInteger(piece) &&
      piece >= 0 &&
      piece < this.length &&
      ((this.#bytes[piece >> 3] ?? 0) & (0x80 >> (piece & 7))) !== 0
    );
  }

  /** Marks a piece as present; true when it was missing. @throws InvalidInput outside the range. */
  set(piece: number): boolean {
    this.#check(piece);
    if (this.has(piece)) return false;
    this.#bytes[piece >> 3] = (this.#bytes[piece >> 3] ?? 0) | (0x80 >> (piece & 7));
    this.#count++;
    return true;
  }

  /** Marks a piece as missing; true when it was present. @throws InvalidInput outside the range. */
  clear(piece: number): boolean {
    this.#check(piece);
    if (!this.has(piece)) return false;
    this.#bytes[piece >> 3] = (this.#bytes[piece >> 3] ?? 0) & ~(0x80 >> (piece & 7));
    this.#count--;
    return true;
  }

  setAll(): void {
    this.#bytes.fill(0xff);
    const spareBits = this.#bytes.length * 8 - this.length;
    if (this.#bytes.length > 0) this.#bytes[this.#bytes.length - 1] = (0xff << spareBits) & 0xff;
    this.#count = this.length;
  }

  clearAll(): void {
    this.#bytes.fill(0);
    this.#count = 0;
  }

  /** Calls `visit` for each missing piece of [start, endExclusive), ascending; returning false stops. */
  forEachMissing(visit: (piece: number) => boolean | void, start = 0, endExclusive = this.length): void {
    this.#forEach(0xff, visit, start, endExclusive);
  }

  /** Calls `visit` for each present piece of [start, endExclusive), ascending; returning false stops. */
  forEachSet(visit: (piece: number) => boolean | void, start = 0, endExclusive = this.length): void {
    this.#forEach(0, visit, start, endExclusive);
  }

  /** True when this one has a piece (one of `among`, where given) that `other` lacks: what makes a peer interesting. */
  hasBeyond(other: Bitfield, among?: Bitfield): boolean {
    const wanted = (among ?? this).#bytes;
    return this.#bytes.some((byte, at) => (byte & ~(other.#bytes[at] ?? 0) & (wanted[at] ?? 0)) !== 0);
  }

  clone(): Bitfield {
    return Bitfield.fromBytes(this.#bytes, this.length);
  }

  /** A copy of the wire form. */
  toBytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice();
  }

  /** `flip` 0xff visits zeros, 0 visits ones; whole bytes without a match cost one test. */
  #forEach(flip: number, visit: (piece: number) => boolean | void, start: number, endExclusive: number): void {
    const end = Math.min(endExclusive, this.length);
    let piece = Math.max(0, start);
    while (piece < end) {
      const wanted = (this.#bytes[piece >> 3] ?? 0) ^ flip;
      if (wanted === 0) piece = ((piece >> 3) + 1) * 8;
      else {
        if ((wanted & (0x80 >> (piece & 7))) !== 0 && visit(piece) === false) return;
        piece++;
      }
    }
  }

  #check(piece: number): void {
    if (!Number.isInteger(piece) || piece < 0 || piece >= this.length)
      throw new InvalidInput('no such piece', { piece, pieces: this.length });
  }
}
