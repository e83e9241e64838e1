/**
 * What kind of place an IP address names. The address is judged by its bytes, never by its spelling, and what is not
 * known to be harmless counts as `special`: IPv6 is an allow list, IPv4 the whole list of special ranges (RFC 6890).
 */
import { parseIp } from './address.ts';
import { InvalidInput } from './errors.ts';

/**
 * `public`: somebody on the internet. `private`: a house or company network (RFC 1918, 4193, 6598). `loopback`: this
 * machine. `special`: everything else, such as link-local (which holds the secrets of cloud machines), multicast,
 * tunnels, translations and documentation.
 */
export type AddressScope = 'public' | 'private' | 'loopback' | 'special';

type Range = readonly [network: readonly number[], prefixBits: number, scope: AddressScope];

const IPV4: readonly Range[] = [
  [[0], 8, 'special'],
  [[10], 8, 'private'],
  [[100, 64], 10, 'private'],
  [[127], 8, 'loopback'],
  [[169, 254], 16, 'special'],
  [[172, 16], 12, 'private'],
  [[192, 0, 0], 24, 'special'],
  [[192, 0, 2], 24, 'special'],
  [[192, 88, 99], 24, 'special'],
  [[192, 168], 16, 'private'],
  [[198, 18], 15, 'special'],
  [[198, 51, 100], 24, 'special'],
  [[203, 0, 113], 24, 'special'],
  [[224], 3, 'special'],
];

/** The first that holds decides; what none holds is special. */
const IPV6: readonly Range[] = [
  [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 128, 'loopback'],
  [[0xfc], 7, 'private'],
  [[0x20, 0x01, 0x00], 23, 'special'],
  [[0x20, 0x01, 0x0d, 0xb8], 32, 'special'],
  [[0x20, 0x02], 16, 'special'],
  [[0x3f, 0xff, 0x00], 20, 'special'],
  [[0x20], 3, 'public'],
];

/** The scope of an IP literal; an IPv4-mapped one is judged as IPv4. Names and zone ids are `special`: judge what they resolve to. */
export function scopeOf(host: string): AddressScope {
  try {
    const bytes = parseIp(host);
    const found = (bytes.length === 4 ? IPV4 : IPV6).find(([network, bits]) => isWithin(bytes, network, bits));
    return found?.[2] ?? (bytes.length === 4 ? 'public' : 'special');
  } catch (error) {
    if (error instanceof InvalidInput) return 'special';
    throw error;
  }
}

function isWithin(bytes: Uint8Array, network: readonly number[], prefixBits: number): boolean {
  for (let bit = 0; bit < prefixBits; bit += 8) {
    const mask = prefixBits - bit >= 8 ? 0xff : (0xff << (8 - (prefixBits - bit))) & 0xff;
    const at = bit / 8;
    if (((bytes[at] ?? 0) & mask) !== ((network[at] ?? 0) & mask)) return false;
  }
  return true;
}
