import { expect, test } from 'vitest';
import { checkHttpAuth, eventFromAuthorization } from '../../../src/nostr/auth.ts';
import { generateSecretKey, publicKeyOf, signEvent } from '../../../src/nostr/event.ts';
import { encodePubkey, encodeSecretKey, parsePubkeyText, parseSecretKey } from './keys.ts';
import { authorizePost, createIdentity, importIdentity } from './session.ts';
import { findExtension, signAs, type NostrExtension } from './signer.ts';

const NOW_MS = 1_790_000_000_000;
const server = { publicUrl: 'https://seed.example' };

test('a key survives its back-up: nsec out, the same identity in', () => {
  const identity = createIdentity();
  const restored = importIdentity(`  ${encodeSecretKey(identity.secretKey)}\n`);
  expect(restored.pubkey).toBe(identity.pubkey);
  expect([identity.backedUp, restored.backedUp]).toEqual([false, true]);
});

test('the published vectors of NIP-19 are read and written', () => {
  const nsec = 'nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5';
  const hex = '67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa';
  expect(Buffer.from(parseSecretKey(nsec)).toString('hex')).toBe(hex);
  expect(encodeSecretKey(parseSecretKey(hex))).toBe(nsec);
});

test.each([
  { text: '', says: 'not a private key' },
  { text: 'nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe4', says: 'not a private key' },
  { text: encodePubkey(createIdentity().pubkey), says: 'public key' },
])('$text is refused without being repeated', ({ text, says }) => {
  const attempt = (): unknown => parseSecretKey(text);
  expect(attempt).toThrow(says);
  if (text !== '') expect(attempt).not.toThrow(text);
});

test('a public key is read as npub or hex, and a private one is turned away without being repeated', () => {
  const { pubkey, secretKey } = createIdentity();
  expect(parsePubkeyText(` ${encodePubkey(pubkey)} `)).toBe(pubkey);
  expect(parsePubkeyText(pubkey.toUpperCase())).toBe(pubkey);
  const leak = (): unknown => parsePubkeyText(encodeSecretKey(secretKey));
  expect(leak).toThrow('private key');
  expect(leak).not.toThrow(encodeSecretKey(secretKey));
  expect(() => parsePubkeyText('npub1broken')).toThrow('not a public key');
});

test('the server accepts what signs a POST, for that address and body alone (NIP-98)', async () => {
  const identity = createIdentity();
  const header = await authorizePost(identity, server, '/api/v1/setup', '{"token":"t"}', NOW_MS);
  const event = eventFromAuthorization(header);
  const facts = { method: 'POST', url: 'https://seed.example/api/v1/setup', nowSec: NOW_MS / 1000 };
  expect(event.pubkey).toBe(identity.pubkey);
  expect(() => checkHttpAuth(event, facts)).not.toThrow();
  expect(() => checkHttpAuth(event, { ...facts, url: 'https://evil.example/api/v1/setup' })).toThrow('another URL');
  expect(() => checkHttpAuth(event, { ...facts, method: 'DELETE' })).toThrow('another method');
});

test('two sign-ins within one second are two events: a server takes each only once', async () => {
  const identity = createIdentity();
  const signIn = (): Promise<string> => authorizePost(identity, server, '/api/v1/session', undefined, NOW_MS);
  const [first, second] = [eventFromAuthorization(await signIn()), eventFromAuthorization(await signIn())];
  expect(first.id).not.toBe(second.id);
});

test('the private key is in nothing that is sent', async () => {
  const identity = createIdentity();
  const header = await authorizePost(identity, server, '/api/v1/session', undefined, NOW_MS);
  const sent = Buffer.from(header.slice('Nostr '.length), 'base64url').toString();
  expect(sent).not.toContain(Buffer.from(identity.secretKey).toString('hex'));
});

const extensionKey = generateSecretKey();
const extensionPubkey = publicKeyOf(extensionKey);
const extension: NostrExtension = {
  getPublicKey: async () => extensionPubkey,
  signEvent: async (event) => signEvent(extensionKey, event),
};

test.each([
  { scope: {}, found: false },
  { scope: { nostr: {} }, found: false },
  { scope: { nostr: { getPublicKey: true } }, found: false },
  { scope: { nostr: extension }, found: true },
])('an extension counts when it can say who it is and sign: $found', ({ scope, found }) => {
  expect(findExtension(scope) !== undefined).toBe(found);
});

test('an extension that signs with another key than before is refused', async () => {
  Object.assign(globalThis, { nostr: extension });
  try {
    const event = { kind: 27_235, created_at: 1, tags: [], content: '' };
    const own = { kind: 'extension', pubkey: extensionPubkey, signedOut: false } as const;
    await expect(signAs(own, event)).resolves.toMatchObject({ pubkey: own.pubkey });
    await expect(signAs({ ...own, pubkey: createIdentity().pubkey }, event)).rejects.toThrow('another key');
  } finally {
    Reflect.deleteProperty(globalThis, 'nostr');
  }
});
