import { describe, expect, test } from 'vitest';
import { AddressPolicy, type AddressPolicyOptions, type AddressSource } from './address-policy.ts';

const HOSTS = { public: '93.184.215.14', private: '192.168.1.7', loopback: '127.0.0.1', special: '169.254.169.254' };

test.each<[string, AddressPolicyOptions, AddressSource, string]>([
  ['strangers', {}, 'told', 'public'],
  ['peers seen at their address', {}, 'observed', 'public private loopback'],
  ['a person', {}, 'judged', 'public private loopback special'],
  ['peers behind what may be a proxy', { loopbackIsPeer: false }, 'observed', 'public private'],
  ['strangers, where the operator lets them,', { allowPrivate: true }, 'told', 'public private loopback'],
  [
    'peers, where the operator lets them,',
    { allowPrivate: true, loopbackIsPeer: false },
    'observed',
    'public private loopback',
  ],
])('%s (%j, %s) may name: %s', (_who, options, source, scopes) => {
  const policy = new AddressPolicy(options);
  const allowed = Object.entries(HOSTS).filter(([, host]) => policy.allowsHost(host, source));
  expect(allowed.map(([scope]) => scope).join(' ')).toBe(scopes);
});

describe('inside a network', () => {
  test.each([
    [HOSTS.private, 22, 'observed', false],
    [HOSTS.private, 1_023, 'observed', false],
    [HOSTS.private, 1_024, 'observed', true],
    [HOSTS.private, 22, 'judged', true],
    [HOSTS.public, 80, 'told', true],
    [HOSTS.public, 0, 'judged', false],
    [HOSTS.public, 65_536, 'judged', false],
  ] as const)('a peer at %s port %i (%s) may be dialled: %s', (host, port, source, allowed) => {
    expect(new AddressPolicy().allowsPeer({ host, port }, source)).toBe(allowed);
  });

  test('an address that a person led us to may be named by strangers, its neighbours not', () => {
    const policy = new AddressPolicy();
    policy.trust('192.168.1.7');
    expect(policy.allowsHost('192.168.1.7', 'told')).toBe(true);
    expect(policy.allowsHost('192.168.1.8', 'told')).toBe(false);
  });
});

test.each([
  ['its own', HOSTS.private, HOSTS.private, 6881, true],
  ['its own, seen in another spelling', `::ffff:${HOSTS.private}`, HOSTS.private, 6881, true],
  ['its own at another service’s port', HOSTS.private, HOSTS.private, 53, false],
  ['a neighbour’s', HOSTS.private, '192.168.1.8', 6881, false],
  ['one of ours', HOSTS.private, HOSTS.loopback, 6881, false],
  ['a public one', HOSTS.private, HOSTS.public, 6881, true],
])('of addresses a peer may name %s (seen at %s: %s:%i): %s', (_whose, seen, host, port, allowed) => {
  expect(new AddressPolicy().allowsPeerOf(seen, { host, port })).toBe(allowed);
});

test.each([
  ['public', 'public'],
  ['private', 'public private'],
  ['loopback', 'public private loopback'],
] as const)('a tracker at a %s address names peers at: %s', (tracker, scopes) => {
  const policy = new AddressPolicy();
  const allowed = Object.entries(HOSTS).filter(([, host]) =>
    policy.allowsPeerFrom(HOSTS[tracker], { host, port: 6881 }),
  );
  expect(allowed.map(([scope]) => scope).join(' ')).toBe(scopes);
  expect(policy.allowsPeerFrom(HOSTS[tracker], { host: HOSTS.private, port: 22 })).toBe(false);
});
