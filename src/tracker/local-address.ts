/** Which addresses mean something only inside a network: peers there are told to their neighbours and to nobody else. */

type Range = readonly [prefix: readonly number[], bits: number];

const V4: readonly Range[] = [
  [[10], 8],
  [[100, 64], 10],
  [[127], 8],
  [[169, 254], 16],
  [[172, 16], 12],
  [[192, 168], 16],
];
const V6: readonly Range[] = [
  [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 128],
  [[0xfc], 7],
  [[0xfe, 0x80], 10],
];

/** True for loopback, link-local, private and carrier-shared ranges (RFC 1918, 3927, 4193, 4291, 6598). 4 or 16 bytes. */
export function isLocalAddress(ip: Uint8Array): boolean {
  return (ip.length === 4 ? V4 : V6).some(([prefix, bits]) => hasPrefix(ip, prefix, bits));
}

function hasPrefix(ip: Uint8Array, prefix: readonly number[], bits: number): boolean {
  return prefix.every((byte, at) => {
    const kept = Math.min(8, bits - at * 8);
    const mask = (0xff << (8 - kept)) & 0xff;
    return ((ip[at] ?? 0) & mask) === (byte & mask);
  });
}
