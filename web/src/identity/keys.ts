/**
 * Keys as people handle them: `nsec1…` to back up and import, `npub1…` to show (NIP-19). Loaded only where a key is
 * made, shown or used.
 */
import { decode, npubEncode, nsecEncode } from 'nostr-tools/nip19';
import { fromHex } from '../../../src/base/bytes.ts';
import { InvalidInput } from '../../../src/base/errors.ts';
import { parsePubkey, type Pubkey } from '../../../src/base/ids.ts';

const SECRET_KEY_HEX = /^[0-9a-f]{64}$/i;

/** A secret key as `nsec1…`. */
export function encodeSecretKey(secretKey: Uint8Array): string {
  return nsecEncode(secretKey);
}

/** A public key as `npub1…`. */
export function encodePubkey(pubkey: Pubkey): string {
  return npubEncode(pubkey);
}

/** Reads `npub1…` or 64 hex digits. @throws InvalidInput */
export function parsePubkeyText(text: string): Pubkey {
  const trimmed = text.trim();
  if (SECRET_KEY_HEX.test(trimmed)) return parsePubkey(trimmed.toLowerCase());
  if (trimmed.startsWith('nsec1'))
    throw new InvalidInput('this is a private key: never give it away; send npub1 instead');
  const decoded = decodeBech32(trimmed, 'this is not a public key: it starts with npub1 and has 63 characters');
  if (decoded.type !== 'npub') throw new InvalidInput('a public key starts with npub1');
  return parsePubkey(decoded.data);
}

/** Reads `nsec1…` or 64 hex digits, spaces around it forgiven. @throws InvalidInput, never quoting the key */
export function parseSecretKey(text: string): Uint8Array {
  const trimmed = text.trim();
  if (SECRET_KEY_HEX.test(trimmed)) return fromHex(trimmed);
  if (trimmed.startsWith('npub1')) throw new InvalidInput('this is a public key; the private one starts with nsec1');
  const decoded = decodeBech32(trimmed, 'this is not a private key: it starts with nsec1 and has 63 characters');
  if (decoded.type !== 'nsec') throw new InvalidInput('a private key starts with nsec1');
  return decoded.data;
}

function decodeBech32(text: string, refusal: string): ReturnType<typeof decode> {
  try {
    return decode(text);
  } catch {
    throw new InvalidInput(refusal); // without a cause, which would quote the key
  }
}
