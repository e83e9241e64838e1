import { expect, test } from 'vitest';
import { Unauthorized } from '../base/errors.ts';
import { parseSha256 } from '../base/ids.ts';
import {
  authorizationOf,
  checkBlossomAuth,
  checkHttpAuth,
  eventFromAuthorization,
  httpAuthEvent,
  sha256Of,
} from './auth.ts';
import { generateSecretKey, signEvent, type VerifiedEvent } from './event.ts';

const secretKey = generateSecretKey();
const nowSec = 1_800_000_000;
const blob = parseSha256('ab'.repeat(32));
const otherBlob = parseSha256('cd'.repeat(32));
const url = 'https://media.example/api/v1/session?x=1';

function receive(kind: number, tags: string[][], createdAtSec = nowSec): VerifiedEvent {
  return eventFromAuthorization(
    authorizationOf(signEvent(secretKey, { kind, created_at: createdAtSec, tags, content: '' })),
  );
}

const httpTags = [
  ['u', url],
  ['method', 'POST'],
];
const request = { method: 'POST', url, nowSec };

test('a fresh NIP-98 event for this request holds', async () => {
  const bodySha256 = await sha256Of(new Uint8Array([1, 2, 3]));
  const event = signEvent(secretKey, httpAuthEvent({ ...request, bodySha256 }));
  checkHttpAuth(eventFromAuthorization(authorizationOf(event)), { ...request, bodySha256 });
});

test('standard base64 with padding is understood as well as base64url', () => {
  const event = signEvent(secretKey, httpAuthEvent(request));
  const header = `Nostr ${Buffer.from(JSON.stringify(event)).toString('base64')}`;
  checkHttpAuth(eventFromAuthorization(header), request);
});

test.each([
  ['a wrong kind', () => receive(27_236, httpTags)],
  ['an old event', () => receive(27_235, httpTags, nowSec - 61)],
  ['an event from the future', () => receive(27_235, httpTags, nowSec + 61)],
  ['no u tag', () => receive(27_235, [['method', 'POST']])],
  ['two u tags', () => receive(27_235, [...httpTags, ['u', 'https://evil.example']])],
  [
    'a u without the query',
    () =>
      receive(27_235, [
        ['u', 'https://media.example/api/v1/session'],
        ['method', 'POST'],
      ]),
  ],
  [
    'http instead of https',
    () =>
      receive(27_235, [
        ['u', url.replace('https', 'http')],
        ['method', 'POST'],
      ]),
  ],
  [
    'another method',
    () =>
      receive(27_235, [
        ['u', url],
        ['method', 'GET'],
      ]),
  ],
])('NIP-98 refuses %s', (_name, make) => {
  expect(() => checkHttpAuth(make(), request)).toThrow(Unauthorized);
});

test('NIP-98 refuses a body that was not signed', async () => {
  const bodySha256 = await sha256Of(new Uint8Array([1]));
  expect(() => checkHttpAuth(receive(27_235, httpTags), { ...request, bodySha256 })).toThrow(Unauthorized);
  expect(() => checkHttpAuth(receive(27_235, [...httpTags, ['payload', blob]]), { ...request, bodySha256 })).toThrow(
    Unauthorized,
  );
});

const token = { t: 'upload', x: blob as string, expiration: String(nowSec + 300), server: 'media.example' };
const tagsOf = (change: Partial<Record<keyof typeof token, string | undefined>>): string[][] =>
  Object.entries({ ...token, ...change }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
const upload = { verb: 'upload' as const, blob, host: 'media.example', nowSec };

test.each([
  ['as our own client signs it', tagsOf({})],
  ['without a server tag', tagsOf({ server: undefined })],
  ['with a URL and port as server', tagsOf({ server: 'https://MEDIA.example:443/' })],
  ['for an hour, as common clients do', tagsOf({ expiration: String(nowSec + 3600) })],
  ['that names several blobs', [...tagsOf({}), ['x', otherBlob]]],
])('a Blossom token %s holds', (_name, tags) => {
  expect(checkBlossomAuth(receive(24_242, tags), upload)).toContain(blob);
});

test.each([
  ['expired', 24_242, tagsOf({ expiration: String(nowSec) })],
  ['without expiration', 24_242, tagsOf({ expiration: undefined })],
  ['valid for a year', 24_242, tagsOf({ expiration: String(nowSec + 31_536_000) })],
  ['for another action', 24_242, tagsOf({ t: 'delete' })],
  ['for another server', 24_242, tagsOf({ server: 'evil.example' })],
  ['whose server has ours as a suffix', 24_242, tagsOf({ server: 'media.example.evil.example' })],
  ['without x', 24_242, tagsOf({ x: undefined })],
  ['for another blob', 24_242, tagsOf({ x: otherBlob })],
  ['with a malformed x', 24_242, tagsOf({ x: 'abc' })],
  ['of another kind', 27_235, tagsOf({})],
])('a Blossom token %s is refused', (_name, kind, tags) => {
  expect(() => checkBlossomAuth(receive(kind, tags), upload)).toThrow(Unauthorized);
});

test('a Blossom token from the future is refused', () => {
  expect(() => checkBlossomAuth(receive(24_242, tagsOf({}), nowSec + 120), upload)).toThrow(Unauthorized);
});

test.each([
  '',
  'Bearer abc',
  'Nostr {}',
  `Nostr ${btoa('hello')}`,
  `Nostr ${btoa('null')}`,
  `Nostr ${'A'.repeat(20_000)}`,
])('the header %.30s is refused', (header) => {
  expect(() => eventFromAuthorization(header)).toThrow(Unauthorized);
});
