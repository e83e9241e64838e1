/** Blossom over real sockets and real storage: what the protocol asks, and what its common client does with it. */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parseSha256, type Sha256 } from '../../src/base/ids.ts';
import { MIB } from '../../src/base/units.ts';
import type { BlobDescriptor } from '../../src/http/blossom/descriptor.ts';
import { parseMetainfo } from '../../src/codec/metainfo.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { Person } from './http-people.ts';
import { openServer, rawExchange, TOO_LARGE_BYTES } from './http-world.ts';

const bytes = seededBytes('blossom', 700_000);
const sha256 = hashOf(bytes);

function hashOf(content: Uint8Array): Sha256 {
  return parseSha256(createHash('sha256').update(content).digest('hex'));
}

interface Put {
  readonly authorization?: string;
  readonly body?: Uint8Array<ArrayBuffer>;
  readonly headers?: Record<string, string>;
}

async function put(origin: string, { authorization, body = bytes, headers = {} }: Put): Promise<Response> {
  const signed: Record<string, string> = authorization === undefined ? {} : { authorization };
  return await fetch(`${origin}/upload`, { method: 'PUT', headers: { ...signed, ...headers }, body });
}

const upload = (person: Person, blob = sha256): string => person.token({ verb: 'upload', blobs: [blob] });

test('an upload answers 201 with a descriptor, the same bytes again 200', async () => {
  const server = await openServer();
  const first = await put(server.origin, {
    authorization: upload(new Person()),
    headers: { 'content-type': 'video/mp4' },
  });
  expect(first.status).toBe(201);
  expect(first.headers.get('access-control-allow-origin')).toBe('*');
  const descriptor = (await first.json()) as BlobDescriptor;
  expect(descriptor).toMatchObject({
    sha256,
    size: bytes.length,
    uploaded: expect.any(Number),
    url: expect.stringMatching(new RegExp(`^${server.origin}/${sha256}\\.[a-z0-9]+$`)),
    magnet: expect.stringContaining(`xt=urn:btih:${descriptor.infohash}`),
    torrent: `${server.origin}/torrent/${descriptor.infohash}.torrent`,
  });
  expect(descriptor.nip94).toContainEqual(['x', sha256]);
  expect(descriptor.nip94).toContainEqual(['i', descriptor.infohash]);
  const again = await put(server.origin, { authorization: upload(new Person()) });
  expect([again.status, ((await again.json()) as BlobDescriptor).sha256]).toEqual([200, sha256]);
});

test('what was uploaded comes back by its hash, whole and in ranges', async () => {
  const server = await openServer();
  await put(server.origin, { authorization: upload(new Person()) });
  const whole = await fetch(server.url(`/${sha256}.bin`));
  expect(Buffer.compare(new Uint8Array(await whole.arrayBuffer()), bytes)).toBe(0);
  const part = await fetch(server.url(`/${sha256}`), { headers: { range: 'bytes=699990-' } });
  expect(Buffer.from(await part.arrayBuffer())).toEqual(Buffer.from(bytes.subarray(699_990)));
});

test('the .torrent of an upload carries our tracker and the blob as web seed', async () => {
  const server = await openServer();
  const response = await put(server.origin, { authorization: upload(new Person()) });
  const { torrent = '', url, infohash } = (await response.json()) as BlobDescriptor;
  const answer = await fetch(torrent);
  expect(answer.headers.get('content-type')).toBe('application/x-bittorrent');
  const metainfo = parseMetainfo(new Uint8Array(await answer.arrayBuffer()));
  expect(metainfo.webSeeds).toEqual([url]);
  expect(metainfo.trackers.flat()).toContain(`${server.origin}/announce`);
  expect(createHash('sha1').update(metainfo.info.rawInfo).digest('hex')).toBe(infohash);
  const upper = await fetch(server.url(`/torrent/${(infohash ?? '').toUpperCase()}.torrent`), { method: 'HEAD' });
  expect(upper.status).toBe(200);
  expect((await fetch(server.url(`/torrent/${'0'.repeat(40)}.torrent`))).status).toBe(404);
});

test.each([
  ['no token', () => undefined],
  ['a token for another action', (p: Person) => p.token({ verb: 'delete', blobs: [sha256] })],
  ['a token for another blob', (p: Person) => p.token({ verb: 'upload', blobs: [hashOf(new Uint8Array(1))] })],
  ['a token that names no blob', (p: Person) => p.token({ verb: 'upload' })],
  ['a token for another server', (p: Person) => p.token({ verb: 'upload', blobs: [sha256], server: 'evil.example' })],
  ['an expired token', (p: Person) => p.token({ verb: 'upload', blobs: [sha256], expiresInSec: -1 })],
  ['a token of another scheme', () => 'Bearer abc'],
])('with %s HEAD and PUT are both refused with 401, before the body', async (_what, tokenOf) => {
  const server = await openServer({ uploads: 'members' });
  const authorization = tokenOf(new Person());
  const headers = { 'x-sha-256': sha256 };
  const refused = await put(server.origin, { ...(authorization === undefined ? {} : { authorization }), headers });
  expect(refused.status).toBe(401);
  expect(refused.headers.get('x-reason')).toBeTruthy();
  const asked = await fetch(server.url('/upload'), {
    method: 'HEAD',
    headers: { ...headers, 'x-content-length': String(bytes.length), ...(authorization && { authorization }) },
  });
  expect(asked.status).toBe(401);
  expect(await readdir(path.join(server.root, 'incoming'))).toEqual([]);
});

test('a key that may not upload is refused with 403 by both', async () => {
  const server = await openServer({ uploads: 'members' });
  const authorization = upload(new Person());
  expect((await put(server.origin, { authorization })).status).toBe(403);
  const headers = { authorization, 'x-content-length': '5', 'x-sha-256': sha256 };
  expect((await fetch(server.url('/upload'), { method: 'HEAD', headers })).status).toBe(403);
});

test('where anyone may upload, HEAD says 200 without a token and a bare PUT works', async () => {
  const server = await openServer();
  const headers = { 'x-content-length': String(bytes.length), 'x-content-type': 'video/mp4', 'x-sha-256': sha256 };
  const asked = await fetch(server.url('/upload'), { method: 'HEAD', headers });
  expect([asked.status, await asked.text()]).toEqual([200, '']);
  expect((await put(server.origin, {})).status).toBe(201);
});

test.each([
  [{}, 411],
  [{ 'x-content-length': '-1' }, 400],
  [{ 'x-content-length': '1e9' }, 400],
  [{ 'x-content-length': '99999999999999999999' }, 400],
  [{ 'x-content-length': '5', 'x-sha-256': 'abc' }, 400],
  [{ 'x-content-length': '5', 'x-content-type': 'not a type' }, 400],
  [{ 'x-content-length': String(TOO_LARGE_BYTES + 1) }, 413],
])('HEAD /upload with %j answers %d', async (headers, status) => {
  const server = await openServer();
  const response = await fetch(server.url('/upload'), { method: 'HEAD', headers });
  expect([response.status, response.headers.get('x-reason')]).toEqual([status, expect.any(String)]);
});

test('a body without a length is refused with 411', async () => {
  const server = await openServer();
  const request =
    'PUT /upload HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n1\r\na\r\n0\r\n\r\n';
  expect(await rawExchange(server.port, request)).toMatch(/^HTTP\/1\.1 411 [\s\S]*"code":"length_required"/);
});

test('bytes that are not what was declared are refused also where the declared blob is held', async () => {
  const server = await openServer();
  await put(server.origin, { authorization: upload(new Person()) });
  const other = Buffer.alloc(bytes.length, 1);
  const both = new Person().token({ verb: 'upload', blobs: [sha256, hashOf(other)] });
  const answer = await put(server.origin, { authorization: both, body: other, headers: { 'x-sha-256': sha256 } });
  expect([answer.status, await answer.json()]).toEqual([409, expect.objectContaining({ code: 'hash_mismatch' })]);
});

test('bytes that are not what was declared are refused with 409 and nothing is kept', async () => {
  const server = await openServer();
  const other = seededBytes('other', 700_000);
  const byHeader = await put(server.origin, { body: other, headers: { 'x-sha-256': sha256 } });
  expect([byHeader.status, await byHeader.json()]).toEqual([409, expect.objectContaining({ code: 'hash_mismatch' })]);
  const byToken = await put(server.origin, { body: other, authorization: upload(new Person()) });
  expect(byToken.status).toBe(409);
  expect((await fetch(server.url(`/${hashOf(other)}`), { method: 'HEAD' })).status).toBe(404);
  expect(await readdir(path.join(server.root, 'incoming'))).toEqual([]);
});

test('a file above the limit is refused with 413, above the quota with 507, of a type not taken with 415', async () => {
  const server = await openServer({ media: { maxUploadBytes: MIB, totalQuotaBytes: 600_000 } });
  expect((await put(server.origin, { body: new Uint8Array(MIB + 1) })).status).toBe(413);
  expect((await put(server.origin, {})).status).toBe(507);
  const picky = await openServer({ media: { acceptedTypes: ['image/*'] } });
  expect(
    (await put(picky.origin, { headers: { 'content-type': 'text/plain' }, body: Buffer.from('hello') })).status,
  ).toBe(415);
});

test('a refused body is not waited for: the answer comes while the client still sends', async () => {
  const server = await openServer({ uploads: 'members' });
  const head = 'PUT /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 50000000\r\n\r\n';
  expect(await rawExchange(server.port, `${head}${'x'.repeat(100_000)}`)).toMatch(/^HTTP\/1\.1 401 /);
});

test('a client that asks first (Expect: 100-continue) is refused without sending its body, or told to go on', async () => {
  const closed = await openServer({ uploads: 'members' });
  const head =
    'PUT /upload HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\nconnection: close\r\n\r\n';
  const refused = await rawExchange(closed.port, head);
  expect(refused).toMatch(/^HTTP\/1\.1 401 /);
  const open = await openServer();
  expect(await rawExchange(open.port, `${head}hello`)).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /);
});

test('a body that breaks off leaves nothing behind', async () => {
  const server = await openServer();
  const socket = await import('node:net').then(({ connect }) => connect(server.port, '127.0.0.1'));
  socket.write(`PUT /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n${'x'.repeat(500_000)}`);
  await new Promise((resolve) => setImmediate(resolve));
  socket.destroy();
  const { eventually } = await import('../support/eventually.ts');
  await eventually('no part is left', async () => (await readdir(path.join(server.root, 'incoming'))).length === 0);
  expect(server.media.list({ limit: 10 }).media).toEqual([]);
});

test('the owner of a blob deletes it; a stranger cannot, and a token works once', async () => {
  const server = await openServer();
  const [alice, mallory] = [new Person(), new Person()];
  await put(server.origin, { authorization: upload(alice) });
  const remove = async (authorization: string) =>
    (await fetch(server.url(`/${sha256}`), { method: 'DELETE', headers: { authorization } })).status;
  expect(await remove(mallory.token({ verb: 'delete', blobs: [sha256] }))).toBe(403);
  const token = alice.token({ verb: 'delete', blobs: [sha256] });
  expect(await remove(token)).toBe(204);
  expect((await fetch(server.url(`/${sha256}`))).status).toBe(404);
  expect(await remove(token)).toBe(401);
  expect(await remove(alice.token({ verb: 'delete', blobs: [sha256] }))).toBe(404);
});

test('a blob two people keep stays until both have dropped it', async () => {
  const server = await openServer();
  const [alice, bob] = [new Person(), new Person()];
  await put(server.origin, { authorization: upload(alice) });
  await put(server.origin, { authorization: upload(bob) });
  const remove = async (person: Person) => {
    const authorization = person.token({ verb: 'delete', blobs: [sha256] });
    return await fetch(server.url(`/${sha256}`), { method: 'DELETE', headers: { authorization } });
  };
  await remove(alice);
  expect((await fetch(server.url(`/${sha256}`), { method: 'HEAD' })).status).toBe(200);
  await remove(bob);
  expect((await fetch(server.url(`/${sha256}`), { method: 'HEAD' })).status).toBe(404);
});

test("a key's blobs are listed newest first, and continue after a hash", async () => {
  const server = await openServer();
  const alice = new Person();
  const blobs = [1, 2, 3].map((size) => seededBytes(`list ${size}`, size * 1000));
  for (const body of blobs) await put(server.origin, { body, authorization: upload(alice, hashOf(body)) });
  await put(server.origin, { authorization: upload(new Person()) });
  const list = async (query: string) => {
    const response = await fetch(server.url(`/list/${alice.pubkey}${query}`));
    return ((await response.json()) as BlobDescriptor[]).map((descriptor) => descriptor.size);
  };
  expect(new Set(await list(''))).toEqual(new Set([1000, 2000, 3000]));
  const [newest] = await list('?limit=1');
  const order = await list('');
  expect(newest).toBe(order[0]);
  const first = blobs.find((body) => body.length === order[0]);
  expect(await list(`?cursor=${hashOf(first ?? bytes)}`)).toEqual(order.slice(1));
  expect((await fetch(server.url(`/list/${alice.pubkey}?cursor=xyz`))).status).toBe(400);
});

test.each([
  ['PUT', '/mirror'],
  ['PUT', '/report'],
  ['PUT', '/media'],
  ['HEAD', '/media'],
])('%s %s is not offered and says so with 404', async (method, target) => {
  const server = await openServer();
  const response = await fetch(server.url(target), { method, ...(method === 'PUT' ? { body: '{}' } : {}) });
  expect(response.status).toBe(404);
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
  expect(response.headers.get('x-reason')).toBeTruthy();
});
