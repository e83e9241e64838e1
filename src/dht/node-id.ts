/**
 * Ids bound to addresses (BEP 42): the first 21 bits of a DHT node's id follow from its public address and three bits of
 * its choice, so that nobody picks a place next to a torrent. Inner addresses bind nothing. Pure.
 */
import { parseIp } from '../base/address.ts';
import { scopeOf } from '../base/address-scope.ts';
import { equalBytes, readUint32, writeUint32 } from '../base/bytes.ts';
import { crc32c } from '../codec/crc32c.ts';

/** What of an address counts: of IPv6 only the /64 does. */
const MASKS = {
  v4: Uint8Array.of(0x03, 0x0f, 0x3f, 0xff),
  v6: Uint8Array.of(0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff),
} as const;
const BOUND_BITS = 0xfffff800;

/** The id for a public address that `random`, 20 bytes, leads to; for an inner address, `random` itself. */
export function bindNodeId(random: Uint8Array, host: string): Uint8Array<ArrayBuffer> {
  const id = Uint8Array.from(random);
  if (scopeOf(host) === 'public') writeUint32(id, 0, (prefixOf(host, random) | (readUint32(random, 0) & 0x7ff)) >>> 0);
  return id;
}

/** Whether a node at this address may have this id. */
export function isBoundTo(host: string, id: Uint8Array): boolean {
  return equalBytes(bindNodeId(id, host), id);
}

/** The 21 bits an id has to begin with, the rest 0. Its last byte says which three bits were chosen. */
function prefixOf(host: string, id: Uint8Array): number {
  const address = parseIp(host);
  const mask = MASKS[address.length === 4 ? 'v4' : 'v6'];
  const masked = mask.map((bits, at) => bits & (address[at] ?? 0));
  masked[0] = (masked[0] ?? 0) | (((id.at(-1) ?? 0) & 7) << 5);
  return crc32c(masked) & BOUND_BITS;
}
