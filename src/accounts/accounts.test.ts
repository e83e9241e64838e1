import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { testFolder } from '../../test/support/temp-dir.ts';
import { SqliteRows } from '../adapters/sqlite/sqlite-rows.ts';
import { Conflict, Forbidden, NotFound, Unauthorized } from '../base/errors.ts';
import { parseSha256 } from '../base/ids.ts';
import { DAY_MS } from '../base/units.ts';
import { authorizationOf, httpAuthEvent } from '../nostr/auth.ts';
import { generateSecretKey, publicKeyOf, signEvent } from '../nostr/event.ts';
import { Accounts, SESSION_LIFETIME_MS, type AccountSettings, type RequestCredentials } from './accounts.ts';
import { accountMigrations, type AccountTables } from './tables.ts';

const NOW_MS = 1_800_000_000_000;
const settings: AccountSettings = {
  publicUrl: 'https://media.example',
  uploads: 'members',
  quotaBytes: 1_000,
  guestQuotaBytes: 10,
  setupToken: 'the-secret-of-the-link',
};

async function setUp() {
  const clock = new FakeClock(NOW_MS);
  const file = path.join(await testFolder('accounts'), 'seedbed.db');
  const open = async (more: Partial<AccountSettings> = {}) => {
    const rows = await SqliteRows.open<AccountTables>({ file, migrations: accountMigrations });
    onTestFinished(() => rows.close());
    return new Accounts(rows, clock, { ...settings, ...more });
  };
  return { clock, open, accounts: await open() };
}

function signed(
  secretKey: Uint8Array,
  method = 'POST',
  target = '/api/v1/session',
  nowMs = NOW_MS,
): RequestCredentials {
  const event = httpAuthEvent({ method, url: `${settings.publicUrl}${target}`, nowSec: nowMs / 1000 });
  return { method, target, authorization: authorizationOf(signEvent(secretKey, event)) };
}

const byCookie = (sessionToken: string, more: Partial<RequestCredentials> = {}): RequestCredentials => ({
  method: 'GET',
  target: '/',
  sessionToken,
  ...more,
});

test('a visitor without credentials is a guest with the shared quota', async () => {
  const { accounts } = await setUp();
  expect(await accounts.claimFor({ method: 'GET', target: '/' })).toEqual({ kind: 'guest', quotaBytes: 10 });
});

test('a signed request opens a session that outlives a restart and ends after its lifetime', async () => {
  const { accounts, open, clock } = await setUp();
  const secretKey = generateSecretKey();
  const { token } = await accounts.openSession(signed(secretKey));
  const restarted = await open();
  const claim = { kind: 'key', pubkey: publicKeyOf(secretKey), role: 'guest', quotaBytes: 1_000 };
  expect(await restarted.claimFor(byCookie(token))).toEqual(claim);
  clock.advance(SESSION_LIFETIME_MS);
  await expect(restarted.claimFor(byCookie(token))).rejects.toThrow(Unauthorized);
});

test('signing out ends the session at once', async () => {
  const { accounts } = await setUp();
  const { token } = await accounts.openSession(signed(generateSecretKey()));
  await accounts.closeSession(token);
  await expect(accounts.claimFor(byCookie(token))).rejects.toThrow(Unauthorized);
});

test('a NIP-98 event counts once, even after a restart', async () => {
  const { accounts, open } = await setUp();
  const request = signed(generateSecretKey());
  await accounts.openSession(request);
  await expect(accounts.openSession(request)).rejects.toThrow(/used before/);
  await expect((await open()).openSession(request)).rejects.toThrow(/used before/);
});

test('of many uses of one event at the same moment exactly one holds', async () => {
  const { accounts } = await setUp();
  const request = signed(generateSecretKey());
  const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => accounts.claimFor(request)));
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});

test('a changing request with a cookie from a foreign page is refused; reading, and our own page, are not', async () => {
  const { accounts } = await setUp();
  const { token } = await accounts.openSession(signed(generateSecretKey()));
  const forged = byCookie(token, { method: 'DELETE', origin: 'https://evil.example' });
  await expect(accounts.claimFor(forged)).rejects.toThrow(Unauthorized);
  await accounts.claimFor({ ...forged, method: 'GET' });
  await accounts.claimFor({ ...forged, origin: settings.publicUrl });
});

test('the set-up link makes one owner, once', async () => {
  const { accounts } = await setUp();
  const first = generateSecretKey();
  expect(await accounts.hasOwner()).toBe(false);
  await expect(accounts.becomeOwner(signed(first, 'POST', '/api/v1/setup'), 'wrong')).rejects.toThrow(Forbidden);
  const session = await accounts.becomeOwner(signed(first, 'POST', '/api/v1/setup'), settings.setupToken);
  expect(await accounts.claimFor(byCookie(session.token))).toMatchObject({ role: 'owner' });
  expect(await accounts.hasOwner()).toBe(true);
  const second = signed(generateSecretKey(), 'POST', '/api/v1/setup');
  await expect(accounts.becomeOwner(second, settings.setupToken)).rejects.toThrow(Conflict);
});

test('the secret of the set-up link is given up when it has been used', async () => {
  const { open } = await setUp();
  const given: string[] = [];
  const accounts = await open({ onOwned: async () => void given.push('up') });
  await accounts.becomeOwner(signed(generateSecretKey(), 'POST', '/api/v1/setup'), settings.setupToken);
  expect(given).toEqual(['up']);
});

test('two visitors who open the set-up link at the same moment do not both become owner', async () => {
  const { accounts } = await setUp();
  const outcomes = await Promise.allSettled(
    Array.from({ length: 10 }, () =>
      accounts.becomeOwner(signed(generateSecretKey(), 'POST', '/api/v1/setup'), settings.setupToken),
    ),
  );
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});

test('the owner adds members, sets their quota and removes them; nobody else does', async () => {
  const { accounts } = await setUp();
  const ownerKey = generateSecretKey();
  const { claim: owner } = await accounts.becomeOwner(signed(ownerKey, 'POST', '/api/v1/setup'), settings.setupToken);
  const friendKey = generateSecretKey();
  const friend = publicKeyOf(friendKey);
  const { token, claim: stranger } = await accounts.openSession(signed(friendKey));
  await expect(accounts.putMember(stranger, friend, undefined)).rejects.toThrow(Forbidden);
  await accounts.putMember(owner, friend, 5);
  expect(await accounts.claimFor(byCookie(token))).toMatchObject({ role: 'member', quotaBytes: 5 });
  expect((await accounts.listMembers(owner)).map(({ role }) => role).sort()).toEqual(['member', 'owner']);
  await accounts.removeMember(owner, friend);
  await expect(accounts.claimFor(byCookie(token))).rejects.toThrow(Unauthorized);
  await expect(accounts.removeMember(owner, friend)).rejects.toThrow(NotFound);
  await expect(accounts.removeMember(owner, owner.pubkey)).rejects.toThrow(NotFound);
});

test('changing the quota of the owner leaves the owner the owner', async () => {
  const { accounts } = await setUp();
  const session = await accounts.becomeOwner(signed(generateSecretKey(), 'POST', '/api/v1/setup'), settings.setupToken);
  await accounts.putMember(session.claim, session.claim.pubkey, 7);
  expect(await accounts.claimFor(byCookie(session.token))).toMatchObject({ role: 'owner', quotaBytes: 7 });
});

const blob = parseSha256('ab'.repeat(32));
function blossom(secretKey: Uint8Array, verb: 'upload' | 'delete'): RequestCredentials {
  const tags = [
    ['t', verb],
    ['x', blob],
    ['expiration', String(NOW_MS / 1000 + 300)],
  ];
  const event = signEvent(secretKey, { kind: 24_242, created_at: NOW_MS / 1000, tags, content: verb });
  return { method: 'PUT', target: '/upload', authorization: authorizationOf(event), blossom: { verb, blob } };
}

test('a Blossom upload token may serve several requests and limits the claim to its blobs', async () => {
  const { accounts } = await setUp();
  const request = blossom(generateSecretKey(), 'upload');
  expect(await accounts.claimFor(request)).toMatchObject({ blobs: new Set([blob]) });
  expect(await accounts.claimFor(request)).toMatchObject({ kind: 'key' });
});

test('a Blossom delete token counts once', async () => {
  const { accounts } = await setUp();
  const request = blossom(generateSecretKey(), 'delete');
  await accounts.claimFor(request);
  await expect(accounts.claimFor(request)).rejects.toThrow(/used before/);
});

test('a Blossom token is no NIP-98 event at a door that does not speak Blossom', async () => {
  const { accounts } = await setUp();
  const { method, target, authorization = '' } = blossom(generateSecretKey(), 'upload');
  await expect(accounts.claimFor({ method, target, authorization })).rejects.toThrow(Unauthorized);
});

test('pruning forgets only what can no longer be used', async () => {
  const { accounts, clock } = await setUp();
  const request = signed(generateSecretKey());
  const { token } = await accounts.openSession(request);
  await accounts.prune();
  await expect(accounts.claimFor(request)).rejects.toThrow(/used before/);
  await accounts.claimFor(byCookie(token));
  clock.advance(31 * DAY_MS);
  await accounts.prune();
  await expect(accounts.claimFor(byCookie(token))).rejects.toThrow(/has ended/);
});
