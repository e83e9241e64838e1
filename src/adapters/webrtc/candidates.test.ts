import { expect, test } from 'vitest';
import { AddressPolicy } from '../../base/address-policy.ts';
import { type AddressFilter, CandidateGate, MAX_CANDIDATES } from './candidates.ts';

const policy = new AddressPolicy();
/** As strangers may. */
const told: AddressFilter = (address) => policy.allowsPeer(address, 'told');

function admitted(candidate: string, allows: AddressFilter = told): string | undefined {
  return new CandidateGate(allows).admit({ candidate, sdpMid: '0' })?.candidate;
}

const host = (address: string, port = 40_000): string => `candidate:1 1 UDP 2122317823 ${address} ${port} typ host`;

test.each([
  [host('93.184.215.14'), host('93.184.215.14')],
  [host('2606:4700:0::7'), host('2606:4700::7')],
  [
    'candidate:842163049 1 udp 1677729535 93.184.215.14 40000 typ srflx raddr 192.168.1.7 rport 9 generation 0 ufrag x',
    'candidate:842163049 1 UDP 1677729535 93.184.215.14 40000 typ srflx',
  ],
])('the candidate "%s" reaches the library in our own words', (text, written) => {
  expect(admitted(text)).toBe(written);
});

test.each([
  ['this machine', host('127.0.0.1')],
  ['this machine, mapped into IPv6', host('::ffff:127.0.0.1')],
  ['a private network', host('192.168.1.7')],
  ['the secrets of cloud machines', host('169.254.169.254', 80)],
  ['documentation', host('192.0.2.7')],
  ['port 0', host('93.184.215.14', 0)],
  ['a port beyond the last', host('93.184.215.14', 65_536)],
  ['an mDNS name', host('6a1f0b6e-1111.local')],
  ['another name', host('metadata.internal')],
  ['a short spelling', host('127.1')],
  ['an address with a zone', host('fe80::1%eth0')],
  ['TCP', 'candidate:1 1 TCP 1 93.184.215.14 9 typ host tcptype active'],
  ['fields in a place that other readers do not see', `candidate:1\u{a0}1 1 UDP 93.184.215.14 127.0.0.1 5000 typ host`],
  ['a second line', `${host('93.184.215.14')}\r\na=${host('127.0.0.1')}`],
  ['endless extensions', `${host('93.184.215.14')} ${'x'.repeat(600)}`],
  ['nothing, which ends the candidates', ''],
])('a candidate with %s never reaches the library', (_what, text) => {
  expect(admitted(text)).toBeUndefined();
});

test('where its network is allowed, an inner candidate is taken as any other', () => {
  const home = new AddressPolicy({ allowPrivate: true });
  expect(admitted(host('192.168.1.7'), (address) => home.allowsPeer(address, 'told'))).toBe(host('192.168.1.7'));
});

test('sixteen addresses are taken of one peer, and refused or repeated ones take nobody’s place', () => {
  const gate = new CandidateGate(told);
  const taken = (candidate: string): boolean => gate.admit({ candidate, sdpMid: '0' }) !== undefined;
  const named = Array.from({ length: 100 }, (_, at) => host('93.184.215.14', at + 1));
  expect(taken(host('10.0.0.1'))).toBe(false);
  expect([taken(named[0] ?? ''), taken(named[0] ?? '')]).toEqual([true, false]);
  expect(named.filter((candidate) => taken(candidate))).toEqual(named.slice(1, MAX_CANDIDATES));
});
