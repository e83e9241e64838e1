import { expect, test } from 'vitest';
import { addressReachableFrom } from './reachable.ts';

const lan = { address: '192.168.1.5', family: 'IPv4', cidr: '192.168.1.5/24', internal: false } as const;
const lan6 = { address: 'fd00::5', family: 'IPv6', cidr: 'fd00::5/64', internal: false } as const;
const loopback = { address: '127.0.0.1', family: 'IPv4', cidr: '127.0.0.1/8', internal: true } as const;
const open = {
  listenHost: '0.0.0.0',
  interfaces: [loopback, lan, lan6],
  publicAddresses: ['203.0.113.9', '2001:db8::9'],
};
const local = { ...open, listenHost: '127.0.0.1' };

test.each([
  { from: '127.0.0.1', network: open, reaches: '127.0.0.1' },
  { from: '::1', network: open, reaches: '::1' },
  { from: '192.168.1.77', network: open, reaches: '192.168.1.5' },
  { from: '::ffff:192.168.1.77', network: open, reaches: '192.168.1.5' },
  { from: 'fd00::77', network: open, reaches: 'fd00::5' },
  { from: '198.51.100.4', network: open, reaches: '203.0.113.9' },
  { from: '2001:db8:1::4', network: open, reaches: '2001:db8::9' },
  { from: '198.51.100.4', network: { ...open, publicAddresses: [] }, reaches: undefined },
  { from: '198.51.100.4', network: { ...open, publicAddresses: ['127.0.0.1'] }, reaches: undefined },
  { from: '127.0.0.1', network: local, reaches: '127.0.0.1' },
  { from: '192.168.1.77', network: local, reaches: undefined },
  { from: '10.1.0.2', network: { ...open, listenHost: '10.1.0.1' }, reaches: '10.1.0.1' },
])('a peer at $from of a server on $network.listenHost is told $reaches', ({ from, network, reaches }) => {
  expect(addressReachableFrom(from, network)).toBe(reaches);
});
