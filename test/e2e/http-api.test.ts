/** The JSON API over real sockets: who the caller is, what is stored, and how errors look. */
import { expect, test } from 'vitest';
import type { UploadPolicy } from '../../src/base/api.ts';
import { cookieOf, Person } from './http-people.ts';
import { BlobsInMemory, openWorld, SETUP_TOKEN, TOO_LARGE_BYTES } from './http-world.ts';

async function api({ uploads = 'members' }: { uploads?: UploadPolicy } = {}) {
  const media = new BlobsInMemory();
  const world = await openWorld({ media, uploads });
  const get = async (path: string, headers: Record<string, string> = {}) => await fetch(world.url(path), { headers });
  return { media, world, get };
}

test('the server tells what it is and where its parts are', async () => {
  const { world, get } = await api();
  const response = await get('/api/v1/server');
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
  expect(await response.json()).toEqual({
    name: 'A test server',
    version: '0.0.0-test',
    hasOwner: false,
    uploads: 'members',
    maxUploadBytes: TOO_LARGE_BYTES,
    publicUrl: world.origin,
    mediaUrl: world.origin,
    trackerUrl: `ws://127.0.0.1:${world.port}/announce`,
    iceServers: [],
  });
});

test('a visitor is a guest; a signature makes a session that scripts and other sites cannot use', async () => {
  const { world, get } = await api();
  expect(await (await get('/api/v1/session')).json()).toMatchObject({ role: 'guest', mayUpload: false });
  const alice = new Person();
  const url = world.url('/api/v1/session');
  const response = await fetch(url, { method: 'POST', headers: { authorization: await alice.signed('POST', url) } });
  expect(response.headers.get('set-cookie')).toMatch(
    /^seedbed_session=[\w-]{20,}; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Strict$/,
  );
  expect(await response.json()).toMatchObject({ pubkey: alice.pubkey, role: 'guest' });
  const session = await get('/api/v1/session', { cookie: cookieOf(response) });
  expect(await session.json()).toMatchObject({ pubkey: alice.pubkey });
});

test('signing out ends the session; its cookie then reads as a guest and is taken back', async () => {
  const { world, get } = await api();
  const cookie = await new Person().signIn(world);
  const signOut = await fetch(world.url('/api/v1/session'), { method: 'DELETE', headers: { cookie } });
  expect(signOut.status).toBe(204);
  const after = await get('/api/v1/session', { cookie });
  expect(await after.json()).toMatchObject({ role: 'guest' });
  expect(after.headers.get('set-cookie')).toContain('Max-Age=0');
});

test('the set-up link makes its first user the owner, and nobody after', async () => {
  const { world, get } = await api();
  const [alice, mallory] = [new Person(), new Person()];
  expect((await mallory.becomeOwner(world, 'guessed')).status).toBe(403);
  const response = await alice.becomeOwner(world);
  expect(await response.json()).toMatchObject({ pubkey: alice.pubkey, role: 'owner', mayUpload: true });
  expect((await mallory.becomeOwner(world)).status).toBe(409);
  expect(await (await get('/api/v1/server')).json()).toMatchObject({ hasOwner: true });
});

test('the set-up body is part of what is signed', async () => {
  const { world } = await api();
  const url = world.url('/api/v1/setup');
  const authorization = await new Person().signed('POST', url, JSON.stringify({ token: SETUP_TOKEN }));
  const headers = { authorization, 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ token: SETUP_TOKEN }, null, 1) });
  expect(response.status).toBe(401);
});

test('a token is good once', async () => {
  const { world } = await api();
  const url = world.url('/api/v1/session');
  const headers = { authorization: await new Person().signed('POST', url) };
  expect((await fetch(url, { method: 'POST', headers })).status).toBe(200);
  expect((await fetch(url, { method: 'POST', headers })).status).toBe(401);
});

test('a session cookie that another site makes the browser send changes nothing', async () => {
  const { world } = await api();
  const cookie = await new Person().signIn(world);
  const url = world.url(`/api/v1/media/${'0'.repeat(64)}`);
  const forged = await fetch(url, { method: 'DELETE', headers: { cookie, origin: 'https://evil.example' } });
  expect([forged.status, await forged.json()]).toEqual([401, expect.objectContaining({ code: 'unauthorized' })]);
});

test('a medium is described with its addresses, its magnet and its swarm', async () => {
  const { media, world, get } = await api();
  const sha256 = media.add({ bytes: Buffer.from('hello'), name: 'Hello & goodbye.txt', type: 'text/plain' });
  const response = await get(`/api/v1/media/${sha256}`);
  expect(await response.json()).toEqual({
    sha256,
    sizeBytes: 5,
    type: 'text/plain',
    name: 'Hello & goodbye.txt',
    state: 'stored',
    createdAtMs: expect.any(Number),
    storedBytes: 5,
    url: `${world.origin}/${sha256}.txt`,
    pageUrl: `${world.origin}/m/${sha256}`,
    swarm: { seeders: 0, leechers: 0 },
    mayDelete: false,
  });
});

test('the list is a page of media', async () => {
  const { media, get } = await api();
  media.add({ bytes: Buffer.from('one') });
  media.add({ bytes: Buffer.from('two') });
  const page = (await (await get('/api/v1/media?limit=10')).json()) as { media: unknown[] };
  expect(page.media).toHaveLength(2);
});

test.each([
  ['/api/v1/media?limit=0', 400, 'invalid_input'],
  ['/api/v1/media?limit=x', 400, 'invalid_input'],
  ['/api/v1/media?owner=me', 401, 'unauthorized'],
  ['/api/v1/media/nothex', 400, 'invalid_input'],
  [`/api/v1/media/${'0'.repeat(64)}`, 404, 'not_found'],
  ['/api/v1/nothing', 404, 'not_found'],
  ['/api/v2/server', 404, 'not_found'],
  ['/api/v1/members', 401, 'unauthorized'],
])('GET %s is refused with %d %s and a reason', async (path, status, code) => {
  const { get } = await api();
  const response = await get(path);
  expect(response.status).toBe(status);
  const error = (await response.json()) as { code: string; message: string };
  expect(error.code).toBe(code);
  expect(response.headers.get('x-reason')).toBe(error.message);
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
});

test.each([
  ['that is no JSON', '{"token":', 'application/json', 400],
  ['with a token that is no text', '{"token":{}}', 'application/json', 400],
  ['with more than the API knows', '{"token":"x","more":1}', 'application/json', 400],
  ['that is a form', 'token=x', 'application/x-www-form-urlencoded', 415],
  ['of 100 kB', JSON.stringify({ token: 'x'.repeat(100_000) }), 'application/json', 413],
])('a body %s is refused', async (_what, body, type, status) => {
  const { world } = await api();
  const response = await fetch(world.url('/api/v1/setup'), { method: 'POST', headers: { 'content-type': type }, body });
  expect(response.status).toBe(status);
  expect(await response.json()).toEqual({ code: expect.any(String), message: expect.any(String) });
});

test('the owner keeps the list of members', async () => {
  const { world } = await api();
  const [alice, bob] = [new Person(), new Person()];
  const cookie = cookieOf(await alice.becomeOwner(world));
  const url = world.url(`/api/v1/members/${bob.pubkey}`);
  const headers = { cookie, 'content-type': 'application/json' };
  expect((await fetch(url, { method: 'PUT', headers, body: '{"quotaBytes":5000}' })).status).toBe(204);
  const listed = await fetch(world.url('/api/v1/members'), { headers: { cookie } });
  expect(await listed.json()).toContainEqual({ pubkey: bob.pubkey, role: 'member', quotaBytes: 5000 });
  const session = await fetch(world.url('/api/v1/session'), { headers: { cookie: await bob.signIn(world) } });
  expect(await session.json()).toMatchObject({ role: 'member', mayUpload: true, quotaBytes: 5000 });
  expect((await fetch(url, { method: 'DELETE', headers: { cookie } })).status).toBe(204);
});

test('the API describes itself as OpenAPI', async () => {
  const { get } = await api();
  const document = (await (await get('/api/v1/openapi.json')).json()) as { openapi: string; paths: object };
  expect(document.openapi).toBe('3.1.0');
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining(['/api/v1/server', '/api/v1/session', '/api/v1/media/{sha256}', '/api/v1/uploads']),
  );
  expect(document.paths).toMatchObject({ '/api/v1/media': { get: expect.anything(), post: expect.anything() } });
});

test('oEmbed gives a frame for our own pages only', async () => {
  const { media, world, get } = await api();
  const sha256 = media.add({ bytes: Buffer.from('film'), name: '<b>.mp4', type: 'video/mp4' });
  const page = encodeURIComponent(`${world.origin}/m/${sha256}`);
  const answer = await (await get(`/api/v1/oembed?url=${page}&maxwidth=400`)).json();
  expect(answer).toMatchObject({ version: '1.0', type: 'video', title: '<b>.mp4', width: 400 });
  expect(answer).toHaveProperty('html', expect.stringContaining(`src="${world.origin}/embed/${sha256}"`));
  const foreign = encodeURIComponent(`https://evil.example/m/${sha256}`);
  expect((await get(`/api/v1/oembed?url=${foreign}`)).status).toBe(404);
});

test('a browser on another origin may ask first', async () => {
  const { world } = await api();
  const response = await fetch(world.url('/api/v1/session'), { method: 'OPTIONS' });
  expect(response.status).toBe(204);
  expect(response.headers.get('access-control-allow-headers')).toContain('Authorization');
  expect(response.headers.get('access-control-allow-credentials')).toBeNull();
});

test('a flood of signed requests is refused before their signatures cost anything', async () => {
  const { world } = await api();
  const headers = { authorization: 'Nostr AAAA' };
  const statuses = new Set<number>();
  for (let request = 0; request < 400 && !statuses.has(429); request++) {
    statuses.add((await fetch(world.url('/api/v1/session'), { method: 'POST', headers })).status);
  }
  expect(statuses).toEqual(new Set([401, 429]));
});
