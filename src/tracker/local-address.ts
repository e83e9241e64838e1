/** Which addresses mean something only inside a network: peers there are told to their neighbours and to nobody else. */

/** True for loopback, link-local, private and carrier-shared ranges (RFC 1918, 3927, 4193, 4291, 6598). 4 or 16 bytes. */
export function isLocalAddress(ip: Uint8Array): boolean {
  const a = ip[0] ?? 0;
  const b = ip[1] ?? 0;
  return ip.length === 4 ? isLocalV4(a, b) : isLocalV6(a, b) || isLoopbackV6(ip);
}

function isLocalV4(a: number, b: number): boolean {
  switch (a) {
    case 10:
    case 127:
      return true;
    case 100:
      return b >= 64 && b < 128;
    case 169:
      return b === 254;
    case 172:
      return b >= 16 && b < 32;
    case 192:
      return b === 168;
    default:
      return false;
  }
}

/** fc00::/7 and fe80::/10. */
function isLocalV6(a: number, b: number): boolean {
  return (a & 0xfe) === 0xfc || (a === 0xfe && (b & 0xc0) === 0x80);
}

function isLoopbackV6(ip: Uint8Array): boolean {
  return ip[15] === 1 && ip.subarray(0, 15).every((byte) => byte === 0);
}
