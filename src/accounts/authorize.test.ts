import { expect, test } from 'vitest';
import { Forbidden, Unauthorized } from '../base/errors.ts';
import { parsePubkey } from '../base/ids.ts';
import { authorize, verdict } from './authorize.ts';
import type { Claim } from './claim.ts';

const alice = parsePubkey('aa'.repeat(32));
const bob = parsePubkey('bb'.repeat(32));
const key = (role: 'owner' | 'member' | 'guest', pubkey = alice): Claim => ({
  kind: 'key',
  pubkey,
  role,
  quotaBytes: 1,
});
const visitor: Claim = { kind: 'guest', quotaBytes: 1 };

test.each([
  { who: 'the owner', claim: key('owner'), owner: true, members: true, anyone: true },
  { who: 'a member', claim: key('member'), owner: false, members: true, anyone: true },
  { who: 'a stranger with a key', claim: key('guest'), owner: false, members: false, anyone: true },
  { who: 'a visitor without a key', claim: visitor, owner: false, members: false, anyone: true },
])('$who may upload exactly where the policy says so', ({ claim, ...want }) => {
  for (const policy of ['owner', 'members', 'anyone'] as const) {
    expect(verdict(claim, { kind: 'upload', policy }).allowed).toBe(want[policy]);
  }
});

test('who keeps a file, and the server owner, may delete it; nobody else', () => {
  const action = { kind: 'delete', owners: [alice] } as const;
  expect(verdict(key('member', alice), action).allowed).toBe(true);
  expect(verdict(key('owner', bob), action).allowed).toBe(true);
  expect(verdict(key('member', bob), action).allowed).toBe(false);
  expect(verdict(visitor, { kind: 'delete', owners: [undefined] }).allowed).toBe(false);
});

test('an unfinished upload belongs to who began it, not even to the server owner', () => {
  expect(verdict(key('member', alice), { kind: 'continue-upload', owner: alice }).allowed).toBe(true);
  expect(verdict(key('owner', bob), { kind: 'continue-upload', owner: alice }).allowed).toBe(false);
  expect(verdict(visitor, { kind: 'continue-upload', owner: alice }).allowed).toBe(false);
  expect(verdict(visitor, { kind: 'continue-upload', owner: undefined }).allowed).toBe(true);
  expect(verdict(key('member', alice), { kind: 'continue-upload', owner: undefined }).allowed).toBe(false);
});

test('a visitor is asked to sign in, a known key is told no', () => {
  expect(() => authorize(visitor, { kind: 'manage-members' })).toThrow(Unauthorized);
  expect(() => authorize(key('member'), { kind: 'manage-members' })).toThrow(Forbidden);
  authorize(key('owner'), { kind: 'manage-members' });
});
