/** tus 1.0 over real sockets and real storage: with its own client, and request by request. */
import { createHash } from 'node:crypto';
import net from 'node:net';
import { Readable } from 'node:stream';
import { Upload } from 'tus-js-client';
import { expect, test } from 'vitest';
import { parseSha256 } from '../../src/base/ids.ts';
import { MIB } from '../../src/base/units.ts';
import { eventually } from '../support/eventually.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { Person } from './http-people.ts';
import { openServer, rawExchange, TOO_LARGE_BYTES, type HttpWorld } from './http-world.ts';

const bytes = seededBytes('tus', 5 * MIB + 321);
const sha256 = parseSha256(createHash('sha256').update(bytes).digest('hex'));
const VERSION = { 'tus-resumable': '1.0.0' };
const CHUNK = { ...VERSION, 'content-type': 'application/offset+octet-stream' };

const base64 = (text: string): string => Buffer.from(text).toString('base64');

async function create(world: HttpWorld, headers: Record<string, string>, body?: Uint8Array<ArrayBuffer>) {
  const answer = await fetch(world.url('/api/v1/uploads'), {
    method: 'POST',
    headers: { ...VERSION, ...headers },
    ...(body === undefined ? {} : { body }),
  });
  return { answer, url: new URL(answer.headers.get('location') ?? '', world.origin).href };
}

async function patch(url: string, offset: number, body: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  return await fetch(url, {
    method: 'PATCH',
    headers: { ...CHUNK, 'upload-offset': String(offset), ...headers },
    body,
  });
}

async function offsetOf(url: string, headers: Record<string, string> = {}): Promise<number> {
  const answer = await fetch(url, { method: 'HEAD', headers: { ...VERSION, ...headers } });
  expect(answer.headers.get('cache-control')).toBe('no-store');
  return Number(answer.headers.get('upload-offset'));
}

test('the tus client uploads in chunks, and the medium is there by its hash and name', async () => {
  const server = await openServer();
  const uploaded = await new Promise<{ sha256: string | null }>((resolve, reject) => {
    let answered: string | null = null;
    new Upload(Readable.from(pieces(bytes, 100_000)), {
      endpoint: server.url('/api/v1/uploads'),
      chunkSize: MIB,
      uploadSize: bytes.length,
      metadata: { filename: 'Größe.mp4', filetype: 'video/mp4', sha256 },
      onAfterResponse: (_request, response) => {
        answered = response.getHeader('X-Seedbed-Sha256') ?? answered;
      },
      onSuccess: () => resolve({ sha256: answered }),
      onError: reject,
    }).start();
  });
  expect(uploaded.sha256).toBe(sha256);
  const medium = await (await fetch(server.url(`/api/v1/media/${sha256}`))).json();
  expect(medium).toMatchObject({ sha256, sizeBytes: bytes.length, name: 'Größe.mp4', state: 'stored' });
  const stored = await fetch(server.url(`/${sha256}`));
  expect(Buffer.compare(new Uint8Array(await stored.arrayBuffer()), bytes)).toBe(0);
});

test('the tus client goes on where it stopped', async () => {
  const server = await openServer();
  const endpoint = server.url('/api/v1/uploads');
  const url = await new Promise<string>((resolve, reject) => {
    const upload = new Upload(Buffer.from(bytes), {
      endpoint,
      chunkSize: MIB,
      onChunkComplete: (_size, accepted) => {
        if (accepted < 2 * MIB) return;
        upload.abort().then(() => resolve(upload.url ?? ''), reject);
      },
      onError: reject,
    });
    upload.start();
  });
  const first = await offsetOf(url);
  expect(first).toBeGreaterThanOrEqual(2 * MIB);
  expect(first).toBeLessThan(bytes.length);
  const sent: number[] = [];
  await new Promise<void>((resolve, reject) => {
    new Upload(Buffer.from(bytes), {
      endpoint,
      uploadUrl: url,
      onBeforeRequest: (request) => void sent.push(Number(request.getHeader('Upload-Offset') ?? -1)),
      onSuccess: () => resolve(),
      onError: reject,
    }).start();
  });
  expect(sent.filter((offset) => offset >= 0)).toEqual([first]);
  expect(server.media.find(sha256)?.sizeBytes).toBe(bytes.length);
});

function* pieces(content: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

test('OPTIONS tells the version, the extensions and the limit', async () => {
  const server = await openServer();
  const answer = await fetch(server.url('/api/v1/uploads'), { method: 'OPTIONS' });
  expect(answer.status).toBe(204);
  expect(answer.headers.get('tus-version')).toBe('1.0.0');
  expect(answer.headers.get('tus-extension')?.split(',')).toEqual([
    'creation',
    'creation-with-upload',
    'creation-defer-length',
    'termination',
    'expiration',
  ]);
  expect(answer.headers.get('tus-max-size')).toBe(String(TOO_LARGE_BYTES));
  expect(answer.headers.get('access-control-allow-headers')).toContain('Upload-Offset');
});

test('a creation gives an address, an end date, and remembers what it was told', async () => {
  const server = await openServer();
  const metadata = `filename ${base64('a.mp4')},filetype ${base64('video/mp4')}`;
  const { answer, url } = await create(server, { 'upload-length': '10', 'upload-metadata': metadata });
  expect(answer.status).toBe(201);
  expect(answer.headers.get('location')).toMatch(/^\/api\/v1\/uploads\/[0-9a-f]{32}$/);
  expect(Date.parse(answer.headers.get('upload-expires') ?? '')).toBeGreaterThan(Date.now());
  const head = await fetch(url, { method: 'HEAD', headers: VERSION });
  expect(Object.fromEntries(head.headers)).toMatchObject({
    'upload-offset': '0',
    'upload-length': '10',
    'upload-metadata': metadata,
    'tus-resumable': '1.0.0',
  });
});

test('the creation may carry the first bytes', async () => {
  const server = await openServer();
  const { answer, url } = await create(
    server,
    { ...CHUNK, 'upload-length': String(bytes.length) },
    bytes.slice(0, 1000),
  );
  expect([answer.status, answer.headers.get('upload-offset')]).toEqual([201, '1000']);
  const last = await patch(url, 1000, bytes.slice(1000));
  expect([last.status, last.headers.get('x-seedbed-sha256')]).toEqual([204, sha256]);
});

test('the length may be told later, once', async () => {
  const server = await openServer();
  const { url } = await create(server, { 'upload-defer-length': '1' });
  expect((await fetch(url, { method: 'HEAD', headers: VERSION })).headers.get('upload-defer-length')).toBe('1');
  expect((await patch(url, 0, bytes.slice(0, 5))).headers.get('upload-offset')).toBe('5');
  expect((await patch(url, 5, bytes.slice(5, 9), { 'upload-length': '12' })).status).toBe(204);
  expect((await patch(url, 9, bytes.slice(9, 10), { 'upload-length': '13' })).status).toBe(400);
  const last = await patch(url, 9, bytes.slice(9, 12));
  expect(last.headers.get('x-seedbed-sha256')).toBe(createHash('sha256').update(bytes.slice(0, 12)).digest('hex'));
});

test('an upload of nothing is complete at once', async () => {
  const server = await openServer();
  const { answer } = await create(server, { 'upload-length': '0' });
  expect(answer.status).toBe(201);
  expect(answer.headers.get('x-seedbed-sha256')).toBe(createHash('sha256').digest('hex'));
});

test('bytes the server has need not be sent again: the upload is complete at once', async () => {
  const server = await openServer();
  const metadata = `filename ${base64('a.bin')},sha256 ${base64(sha256)}`;
  const { url } = await create(server, { 'upload-length': String(bytes.length), 'upload-metadata': metadata });
  await patch(url, 0, bytes);
  const again = await create(server, { 'upload-length': String(bytes.length), 'upload-metadata': metadata });
  expect([again.answer.status, again.answer.headers.get('upload-offset')]).toEqual([201, String(bytes.length)]);
  expect(again.answer.headers.get('x-seedbed-sha256')).toBe(sha256);
  expect(await offsetOf(again.url)).toBe(bytes.length);
});

test('the tus client takes a complete upload for a success without sending a byte', async () => {
  const server = await openServer();
  const metadata = { filename: 'a.bin', sha256 };
  const { url } = await create(server, { 'upload-length': String(bytes.length) });
  await patch(url, 0, bytes);
  const sent: string[] = [];
  await new Promise<void>((resolve, reject) => {
    new Upload(Buffer.from(bytes), {
      endpoint: server.url('/api/v1/uploads'),
      metadata,
      retryDelays: [0],
      onAfterResponse: (request, response) => void sent.push(`${request.getMethod()} ${response.getStatus()}`),
      onSuccess: () => resolve(),
      onError: reject,
    }).start();
  });
  expect(sent).toEqual(['POST 201', 'PATCH 409', 'HEAD 200']);
});

test('while it uploads, a medium has its page and its magnet already', async () => {
  const server = await openServer();
  const infohash = 'c'.repeat(40);
  const metadata = `filename ${base64('film.mp4')},sha256 ${base64(sha256)},infohash ${base64(infohash)}`;
  const { url } = await create(server, { 'upload-length': String(bytes.length), 'upload-metadata': metadata });
  await patch(url, 0, bytes.slice(0, 1000));
  const medium = await (await fetch(server.url(`/api/v1/media/${sha256}`))).json();
  expect(medium).toMatchObject({
    state: 'uploading',
    name: 'film.mp4',
    storedBytes: 1000,
    sizeBytes: bytes.length,
    torrent: { infoHash: infohash, magnet: expect.stringContaining(infohash), pieceCount: 21 },
  });
  expect((await fetch(server.url(`/${sha256}`))).status).toBe(404);
});

test('bytes that are not what was declared are refused with 409 at the end, and nothing is stored', async () => {
  const server = await openServer();
  const metadata = `sha256 ${base64('0'.repeat(64))}`;
  const { url } = await create(server, { 'upload-length': '3', 'upload-metadata': metadata });
  const answer = await patch(url, 0, Buffer.from('abc'));
  expect([answer.status, await answer.json()]).toEqual([409, expect.objectContaining({ code: 'hash_mismatch' })]);
  expect(answer.headers.get('x-reason')).toBeTruthy();
  expect(server.media.list({ limit: 5 }).media).toEqual([]);
});

test('a finished upload does not change', async () => {
  const server = await openServer();
  const { url } = await create(server, { 'upload-length': '3' });
  await patch(url, 0, Buffer.from('abc'));
  expect((await patch(url, 3, Buffer.from('d'))).status).toBe(403);
  expect((await patch(url, 0, Buffer.from('xyz'))).status).toBe(409);
  const stored = await fetch(server.url(`/${createHash('sha256').update('abc').digest('hex')}`));
  expect(await stored.text()).toBe('abc');
});

test("a stranger neither sees, continues nor cancels somebody's upload", async () => {
  const server = await openServer();
  const [alice, mallory] = [await new Person().signIn(server), await new Person().signIn(server)];
  const { url } = await create(server, { 'upload-length': '3', cookie: alice });
  expect((await patch(url, 0, Buffer.from('abc'), { cookie: mallory })).status).toBe(403);
  expect((await fetch(url, { method: 'HEAD', headers: { ...VERSION, cookie: mallory } })).status).toBe(403);
  expect((await fetch(url, { method: 'DELETE', headers: { ...VERSION, cookie: mallory } })).status).toBe(403);
  expect((await patch(url, 0, Buffer.from('abc'))).status).toBe(401);
  expect((await patch(url, 0, Buffer.from('abc'), { cookie: alice })).status).toBe(204);
});

test('who may not upload is refused at creation', async () => {
  const server = await openServer({ uploads: 'members' });
  expect((await create(server, { 'upload-length': '3' })).answer.status).toBe(401);
  const cookie = await new Person().signIn(server);
  expect((await create(server, { 'upload-length': '3', cookie })).answer.status).toBe(403);
});

test('an upload is cancelled for good', async () => {
  const server = await openServer();
  const { url } = await create(server, { 'upload-length': '10' });
  await patch(url, 0, Buffer.from('abc'));
  expect((await fetch(url, { method: 'DELETE', headers: VERSION })).status).toBe(204);
  expect((await fetch(url, { method: 'HEAD', headers: VERSION })).status).toBe(404);
  expect((await patch(url, 3, Buffer.from('d'))).status).toBe(404);
});

test('an upload nobody continued is gone after its end date', async () => {
  const server = await openServer();
  const { answer, url } = await create(server, { 'upload-length': '10' });
  const endsAtMs = Date.parse(answer.headers.get('upload-expires') ?? '');
  await server.media.expire(endsAtMs - 2_000);
  expect(await offsetOf(url)).toBe(0);
  await server.media.expire(endsAtMs + 2_000);
  expect((await fetch(url, { method: 'HEAD', headers: VERSION })).status).toBe(404);
});

test.each([
  ['without a version', { 'upload-length': '3', 'tus-resumable': '' }, 412],
  ['of another version', { 'upload-length': '3', 'tus-resumable': '0.2.2' }, 412],
  ['without a length', {}, 400],
  ['with a negative length', { 'upload-length': '-1' }, 400],
  ['with a length in another notation', { 'upload-length': '1e3' }, 400],
  ['with two lengths', { 'upload-length': '3', 'upload-defer-length': '1' }, 400],
  ['with a strange defer', { 'upload-defer-length': '2' }, 400],
  ['above the limit', { 'upload-length': String(TOO_LARGE_BYTES + 1) }, 413],
  ['with broken metadata', { 'upload-length': '3', 'upload-metadata': 'filename !!!' }, 400],
  ['with a hash that is none', { 'upload-length': '3', 'upload-metadata': `sha256 ${base64('abc')}` }, 400],
  ['as a concatenation', { 'upload-length': '3', 'upload-concat': 'partial' }, 400],
])('a creation %s is refused', async (_what, headers, status) => {
  const server = await openServer();
  const { answer } = await create(server, headers);
  expect(answer.status).toBe(status);
  expect(await answer.json()).toEqual(
    expect.objectContaining({ code: expect.any(String), message: expect.any(String) }),
  );
  if (status === 412) expect(answer.headers.get('tus-version')).toBe('1.0.0');
});

test.each([
  ['at another offset', { 'upload-offset': '2' }, 409],
  ['without an offset', { 'upload-offset': '' }, 400],
  ['of another type', { 'content-type': 'application/json' }, 415],
  ['beyond the declared length', {}, 413],
])('a chunk %s is refused and changes nothing', async (_what, headers, status) => {
  const server = await openServer();
  const { url } = await create(server, { 'upload-length': '3' });
  const answer = await patch(url, 0, Buffer.from('abcdef'), headers);
  expect(answer.status).toBe(status);
  expect(await answer.json()).toEqual(expect.objectContaining({ code: expect.any(String) }));
  expect(await offsetOf(url)).toBe(0);
});

test('chunked bodies beyond the declared length are cut off at it', async () => {
  const server = await openServer();
  const { url } = await create(server, { 'upload-length': '3' });
  const head = `PATCH ${new URL(url).pathname} HTTP/1.1\r\nhost: x\r\ntus-resumable: 1.0.0\r\nupload-offset: 0\r\n`;
  const body =
    'content-type: application/offset+octet-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n';
  expect(await rawExchange(server.port, head + body)).toMatch(/^HTTP\/1\.1 413 /);
  expect(await offsetOf(url)).toBe(0);
});

test.each(['/nothex', `/${'0'.repeat(32)}`, '/..%2f..%2fetc', `/${'0'.repeat(32)}/x`])(
  'the upload %s does not exist',
  async (id) => {
    const server = await openServer();
    const answer = await fetch(server.url(`/api/v1/uploads${id}`), { method: 'HEAD', headers: VERSION });
    expect(answer.status).toBe(404);
  },
);

test('a method may be named in a header where proxies know only POST', async () => {
  const server = await openServer();
  const { url } = await create(server, { 'upload-length': '3' });
  const headers = { ...CHUNK, 'x-http-method-override': 'PATCH', 'upload-offset': '0' };
  const answer = await fetch(url, { method: 'POST', headers, body: 'abc' });
  expect([answer.status, answer.headers.get('upload-offset')]).toEqual([204, '3']);
});

test('what arrived of a body that broke off is kept', async () => {
  const server = await openServer();
  const { url } = await create(server, { 'upload-length': String(bytes.length) });
  const socket = await startPatch(server.port, url, bytes.subarray(0, 300_000));
  await eventually('the server has read it', () => socket.bytesWritten > 300_000 && socket.writableLength === 0);
  socket.end();
  await eventually('the offset is recorded', async () => (await offsetOf(url)) === 300_000);
  // The offset may be seen a moment before the broken request has let go of its upload: clients try again on 409.
  const hashes: (string | null)[] = [];
  await eventually('the rest is taken', async () => {
    const answer = await patch(url, 300_000, bytes.slice(300_000));
    hashes.push(answer.headers.get('x-seedbed-sha256'));
    return answer.status !== 409;
  });
  expect(hashes.at(-1)).toBe(sha256);
});

test('while a sender makes progress nobody else writes to its upload', async () => {
  const server = await openServer();
  const { url } = await create(server, { 'upload-length': '100000' });
  const socket = await startPatch(server.port, url, bytes.subarray(0, 50_000));
  await eventually('the upload is held', async () => (await patch(url, 0, bytes.slice(0, 10))).status === 409);
  expect(await offsetOf(url)).toBe(0);
  socket.destroy();
});

test('of many parallel senders one wins and the bytes are right', async () => {
  const server = await openServer();
  const { url } = await create(server, { 'upload-length': String(bytes.length) });
  const answers = await Promise.all(Array.from({ length: 20 }, async () => (await patch(url, 0, bytes)).status));
  expect(answers.filter((status) => status === 204)).toHaveLength(1);
  expect(answers.filter((status) => status !== 204).every((status) => status === 409)).toBe(true);
  expect(server.media.find(sha256)?.sizeBytes).toBe(bytes.length);
});

/** A PATCH whose body stops before its announced end, its connection left open. */
async function startPatch(port: number, url: string, part: Uint8Array): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1');
  const head = [
    `PATCH ${new URL(url).pathname} HTTP/1.1`,
    'host: x',
    'tus-resumable: 1.0.0',
    'upload-offset: 0',
    'content-type: application/offset+octet-stream',
    `content-length: ${part.length + 1}`,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  socket.write(part);
  return socket;
}
