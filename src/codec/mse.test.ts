import { describe, expect, test } from 'vitest';
import { NodeMseCrypto } from '../adapters/node-crypto/mse-crypto.ts';
import { toHex } from '../base/bytes.ts';
import { parseSwarmKey } from '../base/ids.ts';
import { maskObfuscatedKey, MSE_PRIME, mseCiphers, obfuscatedKey, randomPad, startMark } from './mse.ts';

const crypto = new NodeMseCrypto();
const SECRET = Uint8Array.from({ length: 96 }, (_, at) => at);
const KEY = parseSwarmKey('c12fe1c06bba254a9dc9f519b335aa7c1367a88a');

/** Vectors computed in Python with hashlib and a textbook RC4. */
describe('what both ends derive', () => {
  test('the prime is the one of the description', () => {
    expect(toHex(MSE_PRIME).toUpperCase()).toBe(
      'FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A63A36210000000000090563',
    );
  });

  test('mark, obfuscated key and its mask', () => {
    const obfuscated = obfuscatedKey(crypto, KEY);
    expect(toHex(startMark(crypto, SECRET))).toBe('ed37476cccf63496894d66db14b9806c8c9efe3e');
    expect(toHex(obfuscated)).toBe('343215e9fdc6868396925d6b25b04762f272d2b9');
    const masked = maskObfuscatedKey(crypto, SECRET, obfuscated);
    expect(toHex(masked)).toBe('7db4e9926175f5b77339015b113168b935bf57ca');
    expect(toHex(maskObfuscatedKey(crypto, SECRET, masked))).toBe(toHex(obfuscated));
  });

  test.each([
    ['initiator', 'outgoing', '713d820e102b48dc8f53bf28904c2dfd'],
    ['responder', 'incoming', '713d820e102b48dc8f53bf28904c2dfd'],
    ['initiator', 'incoming', 'b643c4354cdcaf3c23c6cbb66363d874'],
    ['responder', 'outgoing', 'b643c4354cdcaf3c23c6cbb66363d874'],
  ] as const)('the key stream of the %s, %s, behind the first 1,024 bytes', (role, direction, wanted) => {
    const stream = new Uint8Array(16);
    mseCiphers(crypto, role, SECRET, KEY)[direction].apply(stream);
    expect(toHex(stream)).toBe(wanted);
  });

  test.each([
    [[0, 0], 0],
    [[2, 0], 512],
    [[2, 1], 0],
    [[0xff, 0xff], 65_535 % 513],
  ])('padding is 0 to 512 bytes long: random bytes %j give %i', (random, wanted) => {
    const pad = randomPad({ randomBytes: (count) => Uint8Array.from({ length: count }, (_, at) => random[at] ?? 0) });
    expect(pad).toHaveLength(wanted);
  });
});
