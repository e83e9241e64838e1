/**
 * The arithmetic of encrypted handshakes in a simulation: real machines over real numbers, but one key pair for
 * everybody. So the exchange (0.1 ms and more each time) is computed once per process, and a wiretap can read along. What
 * two pairs would change is proven by `encryption.test.ts` and the interop tests. Invariant: the dice alone decide.
 */
import { NodeMseCrypto } from '../../../src/adapters/node-crypto/mse-crypto.ts';
import { MSE_PRIVATE_KEY_BYTES, type MseCrypto, type MseKeyPair } from '../../../src/codec/mse.ts';
import { areEqual } from './compare.ts';
import type { Dice } from './dice.ts';

const node = new NodeMseCrypto();
const everybodys = node.keyPairOf(new Uint8Array(MSE_PRIVATE_KEY_BYTES).fill(0x5e));
const secret = everybodys.secretWith(everybodys.publicKey);
const keyPair: MseKeyPair = {
  publicKey: everybodys.publicKey,
  secretWith: (theirs) => (areEqual(theirs, everybodys.publicKey) ? secret : everybodys.secretWith(theirs)),
};

/** The arithmetic of one machine; its paddings come from the dice. */
export function simulatedCrypto(dice: Dice): MseCrypto {
  return { createKeyPair: () => keyPair, sha1: (bytes) => node.sha1(bytes), randomBytes: (count) => dice.bytes(count) };
}

/** The arithmetic of somebody who only listens. */
export const eavesdropping: MseCrypto = {
  createKeyPair: () => keyPair,
  sha1: (bytes) => node.sha1(bytes),
  randomBytes: (count) => new Uint8Array(count),
};
