/** Blobs over real sockets: ranges, validators, types and names, and what happens when things go wrong half-way. */
import net from 'node:net';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { BlobsInMemory, openWorld, rawExchange } from './http-world.ts';

const bytes = seededBytes('delivery', 3 * 1024 * 1024 + 17);

async function served(fixture: { name?: string; type?: string; bytes?: Uint8Array } = {}) {
  const media = new BlobsInMemory();
  const sha256 = media.add({ bytes, name: 'clip.mp4', ...fixture });
  const world = await openWorld({ media });
  return { media, sha256, world, url: world.url(`/${sha256}`) };
}

const bodyOf = async (response: Response): Promise<Uint8Array> => new Uint8Array(await response.arrayBuffer());

test('a blob comes whole, with its type, length, name, strong tag and a year of caching', async () => {
  const { url, sha256, media } = await served();
  const response = await fetch(url);
  expect(response.status).toBe(200);
  expect(Buffer.compare(await bodyOf(response), bytes)).toBe(0);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'video/mp4',
    'content-length': String(bytes.length),
    'content-disposition': 'inline; filename="clip.mp4"',
    etag: `"${sha256}"`,
    'cache-control': 'public, max-age=31536000, immutable',
    'accept-ranges': 'bytes',
    'last-modified': 'Fri, 20 Nov 2026 08:00:00 GMT',
  });
  await eventually('the reader is given back', () => media.openReaders === 0);
});

test('an extension changes nothing, not even one that claims another type', async () => {
  const { url } = await served();
  for (const extension of ['.mp4', '.html', '.torrent', '.tar.gz']) {
    const response = await fetch(url + extension, { method: 'HEAD' });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'video/mp4']);
  }
});

test('HEAD answers as GET would for the whole, with no body', async () => {
  const { url } = await served();
  const response = await fetch(url, { method: 'HEAD', headers: { range: 'bytes=0-9' } });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-length')).toBe(String(bytes.length));
  expect(response.headers.get('accept-ranges')).toBe('bytes');
  expect(await response.text()).toBe('');
});

test.each([
  ['bytes=0-0', 0, 1],
  ['bytes=1048570-1048590', 1_048_570, 1_048_591],
  ['bytes=3145728-', 3_145_728, bytes.length],
  ['bytes=-17', bytes.length - 17, bytes.length],
  ['bytes=5-99999999999', 5, bytes.length],
])('a range request %s gets 206 and exactly those bytes', async (range, start, endExclusive) => {
  const { url } = await served();
  const response = await fetch(url, { headers: { range } });
  expect(response.status).toBe(206);
  expect(response.headers.get('content-range')).toBe(`bytes ${start}-${endExclusive - 1}/${bytes.length}`);
  expect(response.headers.get('content-length')).toBe(String(endExclusive - start));
  expect(Buffer.compare(await bodyOf(response), bytes.subarray(start, endExclusive))).toBe(0);
});

test.each(['bytes=5-4', 'bytes=0-1,5-6', 'lines=1-2'])('the range %s is ignored: 200 and the whole', async (range) => {
  const { url } = await served();
  const response = await fetch(url, { headers: { range } });
  expect(response.status).toBe(200);
  expect((await bodyOf(response)).length).toBe(bytes.length);
});

test('a range past the end gets 416 and the true size', async () => {
  const { url } = await served();
  const response = await fetch(url, { headers: { range: `bytes=${bytes.length}-` } });
  expect([response.status, response.headers.get('content-range')]).toEqual([416, `bytes */${bytes.length}`]);
});

test('If-Range with another tag sends the whole; with ours, the range', async () => {
  const { url, sha256 } = await served();
  const ask = (ifRange: string) => fetch(url, { headers: { range: 'bytes=0-9', 'if-range': ifRange } });
  expect((await ask(`"${sha256}"`)).status).toBe(206);
  expect((await ask('"other"')).status).toBe(200);
});

test('a client that has the blob is told so with 304 and no body', async () => {
  const { url, sha256 } = await served();
  const response = await fetch(url, { headers: { 'if-none-match': `"x", "${sha256}"` } });
  expect([response.status, await response.text()]).toEqual([304, '']);
  expect(response.headers.get('etag')).toBe(`"${sha256}"`);
});

test('the empty blob is 200 with length 0', async () => {
  const { url } = await served({ bytes: new Uint8Array(0) });
  const response = await fetch(url);
  expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([200, '0', '']);
});

test('an unknown blob is 404 with a reason, readable from any origin', async () => {
  const { world } = await served();
  const response = await fetch(world.url(`/${'0'.repeat(64)}`));
  expect(response.status).toBe(404);
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
  expect(response.headers.get('x-reason')).toBe('this server has no such blob');
  expect(await response.json()).toEqual({ code: 'not_found', message: 'this server has no such blob' });
});

test('every answer may be read from any origin, and a preflight lasts a day', async () => {
  const { url } = await served();
  const preflight = await fetch(url, { method: 'OPTIONS' });
  expect(preflight.status).toBe(204);
  expect(Object.fromEntries(preflight.headers)).toMatchObject({
    'access-control-allow-origin': '*',
    'access-control-allow-headers': 'Authorization, *',
    'access-control-allow-methods': expect.stringContaining('DELETE'),
    'access-control-max-age': '86400',
  });
  for (const headers of [{}, { range: 'bytes=0-1' }, { range: 'bytes=99999999-' }, { 'if-none-match': '*' }]) {
    const response = await fetch(url, { headers });
    await response.arrayBuffer();
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(response.headers.get('access-control-expose-headers')).toContain('Content-Range');
  }
});

test('?download=1 offers the file for saving under its own name', async () => {
  const { url } = await served({ name: 'Größe "1".mp4' });
  const response = await fetch(`${url}?download=1`, { method: 'HEAD' });
  expect(response.headers.get('content-disposition')).toBe(
    `attachment; filename="Gr__e _1_.mp4"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%221%22.mp4`,
  );
});

test.each(['text/html', 'image/svg+xml', 'application/xml', 'application/pdf', 'application/xhtml+xml'])(
  'a blob of the active type %s is contained: sandboxed, never sniffed, never shown in place',
  async (type) => {
    const { url } = await served({ type, name: 'page.html', bytes: Buffer.from('<script>alert(1)</script>') });
    const headers = (await fetch(url)).headers;
    expect(headers.get('content-disposition')).toMatch(/^attachment;/);
    expect(headers.get('content-security-policy')).toMatch(/^sandbox; default-src 'none'/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('cross-origin-resource-policy')).toBe('cross-origin');
  },
);

test('a blob is refused where a page would run it', async () => {
  const { url } = await served({ type: 'text/javascript', bytes: Buffer.from('alert(1)') });
  for (const destination of ['script', 'serviceworker', 'style', 'object']) {
    const refused = await rawHead(url, `sec-fetch-dest: ${destination}\r\n`);
    expect(refused).toMatch(/^HTTP\/1\.1 403 /);
  }
  const response = await fetch(url);
  expect(response.headers.get('content-type')).toBe('application/octet-stream');
});

async function rawHead(url: string, headers: string): Promise<string> {
  const { port, pathname } = new URL(url);
  const request = `HEAD ${pathname} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${headers}\r\n`;
  return await rawExchange(Number(port), request);
}

test('with a media origin of their own, blobs are served only there; the app origin sends people on', async () => {
  const media = new BlobsInMemory();
  const sha256 = media.add({ bytes });
  const world = await openWorld({ media, mediaUrl: (port) => `http://localhost:${port}` });
  const elsewhere = await fetch(world.url(`/${sha256}.mp4?download=1`), { redirect: 'manual' });
  const home = `http://localhost:${world.port}/${sha256}.mp4?download=1`;
  expect([elsewhere.status, elsewhere.headers.get('location')]).toEqual([307, home]);
  const wanted = `GET /${sha256} HTTP/1.1\r\nhost: localhost:${world.port}\r\nrange: bytes=0-3\r\nconnection: close\r\n\r\n`;
  expect(await rawExchange(world.port, wanted)).toMatch(/^HTTP\/1\.1 206 /);
});

test('a blob that is shorter on disk than recorded cuts the connection instead of lying', async () => {
  const { url, sha256, media } = await served();
  media.shrink(sha256, 1024 * 1024);
  await expect(fetch(url).then(bodyOf)).rejects.toThrow();
  await eventually('the reader is given back', () => media.openReaders === 0);
  expect((await fetch(url, { headers: { range: 'bytes=0-9' } })).status).toBe(206);
});

test('a client that goes away half-way frees its reader', async () => {
  const { sha256, media, world } = await served({ bytes: seededBytes('large', 24 * 1024 * 1024) });
  const socket = net.connect(world.port, '127.0.0.1');
  socket.write(`GET /${sha256} HTTP/1.1\r\nhost: x\r\n\r\n`);
  await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();
  expect(media.openReaders).toBe(1);
  socket.destroy();
  await eventually('the reader is given back', () => media.openReaders === 0);
});

test('requests sent one behind the other on one connection are answered in order', async () => {
  const { sha256, media, world } = await served();
  const range = (from: number, close = '') =>
    `GET /${sha256} HTTP/1.1\r\nhost: x\r\nrange: bytes=${from}-${from + 2_000_000}\r\n${close}\r\n`;
  const answers = await rawExchange(world.port, range(0) + range(1000) + range(5, 'connection: close\r\n'));
  const starts = [...answers.matchAll(/content-range: bytes (\d+)-/g)].map((match) => match[1]);
  expect(starts).toEqual(['0', '1000', '5']);
  expect(Buffer.from(answers.slice(-2_000_001), 'latin1').equals(bytes.subarray(5, 2_000_006))).toBe(true);
  await eventually('every reader is given back', () => media.openReaders === 0);
});

test('a method that is not offered for blobs is told which are', async () => {
  const { url } = await served();
  const response = await fetch(url, { method: 'POST', body: 'x' });
  expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, DELETE, OPTIONS']);
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
});
