import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { MSE_PRIME } from '../../codec/mse.ts';
import { NodeMseCrypto } from './mse-crypto.ts';

/** A private key that others can compute as well. */
const privateKey = (seed: string): Uint8Array => createHash('sha1').update(seed).digest();

/** Computed with Python's integers: 2^a mod P for a = SHA-1("a"), the same for b, and 2^(ab) mod P. */
const PUBLIC_A =
  '3ef7f990ec676f7c9c0d98d5d9b023a4c88df6b05bb413cca4a2ec525b93254c1b1b5576afda32034d71045914f37799' +
  '5515e1ed997f21518745d970f15208963104e95f13bacb192f964c85db9ae6cd26a0e675674f02bab2ae94bfa99c49c4';
const PUBLIC_B =
  'e66a3432b6ded22da1449c46928d44858d1ebd53e33074748a4c467cdbaaf46c05defbf44814dbee01d00523ea415a45' +
  'a1d37e405102dfa95d170fc07cec37a0afc61cc1509a1da3611110ce1bbda76ffef7f93dd97e4f7cba567780317476c8';
const SECRET =
  'cc95fc4ef4ae96be254c5cdb4846145f2336decc455aa93ffcdf00608d7b6c0f70b95d6f5b819a22e88f0d5d4738a357' +
  '90b5eab57b935d70a12b25d5f6caaee53a1f02f05002c9b31bc9c05219b602ca1e46bc81254281ef7998724afe93fc0c';

describe('the key exchange of encrypted handshakes', () => {
  test('gives the numbers that plain arithmetic gives, whichever pair was made last', () => {
    const crypto = new NodeMseCrypto();
    const a = crypto.keyPairOf(privateKey('a'));
    const b = crypto.keyPairOf(privateKey('b'));
    expect([toHex(a.publicKey), toHex(b.publicKey)]).toEqual([PUBLIC_A, PUBLIC_B]);
    expect(toHex(a.secretWith(b.publicKey))).toBe(SECRET);
    expect(toHex(b.secretWith(a.publicKey))).toBe(SECRET);
  });

  test('a small number is padded on the left to 96 bytes, public key and secret alike', () => {
    const crypto = new NodeMseCrypto();
    expect(toHex(crypto.keyPairOf(Uint8Array.of(5)).publicKey)).toBe('20'.padStart(192, '0'));
    const secret = crypto.keyPairOf(privateKey('54')).secretWith(fromHex(PUBLIC_B));
    expect(toHex(secret).slice(0, 20)).toBe('00305082a13efdf7c515');
    expect(secret).toHaveLength(96);
  });

  const PRIME = BigInt(`0x${toHex(MSE_PRIME)}`);
  const hexOf = (number: bigint): string => number.toString(16).padStart(192, '0');
  test.each([
    ['0', hexOf(0n)],
    ['1', hexOf(1n)],
    ['P − 1', hexOf(PRIME - 1n)],
    ['P', hexOf(PRIME)],
    ['the largest number', 'f'.repeat(192)],
  ])('a peer that sends %s, which would make the secret known, is refused', (_, theirs) => {
    expect(() => new NodeMseCrypto().createKeyPair().secretWith(fromHex(theirs))).toThrow(ProtocolError);
  });

  test('two pairs are never the same', () => {
    const crypto = new NodeMseCrypto();
    expect(toHex(crypto.createKeyPair().publicKey)).not.toBe(toHex(crypto.createKeyPair().publicKey));
  });
});
