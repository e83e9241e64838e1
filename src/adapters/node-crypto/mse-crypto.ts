/**
 * The arithmetic of encrypted handshakes by Node's OpenSSL. One Diffie–Hellman object serves all connections: making one
 * costs about 15 ms (OpenSSL checks the prime), using a kept one 0.1 ms. Each pair keeps its private key and sets it anew.
 */
import { createDiffieHellman, hash, randomBytes, type DiffieHellman } from 'node:crypto';
import { concatBytes } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import {
  MSE_GENERATOR,
  MSE_NUMBER_BYTES,
  MSE_PRIME,
  MSE_PRIVATE_KEY_BYTES,
  type MseCrypto,
  type MseKeyPair,
} from '../../codec/mse.ts';

export class NodeMseCrypto implements MseCrypto {
  /** Made at once, so that no connection waits for it. */
  readonly #exchange: DiffieHellman = createDiffieHellman(MSE_PRIME, MSE_GENERATOR);

  createKeyPair(): MseKeyPair {
    return this.keyPairOf(randomBytes(MSE_PRIVATE_KEY_BYTES));
  }

  /** The pair of a given private key. */
  keyPairOf(privateKey: Uint8Array): MseKeyPair {
    const exchange = this.#exchange;
    exchange.setPrivateKey(privateKey);
    return {
      publicKey: padded(exchange.generateKeys()),
      secretWith: (theirPublicKey) => {
        exchange.setPrivateKey(privateKey);
        try {
          return padded(exchange.computeSecret(theirPublicKey));
        } catch (error) {
          throw new ProtocolError('a public key that no honest peer sends', {}, { cause: error });
        }
      },
    };
  }

  sha1(bytes: Uint8Array): Uint8Array {
    return hash('sha1', bytes, 'buffer');
  }

  randomBytes(count: number): Uint8Array {
    return randomBytes(count);
  }
}

function padded(number: Uint8Array): Uint8Array {
  return concatBytes([new Uint8Array(MSE_NUMBER_BYTES - number.length), number]);
}
