/** What hostile clients try on the public listener, over raw sockets, and how stopping treats the honest ones. */
import { once } from 'node:events';
import net from 'node:net';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { NotFound } from '../../src/base/errors.ts';
import type { MediaPort } from '../../src/http/ports.ts';
import { eventually } from '../support/eventually.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { Person } from './http-people.ts';
import { BlobsInMemory, openServer, openWorld, rawExchange, type HttpWorld } from './http-world.ts';

const get = (target: string, headers = ''): string =>
  `GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${headers}\r\n`;

async function open(limits: Parameters<typeof openWorld>[0]['limits'] = {}, sizeBytes = 1000) {
  const media = new BlobsInMemory();
  const sha256 = media.add({ bytes: seededBytes('security', sizeBytes) });
  return { media, sha256, world: await openWorld({ media, limits }) };
}

async function connect({ port }: HttpWorld): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => undefined); // a reset is one way of being cut off
  await once(socket, 'connect');
  return socket;
}

test.each([
  '/../../etc/passwd',
  '/..%2f..%2fetc%2fpasswd',
  '/%2e%2e/%2e%2e/etc/passwd',
  '/....//etc/passwd',
  '/api/v1/media/../../../etc/passwd',
  '/api/v1/media/..%2f..%2fetc',
  '/torrent/../../etc/passwd.torrent',
  '/m/../../etc/passwd',
  '/assets/..\\..\\etc\\passwd',
  'http://evil.example/../etc/passwd',
])('%s leads nowhere', async (target) => {
  const { world } = await open();
  const answer = await rawExchange(world.port, get(target));
  expect(answer).toMatch(/^HTTP\/1\.1 (400|404) /);
  expect(answer).not.toContain('root:');
});

test.each([
  ['a bare line feed in a header', 'GET / HTTP/1.1\r\nhost: x\nx: y\r\n\r\n'],
  ['two lengths', 'PUT /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello'],
  [
    'a length and chunks',
    'PUT /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['no host', 'GET / HTTP/1.1\r\n\r\n'],
  ['an unknown protocol', 'GET / HTTP/9.9\r\nhost: x\r\n\r\n'],
  ['a target that is no path', 'GET nonsense HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'],
  ['a control character in the target', 'GET /\u0001 HTTP/1.1\r\nhost: x\r\n\r\n'],
])('a request with %s is refused with 400', async (_what, request) => {
  const { world } = await open();
  expect(await rawExchange(world.port, request)).toMatch(/^HTTP\/1\.1 400 /);
});

test('headers beyond 16 KiB are refused with 431', async () => {
  const { world } = await open();
  expect(await rawExchange(world.port, get('/', `x: ${'y'.repeat(20_000)}\r\n`))).toMatch(/^HTTP\/1\.1 431 /);
});

test('Host and forwarding headers of strangers never end up in the addresses we hand out', async () => {
  const server = await openServer();
  const head =
    'PUT /upload HTTP/1.1\r\nhost: evil.example\r\nx-forwarded-host: evil.example\r\nforwarded: host=evil.example\r\n';
  const answer = await rawExchange(server.port, `${head}content-length: 5\r\nconnection: close\r\n\r\nhello`);
  expect(answer).toMatch(/^HTTP\/1\.1 201 /);
  expect(answer).not.toContain('evil');
  const upload =
    'POST /api/v1/uploads HTTP/1.1\r\nhost: evil.example\r\ntus-resumable: 1.0.0\r\nupload-length: 5\r\nconnection: close\r\n\r\n';
  expect(await rawExchange(server.port, upload)).not.toContain('evil');
});

test('a signature for another host is worth nothing here', async () => {
  const { world } = await open();
  const authorization = await new Person().signed('POST', 'http://evil.example/api/v1/session');
  const response = await fetch(world.url('/api/v1/session'), { method: 'POST', headers: { authorization } });
  expect(response.status).toBe(401);
});

test('errors are JSON that no browser takes for a page', async () => {
  const { world } = await open();
  const answer = await rawExchange(world.port, get('/<script>alert(1)</script>'));
  expect(answer).toMatch(/content-type: application\/json/i);
  expect(answer).toMatch(/x-content-type-options: nosniff/i);
  expect(answer).not.toContain('<script>');
});

test('the media host serves blobs and nothing else', async () => {
  const media = new BlobsInMemory();
  const sha256 = media.add({ bytes: Buffer.from('x') });
  const world = await openWorld({ media, mediaUrl: (port) => `http://localhost:${port}` });
  const at = async (target: string): Promise<string> => {
    const request = get(target).replace('host: x', `host: localhost:${world.port}`);
    return (await rawExchange(world.port, request)).slice(9, 12);
  };
  expect(await at(`/${sha256}`)).toBe('200');
  expect(await Promise.all(['/', '/api/v1/server', '/announce', '/upload', `/m/${sha256}`].map(at))).toEqual(
    Array.from({ length: 5 }, () => '404'),
  );
});

test('a client that never finishes its headers is cut off', async () => {
  const { world } = await open({ headersTimeoutMs: 200 });
  expect(await rawExchange(world.port, 'GET / HTTP/1.1\r\nhost: x\r\n')).toMatch(/^HTTP\/1\.1 408 /);
});

test('a client that announces a JSON body and never sends it is cut off', async () => {
  const { world } = await open({ jsonTimeoutMs: 100 });
  const head =
    'POST /api/v1/setup HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{';
  expect(await rawExchange(world.port, head)).toBe('');
});

test('a client that drips its upload is told so and cut off', async () => {
  const server = await openServer({ limits: { body: { minBytesPerSec: 10_000, graceMs: 50 } } });
  const socket = await connect(server);
  const received: Buffer[] = [];
  socket.on('data', (chunk) => received.push(chunk));
  socket.write('PUT /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n');
  const drip = setInterval(() => socket.write('x'), 10);
  await new Promise((resolve) => socket.once('close', resolve));
  clearInterval(drip);
  expect(Buffer.concat(received).toString()).toMatch(/^HTTP\/1\.1 408 [\s\S]*timed_out/);
});

test('a client that does not read its download is cut off and frees its reader', async () => {
  const { world, sha256, media } = await open({ stallTimeoutMs: 200 }, 24 * 1024 * 1024);
  const socket = await connect(world);
  socket.pause();
  socket.write(`GET /${sha256} HTTP/1.1\r\nhost: x\r\n\r\n`);
  await eventually('the download begins', () => media.openReaders === 1);
  await eventually('the reader is given back', () => media.openReaders === 0);
  socket.destroy();
});

test.each([
  ['that just sends', ''],
  ['that asked first (Expect: 100-continue)', 'expect: 100-continue\r\n'],
])(
  'a client %s is not cut off while it waits for us: an upload may be hashed for longer than a stall',
  async (_who, header) => {
    const media = new SlowIntake();
    const sha256 = media.add({ bytes: seededBytes('stalled', 24 * 1024 * 1024) });
    const world = await openWorld({ media, limits: { stallTimeoutMs: 200 } });
    const upload = `PUT /upload HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${header}content-length: 5\r\n\r\nhello`;
    const answered = rawExchange(world.port, upload);
    await media.hasBody;
    const stalled = await connect(world); // a client of its own fault, cut off a full stall later
    stalled.pause();
    stalled.write(`GET /${sha256} HTTP/1.1\r\nhost: x\r\n\r\n`);
    await eventually('the stalled download begins', () => media.openReaders === 1);
    await eventually('the stalled download is cut off', () => media.openReaders === 0);
    media.finishIngest();
    expect(await answered).toMatch(/HTTP\/1\.1 201 /);
  },
);

/** Takes a body and then needs as long as the test likes. */
class SlowIntake extends BlobsInMemory {
  readonly #body = Promise.withResolvers<void>();
  readonly #finished = Promise.withResolvers<void>();
  readonly hasBody = this.#body.promise;

  override checkUpload: MediaPort['checkUpload'] = () => undefined;
  override ingest: MediaPort['ingest'] = async (_claim, body) => {
    for await (const _ of body);
    this.#body.resolve();
    await this.#finished.promise;
    const [medium] = this.list().media;
    if (medium === undefined) throw new NotFound('add a blob first');
    return { medium, isNew: true };
  };

  finishIngest(): void {
    this.#finished.resolve();
  }
}

test('beyond the cap of connections newcomers are turned away', async () => {
  const { world } = await open({ maxConnections: 2 });
  const held = [await connect(world), await connect(world)];
  expect(await rawExchange(world.port, get('/'))).toBe('');
  for (const socket of held) socket.destroy();
  await eventually('there is room again', async () => (await rawExchange(world.port, get('/'))) !== '');
});

test('stopping lets a running download end, and accepts nobody new', async () => {
  const { world, sha256 } = await open({ graceMs: 10_000 }, 24 * 1024 * 1024);
  const response = await fetch(world.url(`/${sha256}`), { headers: { connection: 'close' } });
  const closing = world.close();
  await expect(connect(world)).rejects.toThrow();
  expect((await response.arrayBuffer()).byteLength).toBe(24 * 1024 * 1024);
  await closing;
});

test('stopping cuts who is not done when the grace time is over', async () => {
  const { world, sha256, media } = await open({ graceMs: 50 }, 24 * 1024 * 1024);
  const socket = await connect(world);
  socket.pause();
  socket.write(`GET /${sha256} HTTP/1.1\r\nhost: x\r\n\r\n`);
  await eventually('the download begins', () => media.openReaders === 1);
  await world.close();
  await eventually('the reader is given back', () => media.openReaders === 0);
  socket.destroy();
});

test('whatever bytes come as target, headers and body, the server answers or refuses and stays', async () => {
  const world = await openServer({ limits: { jsonTimeoutMs: 500 } });
  const method = fc.constantFrom('GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND');
  const path = fc.oneof(
    fc.constantFrom(
      '/upload',
      '/api/v1/uploads',
      '/api/v1/media',
      '/api/v1/session',
      '/announce',
      '/scrape',
      '/list/x',
    ),
    fc.webPath(),
    fc.string({ unit: 'grapheme-ascii' }).map((text) => `/${text.replaceAll(/[\s\r\n]/g, '')}`),
  );
  const header = fc.constantFrom(
    'range: bytes=0-',
    'upload-offset: -1',
    'upload-metadata: a b,c d,,',
    'tus-resumable: 1.0.0',
    'content-type: multipart/form-data; boundary=',
    'content-type: application/json',
    'authorization: Nostr AAAA',
    'cookie: seedbed_session=;;==',
    'x-sha-256: zz',
    'if-none-match: ,,,',
    'x-http-method-override: PATCH',
  );
  const request = fc.tuple(method, path, fc.array(header, { maxLength: 5 }), fc.string({ maxLength: 40 }));
  await fc.assert(
    fc.asyncProperty(request, async ([verb, target, headers, body]) => {
      const lines = [`${verb} ${target} HTTP/1.1`, 'host: x', 'connection: close', ...headers];
      const length = Buffer.byteLength(body);
      const answer = await rawExchange(world.port, `${lines.join('\r\n')}\r\ncontent-length: ${length}\r\n\r\n${body}`);
      expect(answer).toMatch(/^HTTP\/1\.1 (?:[2-4]\d\d |503 [\s\S]*has not been built)/);
    }),
    { numRuns: 150 },
  );
});

test.each([
  { what: 'garbage', head: 'hello\r\n\r\n', status: 400 },
  {
    what: 'two lengths',
    head: 'PUT /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
    status: 400,
  },
  { what: 'a header of 100 KB', head: `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`, status: 431 },
])('$what is refused with $status in the form of every other refusal', async ({ head, status }) => {
  const { world } = await open();
  const answer = await rawExchange(world.port, head);
  expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(answer).toMatch(/^x-reason: .+/im);
  expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toMatchObject({ code: 'invalid_input' });
});
