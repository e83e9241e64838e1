/** The 68 bytes that open every peer connection (BEP 3), with the reserved bits we know (BEP 4, 5, 6, 10, 52). */
import { concatBytes, fromHex, fromLatin1, toLatin1 } from '../base/bytes.ts';
import { InvalidInput, ProtocolError } from '../base/errors.ts';
import { swarmKeyFromBytes, type SwarmKey } from '../base/ids.ts';
import { PEER_ID_BYTES } from './peer-id.ts';

/** Length of a handshake. */
export const HANDSHAKE_BYTES = 68;
const PROTOCOL = 'BitTorrent protocol';
/** The first 20 bytes of a plain connection. */
export const PROTOCOL_HEADER = concatBytes([Uint8Array.of(PROTOCOL.length), fromLatin1(PROTOCOL)]);
const RESERVED_AT = 20;

/** What a peer says first (BEP 3). */
export interface Handshake {
  readonly swarmKey: SwarmKey;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  /** Extension protocol (BEP 10). */
  readonly extensions: boolean;
  /** Fast extension (BEP 6). */
  readonly fast: boolean;
  /** Has a DHT node (BEP 5). */
  readonly dht: boolean;
  /** Speaks v2 of this hybrid torrent (BEP 52). */
  readonly v2: boolean;
}

/** @throws InvalidInput unless the peer id has 20 bytes. */
export function encodeHandshake(handshake: Handshake): Uint8Array<ArrayBuffer> {
  if (handshake.peerId.length !== PEER_ID_BYTES) throw new InvalidInput('a peer id has 20 bytes');
  const bytes = new Uint8Array(HANDSHAKE_BYTES);
  bytes.set(PROTOCOL_HEADER);
  bytes[RESERVED_AT + 5] = handshake.extensions ? 0x10 : 0;
  bytes[RESERVED_AT + 7] = (handshake.dht ? 0x01 : 0) | (handshake.fast ? 0x04 : 0) | (handshake.v2 ? 0x10 : 0);
  bytes.set(fromHex(handshake.swarmKey), 28);
  bytes.set(handshake.peerId, 48);
  return bytes;
}

/** Reads a complete handshake; the peer id is a copy. @throws ProtocolError. */
export function decodeHandshake(bytes: Uint8Array): Handshake {
  if (bytes.length !== HANDSHAKE_BYTES) throw new ProtocolError('a handshake has 68 bytes', { length: bytes.length });
  if (toLatin1(bytes.subarray(1, RESERVED_AT)) !== PROTOCOL || bytes[0] !== PROTOCOL.length)
    throw new ProtocolError('not a BitTorrent handshake');
  const extensionBits = bytes[RESERVED_AT + 5] ?? 0;
  const otherBits = bytes[RESERVED_AT + 7] ?? 0;
  return {
    swarmKey: swarmKeyFromBytes(bytes.subarray(28, 48)),
    peerId: bytes.slice(48),
    extensions: (extensionBits & 0x10) !== 0,
    fast: (otherBits & 0x04) !== 0,
    dht: (otherBits & 0x01) !== 0,
    v2: (otherBits & 0x10) !== 0,
  };
}
