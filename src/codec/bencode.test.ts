import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { equalBytes, toLatin1, utf8 } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import {
  BencodeDict,
  decodeBencode,
  decodeBencodeDict,
  decodeBencodePrefix,
  encodeBencode,
  isBencodeList,
  RawBencode,
  type BencodeInput,
  type BencodeValue,
} from './bencode.ts';

/** Plain data for comparing: strings as latin-1, dictionaries as objects. */
function plain(value: BencodeValue): unknown {
  if (value instanceof Uint8Array) return toLatin1(value);
  if (isBencodeList(value)) return value.map(plain);
  if (value instanceof BencodeDict)
    return Object.fromEntries([...value.keys()].map((key) => [key, plain(value.get(key) ?? 0)]));
  return value;
}

describe('what the reader takes', () => {
  test.each([
    ['i0e', 0],
    ['i-1e', -1],
    ['i9007199254740991e', Number.MAX_SAFE_INTEGER],
    ['0:', ''],
    ['4:spam', 'spam'],
    ['le', []],
    ['de', {}],
    ['d0:i1ee', { '': 1 }],
    ['d1:ai1e1:b4:spame', { a: 1, b: 'spam' }],
    ['ld1:ali1eeee', [{ a: [1] }]],
  ])('%s', (text, value) => {
    expect(plain(decodeBencode(utf8(text)))).toEqual(value);
  });
});

describe('what the reader refuses with a typed error', () => {
  test.each([
    ['nothing at all', ''],
    ['a negative length', '-1:a'],
    ['a length beyond the input', '99999999999999:a'],
    ['a length of a hundred digits', `${'9'.repeat(100)}:a`],
    ['bytes after the end', 'i1eXXXX'],
    ['negative zero', 'i-0e'],
    ['a duplicate key', 'd1:ai1e1:ai2ee'],
    ['keys out of order', 'd1:bi1e1:ai2ee'],
    ['a leading zero in an integer', 'i01e'],
    ['a leading zero in a length', '01:a'],
    ['an empty integer', 'ie'],
    ['a bare minus', 'i-e'],
    ['a plus sign', 'i+1e'],
    ['an integer beyond 2^53', 'i9007199254740992e'],
    ['a short string', '5:spam'],
    ['an integer as a key', 'di1ei2ee'],
    ['a key without a value', 'd1:ae'],
    ['an open list', 'li1e'],
    ['an open dictionary', 'd1:ai1e'],
    ['100,000 nested lists', 'l'.repeat(100_000) + 'e'.repeat(100_000)],
    ['a million empty strings in a list', `l${'0:'.repeat(1_000_000)}e`],
  ])('%s', (_, text) => {
    expect(() => decodeBencode(utf8(text))).toThrow(InvalidInput);
  });

  test('nesting is taken up to 32 levels and no deeper', () => {
    const nested = (depth: number): Uint8Array => utf8('l'.repeat(depth) + 'e'.repeat(depth));
    expect(() => decodeBencode(nested(33))).not.toThrow();
    expect(() => decodeBencode(nested(34))).toThrow(InvalidInput);
  });

  test('a field of another type is named', () => {
    const dict = decodeBencodeDict(utf8('d1:ai1e1:b1:xe'));
    expect(() => dict.bytes('a')).toThrow('"a" is not a string');
    expect(() => dict.integer('b')).toThrow('"b" is not an integer');
    expect(() => dict.list('a')).toThrow('"a" is not a list');
    expect(() => dict.dict('a')).toThrow('"a" is not a dictionary');
    expect(dict.integer('missing')).toBeUndefined();
  });

  test('a value that is no dictionary where one is wanted', () => {
    expect(() => decodeBencodeDict(utf8('le'))).toThrow(InvalidInput);
  });
});

test('a prefix ends where its value ends, whatever bytes follow', () => {
  const { value, end } = decodeBencodePrefix(utf8('d5:piecei0ee\u0000rest'));
  expect(plain(value)).toEqual({ piece: 0 });
  expect(end).toBe(12);
});

test('the raw bytes of a value are those of the input, at every depth', () => {
  const dict = decodeBencodeDict(utf8('d4:infod6:lengthi1e4:name1:xee'));
  expect(dict.rawOf('info')).toEqual(utf8('d6:lengthi1e4:name1:xe'));
  expect(dict.dict('info')?.rawOf('length')).toEqual(utf8('i1e'));
  expect(dict.rawOf('none')).toBeUndefined();
});

describe('the writer', () => {
  test('orders keys by their bytes, leaves out undefined and keeps raw slices', () => {
    const written = encodeBencode({ b: 'é', a: undefined, Z: new RawBencode(utf8('i7e')), '\u00ff': [1, [], {}] });
    expect(toLatin1(written)).toBe('d1:Zi7e1:b2:Ã©1:ÿli1eledeee');
  });

  test.each([1.5, Number.NaN, 2 ** 53, Infinity])('refuses the number %d', (number) => {
    expect(() => encodeBencode(number)).toThrow(InvalidInput);
  });

  test('refuses keys that are not bytes', () => {
    expect(() => encodeBencode({ '\u20ac': 1 })).toThrow(InvalidInput);
  });
});

const key = fc.uint8Array({ maxLength: 6 }).map(toLatin1);
const { value: anyInput } = fc.letrec<{ value: BencodeInput }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.maxSafeInteger(),
    fc.uint8Array({ maxLength: 20 }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(key, tie('value'), { maxKeys: 5, noNullPrototype: true }),
  ),
}));

describe('for any input', () => {
  test('writing, reading and writing again gives the same bytes', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const written = encodeBencode(input);
        expect(equalBytes(encodeBencode(decodeBencode(written)), written)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  test('noise is read canonically or refused with InvalidInput', () => {
    const alphabet = fc.constantFrom(...Array.from('ilde:-0123456789spam'));
    const noise = fc.oneof(fc.uint8Array(), fc.string({ unit: alphabet, maxLength: 60 }).map(utf8));
    fc.assert(
      fc.property(noise, (bytes) => {
        try {
          expect(encodeBencode(decodeBencode(bytes))).toEqual(Uint8Array.from(bytes));
        } catch (error) {
          if (!(error instanceof InvalidInput)) throw error;
        }
      }),
      { numRuns: 5_000 },
    );
  });

  test('one changed byte in a good value never escapes as another error', () => {
    fc.assert(
      fc.property(anyInput, fc.nat(), fc.integer({ min: 0, max: 255 }), (input, at, byte) => {
        const bytes = encodeBencode(input);
        bytes[at % bytes.length] = byte;
        try {
          decodeBencode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidInput);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
