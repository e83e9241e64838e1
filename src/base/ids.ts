/** Identifiers as branded strings, each made by exactly one parser, so that one kind can never be passed as another. */
import { toHex } from './bytes.ts';
import { InvalidInput } from './errors.ts';

/** SHA-256 of a blob's bytes, 64 lowercase hex digits: the blob's name everywhere. */
export type Sha256 = string & { readonly brand: 'Sha256' };
/** BitTorrent v1 info hash, SHA-1 of the raw info dictionary, 40 lowercase hex digits (BEP 3). */
export type InfoHashV1 = string & { readonly brand: 'InfoHashV1' };
/** BitTorrent v2 info hash, SHA-256 of the raw info dictionary, 64 lowercase hex digits (BEP 52). */
export type InfoHashV2 = string & { readonly brand: 'InfoHashV2' };
/** Of either version. */
export type InfoHash = InfoHashV1 | InfoHashV2;
/** What travels in handshakes and announces: 40 hex digits, v2 hashes cut to 20 bytes (BEP 52). */
export type SwarmKey = string & { readonly brand: 'SwarmKey' };
/** x-only secp256k1 public key of a Nostr identity, 64 lowercase hex digits (NIP-01). */
export type Pubkey = string & { readonly brand: 'Pubkey' };
/** Random name of an unfinished upload, 32 lowercase hex digits (128 bits). */
export type UploadId = string & { readonly brand: 'UploadId' };

const HEX_32 = /^[0-9a-f]{32}$/;
const HEX_40 = /^[0-9a-f]{40}$/;
const HEX_64 = /^[0-9a-f]{64}$/;

export function isSha256(text: string): text is Sha256 {
  return HEX_64.test(text);
}

/** @throws InvalidInput unless 64 lowercase hex digits. */
export function parseSha256(text: string): Sha256 {
  if (!isSha256(text)) throw new InvalidInput('a sha256 is 64 lowercase hex digits');
  return text;
}

/** @throws InvalidInput unless 40 hex digits; upper case is folded. */
export function parseInfoHashV1(text: string): InfoHashV1 {
  const folded = text.toLowerCase();
  if (!HEX_40.test(folded)) throw new InvalidInput('a v1 info hash is 40 hex digits');
  return folded as InfoHashV1;
}

/** @throws InvalidInput unless 64 hex digits; upper case is folded. */
export function parseInfoHashV2(text: string): InfoHashV2 {
  const folded = text.toLowerCase();
  if (!HEX_64.test(folded)) throw new InvalidInput('a v2 info hash is 64 hex digits');
  return folded as InfoHashV2;
}

/** 40 hex digits give a v1, 64 a v2 info hash. @throws InvalidInput otherwise. */
export function parseInfoHash(text: string): InfoHash {
  return text.length === 64 ? parseInfoHashV2(text) : parseInfoHashV1(text);
}

/** The 20 bytes (as hex) under which a swarm is found on the wire and at trackers. */
export function swarmKeyOf(infoHash: InfoHash): SwarmKey {
  return infoHash.slice(0, 40) as SwarmKey;
}

/** @throws InvalidInput unless 40 hex digits. */
export function parseSwarmKey(text: string): SwarmKey {
  return swarmKeyOf(parseInfoHashV1(text));
}

/** A swarm key as it stands on the wire. @throws InvalidInput unless 20 bytes. */
export function swarmKeyFromBytes(bytes: Uint8Array): SwarmKey {
  if (bytes.length !== 20) throw new InvalidInput('a swarm key has 20 bytes');
  return toHex(bytes) as SwarmKey;
}

/** @throws InvalidInput unless 64 lowercase hex digits. */
export function parsePubkey(text: string): Pubkey {
  if (!HEX_64.test(text)) throw new InvalidInput('a public key is 64 lowercase hex digits');
  return text as Pubkey;
}

export function isUploadId(text: string): text is UploadId {
  return HEX_32.test(text);
}

/** @throws InvalidInput unless 32 lowercase hex digits. */
export function parseUploadId(text: string): UploadId {
  if (!isUploadId(text)) throw new InvalidInput('an upload id is 32 lowercase hex digits');
  return text;
}
