import { expect, test } from 'vitest';
import { parseIp } from '../base/address.ts';
import { isLocalAddress } from './local-address.ts';

test.each([
  '10.0.0.1',
  '127.0.0.1',
  '100.64.0.1',
  '100.127.255.255',
  '169.254.1.1',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '::1',
  'fc00::1',
  'fdff::1',
  'fe80::1',
  'febf::1',
])('%s means something only inside its network', (host) => {
  expect(isLocalAddress(parseIp(host))).toBe(true);
});

test.each([
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '169.253.1.1',
  '172.15.0.1',
  '172.32.0.0',
  '192.167.1.1',
  '8.8.8.8',
  '::2',
  '1::1',
  'fbff::1',
  'fec0::1',
  'ff02::1',
  '2001:db8::1',
])('%s means the same everywhere', (host) => {
  expect(isLocalAddress(parseIp(host))).toBe(false);
});
