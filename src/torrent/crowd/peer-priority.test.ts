import { expect, test } from 'vitest';
import { utf8 } from '../../base/bytes.ts';
import { crc32c } from '../../codec/crc32c.ts';
import { canonicalPriority } from './peer-priority.ts';

const at = (host: string, port = 6881): { host: string; port: number } => ({ host, port });

test('CRC-32C of the check text is that of RFC 3720', () => {
  expect(crc32c(utf8('123456789'))).toBe(0xe3069283);
});

test.each([
  { a: '123.213.32.10', b: '98.76.54.32', priority: 0xec2d7224 },
  { a: '123.213.32.10', b: '123.213.32.234', priority: 0x99568189 },
])('the priority of $a and $b is that of BEP 40, whoever computes it', ({ a, b, priority }) => {
  expect(canonicalPriority(at(a), at(b))).toBe(priority);
  expect(canonicalPriority(at(b), at(a))).toBe(priority);
});

test.each([
  { what: 'in the same /24 every bit counts', a: '192.0.2.1', b: '192.0.2.9', c: '192.0.2.11', same: false },
  { what: 'in the same /16 half of the last byte', a: '192.0.2.1', b: '192.0.3.1', c: '192.0.3.3', same: true },
  { what: 'elsewhere half of the third byte, too', a: '192.0.2.1', b: '203.0.4.1', c: '203.0.6.1', same: true },
  { what: 'in the same /16 all of the third', a: '192.0.2.1', b: '192.0.4.1', c: '192.0.6.1', same: false },
])('$what', ({ a, b, c, same }) => {
  expect(canonicalPriority(at(a), at(b)) === canonicalPriority(at(a), at(c))).toBe(same);
});

test('behind one address the ports decide, and families do not mix', () => {
  const here = at('192.0.2.1', 1);
  expect(canonicalPriority(here, at('192.0.2.1', 2))).not.toBe(canonicalPriority(here, at('192.0.2.1', 3)));
  expect(canonicalPriority(here, at('2001:db8::1'))).toBe(0);
});
