/** Peer lists as compact bytes: 6 bytes a peer for IPv4 (BEP 23), 18 for IPv6 (BEP 7), port last. */
import { formatIp, parseIp, type PeerAddress } from '../base/address.ts';
import { readUint16, writeUint16 } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';

/** Bytes of one peer in each family's list. */
export const COMPACT_BYTES = { v4: 6, v6: 18 } as const;

/** 6 or 18 bytes, as the host is IPv4 or IPv6. @throws InvalidInput for a name or a port outside 0 to 65,535. */
export function encodeCompactPeer(peer: PeerAddress): Uint8Array<ArrayBuffer> {
  if (!Number.isInteger(peer.port) || peer.port < 0 || peer.port > 0xffff)
    throw new InvalidInput('no such port', { port: peer.port });
  const ip = parseIp(peer.host);
  const bytes = new Uint8Array(ip.length + 2);
  bytes.set(ip);
  writeUint16(bytes, ip.length, peer.port);
  return bytes;
}

/** @throws InvalidInput unless 6 or 18 bytes. */
export function decodeCompactPeer(bytes: Uint8Array): PeerAddress {
  if (bytes.length !== COMPACT_BYTES.v4 && bytes.length !== COMPACT_BYTES.v6)
    throw new InvalidInput('a compact peer has 6 or 18 bytes', { length: bytes.length });
  const ipBytes = bytes.length - 2;
  return { host: formatIp(bytes.subarray(0, ipBytes)), port: readUint16(bytes, ipBytes) };
}

/** Both families apart, in order. @throws InvalidInput like `encodeCompactPeer`. */
export function encodeCompactPeers(peers: readonly PeerAddress[]): {
  readonly v4: Uint8Array<ArrayBuffer>;
  readonly v6: Uint8Array<ArrayBuffer>;
} {
  const encoded = peers.map(encodeCompactPeer);
  const join = (size: number): Uint8Array<ArrayBuffer> => {
    const chosen = encoded.filter((bytes) => bytes.length === size);
    const joined = new Uint8Array(chosen.length * size);
    for (const [at, bytes] of chosen.entries()) joined.set(bytes, at * size);
    return joined;
  };
  return { v4: join(COMPACT_BYTES.v4), v6: join(COMPACT_BYTES.v6) };
}

/** All peers in order; those with port 0 cannot be dialled. @throws InvalidInput when the size is no multiple of the family's. */
export function decodeCompactPeers(bytes: Uint8Array, family: 'v4' | 'v6'): PeerAddress[] {
  const size = COMPACT_BYTES[family];
  if (bytes.length % size !== 0) throw new InvalidInput('compact peers cut short', { bytes: bytes.length });
  const peers: PeerAddress[] = [];
  for (let at = 0; at < bytes.length; at += size) peers.push(decodeCompactPeer(bytes.subarray(at, at + size)));
  return peers;
}
