/**
 * Bencode (BEP 3): one strict reader and one writer. Only canonical input is accepted (no leading zeros, ordered unique
 * keys, no trailing bytes), so decoding and encoding again gives the same bytes. Bytes are never copied: strings and raw
 * spans are views into the input, and an info dictionary is hashed as it was found.
 */
import { fromUtf8, utf8 } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';

/** Dictionary keys are raw bytes, written as strings of one character per byte. */
export type BencodeValue = number | Uint8Array | readonly BencodeValue[] | BencodeDict;

/** What one input may cost; the defaults suit a .torrent file. */
export interface BencodeLimits {
  /** Nested lists and dictionaries. */
  readonly maxDepth?: number;
  /** Integers, strings, lists and dictionaries together, the last counted double; bounds the memory that a small input can ask for. */
  readonly maxValues?: number;
}

const DEFAULT_MAX_DEPTH = 32;
/**
 * Enough for 20,000 files in as many folders, however deep (v2), or with three folders in each path (v1); all of them
 * together take less than 32 MB and 50 ms.
 */
const DEFAULT_MAX_VALUES = 161_000;
/** Of one dictionary: a folder of 20,000 files has as many. */
const MAX_KEYS = 25_000;
const MAX_KEY_BYTES = 4_096;
/** Up to here a key is put together byte by byte, which is quicker and leaves no garbage. */
const SHORT_KEY_BYTES = 16;

/** Up to so many keys a look-up walks the list; most dictionaries of a torrent have two. */
const INDEX_ABOVE = 8;

/** Keys of the dictionaries that a torrent may have thousands of: these share one list. */
const COMMON_KEYS: readonly (readonly string[])[] = [
  [''],
  ['length', 'pieces root'],
  ['length', 'path'],
  ['attr', 'length', 'path'],
];

function areSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((key, at) => key === others[at]);
}

/**
 * A decoded dictionary: typed look-ups, and the raw bytes of each value. Kept as flat lists, since a torrent of 20,000
 * files has as many dictionaries.
 */
export class BencodeDict {
  readonly #source: Uint8Array;
  readonly #keys: readonly string[];
  readonly #values: readonly BencodeValue[];
  /** Start and end of each value in the source; only of the outermost dictionary, or they would cost more than all else. */
  readonly #spans: readonly number[] | undefined;
  #index: ReadonlyMap<string, number> | undefined;

  /** Made by the reader: keys in byte order, two spans a value. */
  constructor(source: Uint8Array, keys: readonly string[], values: readonly BencodeValue[], spans?: readonly number[]) {
    this.#source = source;
    this.#keys = keys;
    this.#values = values;
    this.#spans = spans;
  }

  /** Entries. */
  get size(): number {
    return this.#keys.length;
  }

  /** Keys in their byte order, one character per byte. */
  keys(): readonly string[] {
    return this.#keys;
  }

  /** Calls back with each entry, in the byte order of the keys. */
  forEach(visit: (key: string, value: BencodeValue) => void): void {
    for (const [at, key] of this.#keys.entries()) visit(key, this.#values[at] ?? []);
  }

  /** Any kind of value; undefined when there is none. */
  get(key: string): BencodeValue | undefined {
    return this.#values[this.#find(key)];
  }

  #find(key: string): number {
    if (this.#keys.length <= INDEX_ABOVE) return this.#keys.indexOf(key);
    this.#index ??= new Map(this.#keys.map((name, at) => [name, at]));
    return this.#index.get(key) ?? -1;
  }

  /** The encoded bytes of a value exactly as they stood in the input; a view of it in the outermost dictionary. */
  rawOf(key: string): Uint8Array | undefined {
    const at = this.#find(key);
    const value = this.#values[at];
    if (value === undefined) return undefined;
    // What was read is canonical, so writing it again gives the same bytes.
    if (this.#spans === undefined) return encodeBencode(value);
    return this.#source.subarray(this.#spans[2 * at], this.#spans[2 * at + 1]);
  }

  /** Undefined when absent. @throws InvalidInput when not an integer. */
  integer(key: string): number | undefined {
    const value = this.get(key);
    if (value === undefined || typeof value === 'number') return value;
    throw wrongType(key, 'an integer');
  }

  /** Undefined when absent. @throws InvalidInput when not a string. */
  bytes(key: string): Uint8Array | undefined {
    const value = this.get(key);
    if (value === undefined || value instanceof Uint8Array) return value;
    throw wrongType(key, 'a string');
  }

  /** UTF-8 text for display; undefined when absent. @throws InvalidInput when not a string. */
  text(key: string): string | undefined {
    const value = this.bytes(key);
    return value && fromUtf8(value);
  }

  /** Undefined when absent. @throws InvalidInput when not a list. */
  list(key: string): readonly BencodeValue[] | undefined {
    const value = this.get(key);
    if (value === undefined || isBencodeList(value)) return value;
    throw wrongType(key, 'a list');
  }

  /** Undefined when absent. @throws InvalidInput when not a dictionary. */
  dict(key: string): BencodeDict | undefined {
    const value = this.get(key);
    if (value === undefined || value instanceof BencodeDict) return value;
    throw wrongType(key, 'a dictionary');
  }
}

/** Tells lists from the other kinds. */
export function isBencodeList(value: BencodeValue): value is readonly BencodeValue[] {
  return Array.isArray(value);
}

function wrongType(key: string, wanted: string): InvalidInput {
  return new InvalidInput(`bencode: "${key}" is not ${wanted}`, { key });
}

/** Reads one value that fills the input. @throws InvalidInput on anything that is not canonical bencode. */
export function decodeBencode(bytes: Uint8Array, limits: BencodeLimits = {}): BencodeValue {
  const { value, end } = decodeBencodePrefix(bytes, limits);
  if (end !== bytes.length) throw new InvalidInput('bencode: bytes after the end', { offset: end });
  return value;
}

/** Reads one dictionary that fills the input. @throws InvalidInput. */
export function decodeBencodeDict(bytes: Uint8Array, limits: BencodeLimits = {}): BencodeDict {
  const value = decodeBencode(bytes, limits);
  if (value instanceof BencodeDict) return value;
  throw new InvalidInput('bencode: not a dictionary');
}

/** Reads one value from the start; `end` is the offset behind it (ut_metadata puts bytes there, BEP 9). @throws InvalidInput. */
export function decodeBencodePrefix(
  bytes: Uint8Array,
  limits: BencodeLimits = {},
): { readonly value: BencodeValue; readonly end: number } {
  const reader = new Reader(bytes, limits);
  const value = reader.value(0);
  return { value, end: reader.offset };
}

const COLON = 0x3a;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const D = 0x64;
const E = 0x65;
const I = 0x69;
const L = 0x6c;
/** No byte; reading on then fails as a malformed string. */
const END_OF_INPUT = -1;
/** Digits of Number.MAX_SAFE_INTEGER. */
const MAX_DIGITS = 16;

class Reader {
  offset = 0;
  readonly #bytes: Uint8Array;
  readonly #maxDepth: number;
  #valuesLeft: number;

  constructor(bytes: Uint8Array, limits: BencodeLimits) {
    this.#bytes = bytes;
    this.#maxDepth = limits.maxDepth ?? DEFAULT_MAX_DEPTH;
    this.#valuesLeft = limits.maxValues ?? DEFAULT_MAX_VALUES;
  }

  value(depth: number): BencodeValue {
    if (depth > this.#maxDepth) throw this.#refuse('nested too deeply');
    this.#count();
    const type = this.#bytes[this.offset] ?? END_OF_INPUT;
    switch (type) {
      case I:
        this.offset++;
        return this.#integer();
      case L:
        this.offset++;
        return this.#list(depth);
      case D:
        this.offset++;
        return this.#dict(depth);
      default:
        return this.#string();
    }
  }

  #integer(): number {
    const isNegative = this.#bytes[this.offset] === MINUS;
    if (isNegative) this.offset++;
    const magnitude = this.#digits(E);
    if (isNegative && magnitude === 0) throw this.#refuse('negative zero');
    return isNegative ? -magnitude : magnitude;
  }

  /** Canonical decimal digits up to and including `terminator`. */
  #digits(terminator: number): number {
    const start = this.offset;
    let number = 0;
    let byte = this.#bytes[this.offset];
    while (byte !== undefined && byte >= ZERO && byte <= NINE) {
      if (this.offset - start === MAX_DIGITS) throw this.#refuse('number too long');
      number = number * 10 + (byte - ZERO);
      byte = this.#bytes[++this.offset];
    }
    const count = this.offset - start;
    if (byte !== terminator || count === 0) throw this.#refuse('malformed number or unknown type');
    if (count > 1 && this.#bytes[start] === ZERO) throw this.#refuse('leading zero');
    if (!Number.isSafeInteger(number)) throw this.#refuse('number too large');
    this.offset++;
    return number;
  }

  #string(): Uint8Array {
    const end = this.#stringEnd();
    const bytes = this.#bytes.subarray(this.offset, end);
    this.offset = end;
    return bytes;
  }

  /** Reads the length in front of a string; its bytes begin at the offset. */
  #stringEnd(): number {
    const length = this.#digits(COLON);
    const end = this.offset + length;
    if (end > this.#bytes.length) throw this.#refuse('string runs past the end');
    return end;
  }

  #key(): string {
    const end = this.#stringEnd();
    const length = end - this.offset;
    if (length > MAX_KEY_BYTES) throw this.#refuse('key too long');
    let key = '';
    if (length > SHORT_KEY_BYTES) {
      key = Reflect.apply(String.fromCharCode, undefined, this.#bytes.subarray(this.offset, end));
      this.offset = end;
    }
    while (this.offset < end) key += String.fromCharCode(this.#bytes[this.offset++] ?? 0);
    return key;
  }

  #count(): void {
    if (--this.#valuesLeft < 0) throw this.#refuse('too many values');
  }

  #list(depth: number): BencodeValue[] {
    const values: BencodeValue[] = [];
    while (this.#bytes[this.offset] !== E) values.push(this.value(depth + 1));
    this.offset++;
    return values.slice();
  }

  #dict(depth: number): BencodeDict {
    this.#count();
    const keys: string[] = [];
    const values: BencodeValue[] = [];
    const spans: number[] = [];
    let previous: string | undefined;
    while (this.#bytes[this.offset] !== E) {
      const key = this.#key();
      // The order of UTF-16 units is that of bytes, because every character is one byte.
      if (previous !== undefined && previous >= key) throw this.#refuse('keys not in order');
      previous = key;
      if (keys.length >= MAX_KEYS) throw this.#refuse('too many keys');
      const start = this.offset;
      keys.push(key);
      values.push(this.value(depth + 1));
      if (depth === 0) spans.push(start, this.offset);
    }
    this.offset++;
    // Copies of the exact size: lists that grow by pushing keep room for 16 more, and there may be 20,000 of them.
    const exactKeys = COMMON_KEYS.find((common) => areSame(common, keys)) ?? keys.slice();
    return new BencodeDict(this.#bytes, exactKeys, values.slice(), depth === 0 ? spans : undefined);
  }

  #refuse(why: string): InvalidInput {
    return new InvalidInput(`bencode: ${why}`, { offset: this.offset });
  }
}

/** Bytes that are bencode already and are written as they are. */
export class RawBencode {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** What the writer takes: text becomes UTF-8, entries that are undefined are left out, keys have one character per byte. */
export type BencodeInput =
  | number
  | string
  | Uint8Array
  | RawBencode
  | BencodeDict
  | readonly BencodeInput[]
  | { readonly [key: string]: BencodeInput | undefined };

/** Writes canonical bencode. @throws InvalidInput for numbers that are no safe integers and keys above U+00FF. */
export function encodeBencode(value: BencodeInput): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.write(value);
  return writer.finish();
}

function isInputList(value: BencodeInput): value is readonly BencodeInput[] {
  return Array.isArray(value);
}

/** One growing buffer; nothing small is allocated on the way. */
class Writer {
  #bytes = new Uint8Array(256);
  #size = 0;

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#size);
  }

  write(value: BencodeInput): void {
    if (typeof value === 'number') this.#integer(value);
    else if (typeof value === 'string') this.#string(utf8(value));
    else if (value instanceof Uint8Array) this.#string(value);
    else if (value instanceof RawBencode) this.#raw(value.bytes);
    else if (isInputList(value)) this.#list(value);
    else this.#dict(value);
  }

  #integer(value: number): void {
    if (!Number.isSafeInteger(value)) throw new InvalidInput('bencode: not a safe integer', { value });
    this.#latin1(`i${value}e`);
  }

  #string(bytes: Uint8Array): void {
    this.#latin1(`${bytes.length}:`);
    this.#raw(bytes);
  }

  #list(values: readonly BencodeInput[]): void {
    this.#latin1('l');
    for (const value of values) this.write(value);
    this.#latin1('e');
  }

  #dict(dict: BencodeDict | { readonly [key: string]: BencodeInput | undefined }): void {
    // The order of UTF-16 units is that of bytes, because every character of a key is one byte.
    const keys = dict instanceof BencodeDict ? dict.keys() : Object.keys(dict).sort();
    this.#latin1('d');
    for (const key of keys) {
      const value = dict instanceof BencodeDict ? dict.get(key) : dict[key];
      if (value === undefined) continue;
      this.#latin1(`${key.length}:`);
      this.#latin1(key);
      this.write(value);
    }
    this.#latin1('e');
  }

  #raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#size);
    this.#size += bytes.length;
  }

  #latin1(text: string): void {
    this.#reserve(text.length);
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code > 0xff) throw new InvalidInput('bencode: a key has one character per byte', { key: text });
      this.#bytes[this.#size++] = code;
    }
  }

  #reserve(count: number): void {
    if (this.#size + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#size + count, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = grown;
  }
}
