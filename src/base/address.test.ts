import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatIp, householdOf, parseIp, siteOf } from './address.ts';
import { InvalidInput } from './errors.ts';

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::', '::'],
  ['::1', '::1'],
  ['1::', '1::'],
  ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::ffff:c000:201', '192.0.2.1'],
  ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
])('%s is spelled %s', (text, canonical) => {
  expect(formatIp(parseIp(text))).toBe(canonical);
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
  ['2001:db8:1:3::9', '2001:db8:1:3::/64'],
])('%s counts for %s where shares are bounded', (host, household) => {
  expect(householdOf(host)).toBe(household);
});

describe('only plain IP literals are taken', () => {
  test.each([
    '',
    'localhost',
    '127.1',
    '2130706433',
    '0x7f.0.0.1',
    '127.0.0.01',
    '256.0.0.1',
    '1.2.3.4.5',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '12345::',
    'fe80::1%eth0',
    '[::1]',
    '1.2.3.4::',
    '::1.2.3',
    ' ::1',
  ])('%j is refused', (text) => {
    expect(() => parseIp(text)).toThrow(InvalidInput);
  });

  test.each([0, 3, 5, 15, 17])('%d bytes are no address', (length) => {
    expect(() => formatIp(new Uint8Array(length))).toThrow(InvalidInput);
  });
});

test('every address survives being written and read, in either case', () => {
  const sparse = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 255 })), { minLength: 16, maxLength: 16 });
  const v6 = sparse.map((list) => Uint8Array.from(list)).filter((ip) => ip.subarray(0, 10).some((byte) => byte !== 0));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), v6), (ip) => {
      expect([...parseIp(formatIp(ip))]).toEqual([...ip]);
      expect([...parseIp(formatIp(ip).toUpperCase())]).toEqual([...ip]);
    }),
    { numRuns: 2_000 },
  );
});

test('noise is an address or InvalidInput', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdef:.%[]')), maxLength: 45 }), (text) => {
      try {
        expect([4, 16]).toContain(parseIp(text).length);
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidInput);
      }
    }),
    { numRuns: 5_000 },
  );
});

test.each([
  { host: '192.0.2.1', site: [192, 0, 2, 1] },
  { host: '::ffff:192.0.2.1', site: [192, 0, 2, 1] },
  { host: '2001:db8:1:2:3:4:5:6', site: [0x20, 0x01, 0x0d, 0xb8, 0, 1] },
])('the site of $host is $site', ({ host, site }) => {
  expect([...siteOf(parseIp(host))]).toEqual(site);
});
