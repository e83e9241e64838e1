import { describe, expect, test } from 'vitest';
import { concatBytes, fromHex, toHex } from '../base/bytes.ts';
import { Rc4 } from './rc4.ts';

/** RFC 6229, sections 2: key, offset of the key stream, 16 bytes from there. */
const VECTORS = [
  ['0102030405', 0, 'b2396305f03dc027ccc3524a0a1118a8'],
  ['0102030405', 16, '6982944f18fc82d589c403a47a0d0919'],
  ['0102030405', 1024, '30abbcc7c20b01609f23ee2d5f6bb7df'],
  ['0102030405060708090a0b0c0d0e0f10', 0, '9ac7cc9a609d1ef7b2932899cde41b97'],
  ['0102030405060708090a0b0c0d0e0f10', 16, '5248c4959014126a6e8a84f11d1a9e1c'],
  ['0102030405060708090a0b0c0d0e0f10', 1024, 'bdf0324e6083dcc6d3cedd3ca8c53c16'],
] as const;

describe('RC4', () => {
  test.each(VECTORS)('with key %s gives the published key stream at %i', (key, offset, wanted) => {
    const stream = new Uint8Array(16);
    new Rc4(fromHex(key), offset).apply(stream);
    expect(toHex(stream)).toBe(wanted);
  });

  test('goes on where it was, however the stream is cut, and leaves the source alone when given a target', () => {
    const plain = Uint8Array.from({ length: 1_000 }, (_, at) => at);
    const whole = plain.slice();
    new Rc4(Uint8Array.of(7)).apply(whole);
    const cut = new Rc4(Uint8Array.of(7));
    const parts = [plain.subarray(0, 1), plain.subarray(1, 300), plain.subarray(300)].map((part) => {
      const target = new Uint8Array(part.length);
      cut.apply(part, target);
      return target;
    });
    expect(toHex(concatBytes(parts))).toBe(toHex(whole));
    expect(plain[999]).toBe(999 & 255);
  });
});
