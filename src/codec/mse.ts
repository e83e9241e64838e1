/**
 * Message Stream Encryption, the encrypted handshake most BitTorrent clients try first: its constants, and everything
 * both ends derive from the shared secret S and the swarm's key (H is SHA-1, ‖ joins). There is no BEP; the description
 * is the "Message Stream Encryption" page of the Vuze wiki. What JavaScript cannot do cheaply comes in as `MseCrypto`.
 */
import { concatBytes, fromHex, utf8 } from '../base/bytes.ts';
import type { SwarmKey } from '../base/ids.ts';
import { Rc4 } from './rc4.ts';

/** The 768-bit prime of the key exchange; the generator is 2. */
export const MSE_PRIME = fromHex(
  'ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd' +
    'ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a63a36210000000000090563',
);
/** Of the key exchange. */
export const MSE_GENERATOR = 2;
/** A private key is a random number of this size. */
export const MSE_PRIVATE_KEY_BYTES = 20;
/** Public keys and the secret: numbers, left-padded. */
export const MSE_NUMBER_BYTES = 96;
/** The longest of each of the four paddings. */
export const MSE_MAX_PAD_BYTES = 512;
/** Eight zero bytes that, encrypted, tell the initiator where the answer begins. */
export const MSE_VERIFICATION_BYTES = 8;
/** Length of the start mark and of a masked key. */
export const MSE_DIGEST_BYTES = 20;
/** The first bytes of RC4's key stream tell about the key. */
const DROPPED_BYTES = 1024;

/** How the stream goes on after the handshake, as the bits of `crypto_provide` and `crypto_select`. */
export const MSE_METHOD = { plain: 1, rc4: 2 } as const;
/** How the stream goes on after the handshake. */
export type MseMethod = keyof typeof MSE_METHOD;

/** One key pair of the exchange; the private half stays with whoever made it. */
export interface MseKeyPair {
  /** 96 bytes. */
  readonly publicKey: Uint8Array;
  /** The shared secret, 96 bytes. @throws ProtocolError for a public key that no honest peer sends (0, 1, P − 1, too large). */
  secretWith(theirPublicKey: Uint8Array): Uint8Array;
}

/** What the handshake needs from the platform. */
export interface MseCrypto {
  /** A new pair for every connection. */
  createKeyPair(): MseKeyPair;
  /** 20 bytes. */
  sha1(bytes: Uint8Array): Uint8Array;
  /** Unpredictable bytes, at most 1,024. */
  randomBytes(count: number): Uint8Array;
}

/** SHA-1 over the joined parts, 20 bytes. */
function digest(crypto: Pick<MseCrypto, 'sha1'>, label: string, ...parts: readonly Uint8Array[]): Uint8Array {
  return crypto.sha1(concatBytes([utf8(label), ...parts]));
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(a, (byte, at) => byte ^ (b[at] ?? 0));
}

/** H('req2'‖key), 20 bytes: by it an encrypted handshake names its swarm. Index it to find a swarm that is not running. */
export function obfuscatedKey(crypto: Pick<MseCrypto, 'sha1'>, key: SwarmKey): Uint8Array {
  return digest(crypto, 'req2', fromHex(key));
}

/** H('req1'‖S): marks the end of the initiator's first padding. */
export function startMark(crypto: MseCrypto, secret: Uint8Array): Uint8Array {
  return digest(crypto, 'req1', secret);
}

/** Turns an obfuscated key into what travels, and back. */
export function maskObfuscatedKey(crypto: MseCrypto, secret: Uint8Array, bytes: Uint8Array): Uint8Array {
  return xor(bytes, digest(crypto, 'req3', secret));
}

/** The two directions of the encrypted stream, seen from one end. */
export interface MseCiphers {
  readonly incoming: Rc4;
  readonly outgoing: Rc4;
}

/** Fresh key streams of both directions. */
export function mseCiphers(
  crypto: MseCrypto,
  role: 'initiator' | 'responder',
  secret: Uint8Array,
  key: SwarmKey,
): MseCiphers {
  const stream = (label: 'keyA' | 'keyB'): Rc4 => new Rc4(digest(crypto, label, secret, fromHex(key)), DROPPED_BYTES);
  const [fromInitiator, fromResponder] = [stream('keyA'), stream('keyB')];
  return role === 'initiator'
    ? { incoming: fromResponder, outgoing: fromInitiator }
    : { incoming: fromInitiator, outgoing: fromResponder };
}

/** Padding of a random length: 0 to 512 bytes. */
export function randomPad(crypto: Pick<MseCrypto, 'randomBytes'>): Uint8Array {
  const [high = 0, low = 0] = crypto.randomBytes(2);
  return crypto.randomBytes((high * 256 + low) % (MSE_MAX_PAD_BYTES + 1));
}
