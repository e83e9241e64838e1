/** The web app's files and pages: compression, caching, policies, and previews of media with hostile names. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { testFolder } from '../support/temp-dir.ts';
import { BlobsInMemory, openWorld, rawExchange, type Fixture, type HttpWorld } from './http-world.ts';

const INDEX =
  '<!doctype html><html><head><meta charset="utf-8"><title>Seedbed</title></head><body><div id="root"></div></body></html>';
const SCRIPT = `export const answer = ${'40 + '.repeat(200)}2;`;

async function builtApp(): Promise<string> {
  const folder = await testFolder('web');
  await mkdir(path.join(folder, 'assets'));
  await writeFile(path.join(folder, 'index.html'), INDEX);
  await writeFile(path.join(folder, 'sw.js'), 'self.addEventListener("fetch", () => {});');
  await writeFile(path.join(folder, 'manifest.webmanifest'), '{}');
  await writeFile(path.join(folder, 'assets/app-5f3a.js'), SCRIPT);
  await writeFile(path.join(folder, 'assets/app-5f3a.js.br'), brotliCompressSync(SCRIPT));
  await writeFile(path.join(folder, 'assets/app-5f3a.js.gz'), gzipSync(SCRIPT));
  return folder;
}

async function app(fixture?: Partial<Fixture>): Promise<{ world: HttpWorld; sha256: string }> {
  const media = new BlobsInMemory();
  const sha256 = media.add({ bytes: Buffer.from('x'), name: 'Sunset over the bay.mp4', ...fixture });
  return { world: await openWorld({ media, webFolder: await builtApp() }), sha256 };
}

test.each([
  ['br, gzip', 'br'],
  ['gzip', 'gzip'],
  ['br;q=0, gzip;q=0.5', 'gzip'],
  ['identity', null],
  ['', null],
])('a client that accepts %j gets a hashed file as %s, for ever', async (accepted, encoding) => {
  const { world } = await app();
  const response = await fetch(world.url('/assets/app-5f3a.js'), { headers: { 'accept-encoding': accepted } });
  expect(await response.text()).toBe(SCRIPT);
  expect(response.headers.get('content-encoding')).toBe(encoding);
  expect(response.headers.get('vary')).toBe('Accept-Encoding');
  expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  expect(response.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
});

test('the service worker is asked for anew each time and may serve the whole origin', async () => {
  const { world } = await app();
  const { headers } = await fetch(world.url('/sw.js'));
  expect([headers.get('cache-control'), headers.get('service-worker-allowed')]).toEqual(['no-cache', '/']);
});

test('a file that did not change is not sent again', async () => {
  const { world } = await app();
  for (const target of ['/assets/app-5f3a.js', '/', '/manifest.webmanifest']) {
    const first = await fetch(world.url(target));
    await first.arrayBuffer();
    const again = await fetch(world.url(target), { headers: { 'if-none-match': first.headers.get('etag') ?? '' } });
    expect([again.status, await again.text()]).toEqual([304, '']);
  }
});

test.each(['/', '/library', '/library/films/42', '/shares', '/seeding', '/settings', '/admin', '/setup'])(
  'the app draws %s itself, under a strict policy',
  async (route) => {
    const { world } = await app();
    const response = await fetch(world.url(route));
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(INDEX);
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self' 'wasm-unsafe-eval';");
    expect(policy).toContain("worker-src 'self' blob:");
    expect(policy).toContain(`connect-src 'self' ${world.origin} ws://127.0.0.1:${world.port} blob:`);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(response.headers.get('x-frame-options')).toBe('DENY');
    expect(response.headers.get('cache-control')).toBe('no-cache');
  },
);

test('only the embed page may be framed', async () => {
  const { world, sha256 } = await app();
  const embed = await fetch(world.url(`/embed/${sha256}`));
  expect(embed.headers.get('content-security-policy')).toContain('frame-ancestors *');
  expect(embed.headers.get('x-frame-options')).toBeNull();
  const page = await fetch(world.url(`/m/${sha256}`));
  expect(page.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
});

test("a medium's page tells link previews its name, its address and how to play it", async () => {
  const { world, sha256 } = await app({ type: 'video/mp4' });
  const html = await (await fetch(world.url(`/m/${sha256}`))).text();
  expect(html).toContain('<title>Sunset over the bay.mp4 · A test server</title>');
  expect(html).toContain('<meta property="og:title" content="Sunset over the bay.mp4">');
  expect(html).toContain(`<meta property="og:video" content="${world.origin}/${sha256}.mp4">`);
  expect(html).toContain(`<meta name="twitter:player" content="${world.origin}/embed/${sha256}">`);
  expect(html).toContain('type="application/json+oembed"');
});

test.each([
  `</title><script>alert(1)</script>`,
  `"><img src=x onerror=alert(1)>`,
  `'; alert(1); '`,
  `$& $' $\` $1 </head>`,
  '\u202egnp.exe\u0000<svg onload=alert(1)>',
])('the name %j shows as text and nothing else', async (name) => {
  const { world, sha256 } = await app({ name, type: 'image/png' });
  const html = await (await fetch(world.url(`/m/${sha256}`))).text();
  const head = html.slice(0, html.indexOf('<body>'));
  expect(head.match(/<\/head>/g)).toHaveLength(1);
  expect(head.match(/<\/title>/g)).toHaveLength(1);
  expect(head).not.toMatch(/<(?!\/?(?:html|head|meta|title|link|!doctype)\b)/);
  expect(head).not.toMatch(/content="[^"]*"[^>\s][^>]*>/);
  expect(html).toContain('<body><div id="root"></div></body>');
});

test('the page of an unknown medium is a 404 that still brings the app', async () => {
  const { world } = await app();
  const response = await fetch(world.url(`/m/${'0'.repeat(64)}`));
  expect([response.status, await response.text()]).toEqual([404, INDEX]);
});

test.each([
  '/../package.json',
  '/assets/../index.html',
  '/assets/..%2findex.html',
  '/%2e%2e/package.json',
  '/assets/',
  '/assets/app-5f3a.js/',
  '/assets/app-5f3a.js%00',
  '//etc/passwd',
  '/nothing-here',
  '/index.html',
  '/assets/app-5f3a.js.br',
])('%s is not there', async (target) => {
  const { world } = await app();
  const answer = await rawExchange(world.port, `GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
  expect(answer).toMatch(/^HTTP\/1\.1 404 /);
});

test('pages are read, not written to', async () => {
  const { world } = await app();
  const response = await fetch(world.url('/settings'), { method: 'POST', body: 'x' });
  expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
});

test('without a built app its pages say so', async () => {
  const world = await openWorld({ media: new BlobsInMemory() });
  const response = await fetch(world.url('/'));
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ code: 'unavailable' });
});
