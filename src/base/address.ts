/** Network addresses of peers. Hosts are IP literals in their canonical spelling, never names: nothing here resolves. */
import { InvalidInput } from './errors.ts';

/** Where a peer listens or came from. `host` is an IP literal, never a name. */
export interface PeerAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Whom an IP literal counts for where somebody's share is bounded: an IPv4 address, or the /64 of an IPv6 one, which
 * belongs to one household and holds as many addresses as it likes. @throws InvalidInput
 */
export function householdOf(host: string): string {
  const bytes = parseIp(host);
  return bytes.length === 4 ? formatIp(bytes) : `${formatIp(bytes.fill(0, 8))}/64`;
}

const SITE_BYTES = 6;

/**
 * The part of an address (4 or 16 bytes) that its owner cannot vary where many small things are counted: all of an IPv4
 * address, or the /48 of an IPv6 one, which is what a site gets at most (RFC 6177).
 */
export function siteOf(ip: Uint8Array): Uint8Array {
  return ip.length === 4 ? ip : ip.subarray(0, SITE_BYTES);
}

const IPV4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;
const MAPPED_V4_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/**
 * The 4 or 16 bytes of an IP literal; an IPv4-mapped IPv6 literal gives the 4 bytes of the IPv4 address.
 * Zone ids, short IPv4 spellings and leading zeros are refused. @throws InvalidInput.
 */
export function parseIp(text: string): Uint8Array<ArrayBuffer> {
  const bytes = text.includes(':') ? parseIpv6(text) : parseIpv4(text);
  if (bytes === undefined) throw new InvalidInput('not an IP address', { host: text.slice(0, 64) });
  return unmapIpv4(bytes);
}

/** `192.0.2.1` or the RFC 5952 spelling of 16 bytes. @throws InvalidInput unless 4 or 16 bytes. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) throw new InvalidInput('an IP address has 4 or 16 bytes', { length: bytes.length });
  const groups = Array.from({ length: 8 }, (_, at) => ((bytes[at * 2] ?? 0) << 8) | (bytes[at * 2 + 1] ?? 0));
  const zeros = longestZeroRun(groups);
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (zeros.length < 2) return hex(groups);
  return `${hex(groups.slice(0, zeros.start))}::${hex(groups.slice(zeros.start + zeros.length))}`;
}

function unmapIpv4(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const mapped = bytes.length === 16 && MAPPED_V4_PREFIX.every((byte, at) => bytes[at] === byte);
  return mapped ? bytes.slice(12) : bytes;
}

function parseIpv4(text: string): Uint8Array<ArrayBuffer> | undefined {
  const parts = IPV4.exec(text)?.slice(1);
  if (parts === undefined) return undefined;
  if (parts.some((part) => Number(part) > 255 || (part.length > 1 && part.startsWith('0')))) return undefined;
  return Uint8Array.from(parts, Number);
}

function parseIpv6(text: string): Uint8Array<ArrayBuffer> | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = [ipv6Bytes(halves[0] ?? '', halves.length === 1), ipv6Bytes(halves[1] ?? '', true)];
  if (head === undefined || tail === undefined) return undefined;
  const known = head.length + tail.length;
  if (halves.length === 1 ? known !== 16 : known > 14) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(head);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

/** The bytes of `1:2:3`, or of `1:2:192.0.2.1` at the end of an address; undefined when malformed. */
function ipv6Bytes(text: string, isEnd: boolean): number[] | undefined {
  const bytes: number[] = [];
  if (text === '') return bytes;
  const groups = text.split(':');
  for (const [at, group] of groups.entries()) {
    const v4 = isEnd && at === groups.length - 1 ? parseIpv4(group) : undefined;
    if (v4 !== undefined) bytes.push(...v4);
    else if (/^[0-9a-fA-F]{1,4}$/.test(group))
      bytes.push(Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff);
    else return undefined;
  }
  return bytes;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let at = 0; at <= groups.length; at++) {
    if (groups[at] === 0) continue;
    if (at - start > best.length) best = { start, length: at - start };
    start = at + 1;
  }
  return best;
}
