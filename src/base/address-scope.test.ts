import { expect, test } from 'vitest';
import { type AddressScope, scopeOf } from './address-scope.ts';

test.each<[AddressScope, string]>([
  ['public', '1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.0.1'],
  ['public', '172.15.255.255 172.32.0.0 192.0.1.1 192.167.255.255 192.169.0.0 198.17.0.1 198.20.0.0 223.255.255.255'],
  [
    'public',
    '2000::1 2001:200::1 2001:4860:4860::8888 2001:db7::1 2001:db9::1 2003::1 2606:4700::1 3ffe::1 3fff:1000::',
  ],
  [
    'private',
    '10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255',
  ],
  ['private', 'fc00:: fdff:ffff::1'],
  ['loopback', '127.0.0.1 127.255.255.255 ::1'],
  ['special', '0.0.0.0 0.255.255.255 169.254.169.254 192.0.0.1 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255'],
  ['special', '198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255'],
  ['special', ':: ::2 fe80::1 fec0::1 ff02::1 100::1 64:ff9b::7f00:1 64:ff9b:1::1 1fff:: 4000:: 5f00::1 fbff::1'],
  ['special', '2001::1 2001:1ff::1 2001:db8::1 2002:7f00:1:: 3fff:: 3fff:fff::1'],
])('%s: %s', (scope, hosts) => {
  for (const host of hosts.split(' ')) expect(`${host} ${scopeOf(host)}`).toBe(`${host} ${scope}`);
});

test.each([
  ['::ffff:127.0.0.1', 'loopback'],
  ['::ffff:7f00:1', 'loopback'],
  ['0:0:0:0:0:FFFF:0A00:0001', 'private'],
  ['::ffff:8.8.8.8', 'public'],
  ['::127.0.0.1', 'special'], // IPv4-compatible, which some stacks still dial
])('%s is judged by the address it carries: %s', (host, scope) => {
  expect(scopeOf(host)).toBe(scope);
});

test.each(['', 'localhost', '127.1', '0x7f.0.0.1', '2130706433', '127.0.0.01', 'fe80::1%eth0', '[::1]', '1.1.1.1:80'])(
  'what is no IP literal (%j) is never public',
  (text) => {
    expect(scopeOf(text)).toBe('special');
  },
);
