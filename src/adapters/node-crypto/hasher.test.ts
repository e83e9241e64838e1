import { expect, test } from 'vitest';
import { toHex } from '../../base/bytes.ts';
import { MIB } from '../../base/units.ts';
import { nodeHasher } from './hasher.ts';

/** FIPS 180-4: one million times "a"; "abc". */
const VECTORS = [
  ['abc', 'sha1', 'a9993e364706816aba3e25717850c26c9cd0d89d'],
  ['abc', 'sha256', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  ['a'.repeat(1_000_000), 'sha1', '34aa973cd4c4daa4f61eeb2bdbad27316534016f'],
  ['a'.repeat(1_000_000), 'sha256', 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'],
] as const;

test.each(VECTORS)('%.12s… has its %s', async (text, algorithm, wanted) => {
  expect(toHex(await nodeHasher[algorithm](new TextEncoder().encode(text)))).toBe(wanted);
});

test.each(['sha1', 'sha256'] as const)(
  '%s is the same inline and on its thread, at the border between them',
  async (algorithm) => {
    for (const length of [MIB - 1, MIB, MIB + 1, 3 * MIB]) {
      const bytes = new Uint8Array(length + 7).fill(0x5e).subarray(7);
      const name = algorithm === 'sha1' ? 'SHA-1' : 'SHA-256';
      expect(toHex(await nodeHasher[algorithm](bytes))).toBe(
        toHex(new Uint8Array(await crypto.subtle.digest(name, bytes))),
      );
    }
  },
);
