import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { remoteHostOf } from './remote.ts';

function from(remoteAddress: string | undefined, forwardedFor?: string): IncomingMessage {
  const headers = forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor };
  return { socket: { remoteAddress }, headers } as unknown as IncomingMessage;
}

test.each([
  ['203.0.113.5', undefined, '203.0.113.5'],
  ['::ffff:203.0.113.5', undefined, '203.0.113.5'],
  ['2001:db8::1', undefined, '2001:db8::1'],
  ['fe80::1%eth0', undefined, 'fe80::1'],
  ['127.0.0.1', '198.51.100.7', '198.51.100.7'],
  ['::1', '6.6.6.6, 198.51.100.7', '198.51.100.7'],
  ['127.0.0.1', '::ffff:198.51.100.7', '198.51.100.7'],
  ['127.0.0.1', 'unknown', '127.0.0.1'],
  ['127.0.0.1', '', '127.0.0.1'],
  ['203.0.113.5', '198.51.100.7', '203.0.113.5'],
  [undefined, undefined, '::'],
])('behind a trusted proxy %s with X-Forwarded-For %s comes from %s', (address, forwarded, host) => {
  expect(remoteHostOf(from(address, forwarded), true)).toBe(host);
});

test('without that trust nobody can claim another address', () => {
  expect(remoteHostOf(from('127.0.0.1', '198.51.100.7'), false)).toBe('127.0.0.1');
});
