/**
 * The canonical priority of a pair of peers (BEP 40): both ends compute the same number, nobody can choose it, and a
 * swarm that keeps the highest ones when it is full stays connected. Pure.
 */
import { parseIp, type PeerAddress } from '../../base/address.ts';
import { compareBytes } from '../../base/bytes.ts';
import { crc32c } from '../../codec/crc32c.ts';

/** Higher is kept; 0 for addresses of different families. @throws InvalidInput unless the hosts are IP literals */
export function canonicalPriority(one: PeerAddress, other: PeerAddress): number {
  const [a, b] = [parseIp(one.host), parseIp(other.host)];
  if (a.length !== b.length) return 0;
  if (compareBytes(a, b) === 0) return crc32c(joined(portBytes(one.port), portBytes(other.port)));
  const maskFrom = maskStart(a, b);
  return crc32c(joined(masked(a, maskFrom), masked(b, maskFrom)));
}

function portBytes(port: number): Uint8Array {
  return Uint8Array.of(port >> 8, port & 0xff);
}

/** Lower one first. */
function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  return compareBytes(a, b) < 0 ? Uint8Array.of(...a, ...b) : Uint8Array.of(...b, ...a);
}

/** From which byte on only every second bit counts: the nearer two addresses are, the later. */
function maskStart(a: Uint8Array, b: Uint8Array): number {
  const [near, nearest] = a.length === 4 ? [2, 3] : [6, 7];
  if (!startsAlike(a, b, near)) return near;
  return startsAlike(a, b, nearest) ? a.length : nearest;
}

function startsAlike(a: Uint8Array, b: Uint8Array, count: number): boolean {
  return compareBytes(a.subarray(0, count), b.subarray(0, count)) === 0;
}

function masked(address: Uint8Array, from: number): Uint8Array {
  return address.map((byte, at) => (at < from ? byte : byte & 0x55));
}
