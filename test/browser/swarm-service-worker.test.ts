/** The service worker in a real Chromium: streams by range, cancels, offline shell, and nothing of users in the cache. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Browser, openBrowser } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { describeWith, findProgram } from '../support/peers.ts';
import { inPage, openSite, type Site, SITE_PAGE } from './support/site.ts';
import type * as StreamTab from './support/stream-tab.ts';

type Modules = typeof StreamTab;

const blob = 'ab'.repeat(32);
const stream = `/stream/${'cd'.repeat(20)}/${blob}.mp4`;
const revision = createHash('sha256').update(SITE_PAGE).digest('hex').slice(0, 16);

let site: Site;
const served: string[] = [];
beforeAll(async () => {
  site = await openSite({
    entries: { modules: 'test/browser/support/stream-tab.ts' },
    scripts: { sw: 'web/src/sw/service-worker.ts' },
    define: { __PRECACHE__: JSON.stringify([{ url: '/', revision }]) },
    handler: (request, response) => {
      served.push(`${request.url} ${request.headers.range ?? ''}`.trim());
      if (request.url !== `/${blob}.mp4`) return false;
      response.writeHead(206, { 'content-range': 'bytes 0-2/3' }).end('abc');
      return true;
    },
  });
});
afterAll(() => site[Symbol.asyncDispose]());

describeWith(['chromium'], 'the service worker', () => {
  const newBrowser = (): Promise<Browser> => openBrowser({ executablePath: findProgram('chromium') ?? 'chromium' });

  test('controls the first visit at once and answers every range of a stream exactly', async () => {
    await using browser = await newBrowser();
    const page = await browser.newPage();
    await page.goto(site.origin);
    const answers = await inPage(
      page,
      async ({ answerStreams, isContent }: Modules, url) => {
        await answerStreams();
        const seen = [];
        for (const range of ['bytes=0-', 'bytes=4999990-', 'bytes=1000000-1999999', 'bytes=-5', 'bytes=5000000-']) {
          const response = await fetch(url, { headers: { range } });
          const bytes = new Uint8Array(await response.arrayBuffer());
          const contentRange = response.headers.get('content-range') ?? '';
          const start = Number(/\d+/.exec(contentRange)?.[0] ?? 0);
          seen.push([response.status, contentRange, bytes.length, isContent(bytes, start)]);
        }
        return seen;
      },
      stream,
    );
    expect(answers).toEqual([
      [206, 'bytes 0-4999999/5000000', 5_000_000, true],
      [206, 'bytes 4999990-4999999/5000000', 10, true],
      [206, 'bytes 1000000-1999999/5000000', 1_000_000, true],
      [206, 'bytes 4999995-4999999/5000000', 5, true],
      [416, 'bytes */5000000', 0, true],
    ]);
    expect(served.filter((line) => line.startsWith(`/${blob}`))).toEqual([]);
  });

  test('a request that the page gives up is cancelled at the swarm long before its end', async () => {
    await using browser = await newBrowser();
    const page = await browser.newPage();
    await page.goto(site.origin);
    const heard = await inPage(
      page,
      async ({ answerStreams }: Modules, url) => {
        const told = await answerStreams();
        const abort = new AbortController();
        const response = await fetch(url, { headers: { range: 'bytes=0-' }, signal: abort.signal });
        await response.body?.getReader().read();
        abort.abort();
        while (told.cancels === 0) await new Promise((resolve) => setTimeout(resolve, 5));
        return told;
      },
      stream,
    );
    expect(heard).toEqual({ reads: ['0-5000000'], cancels: 1 });
  });

  test('without a tab that seeds, the stream is the answer of the server', async () => {
    await using browser = await newBrowser();
    const page = await browser.newPage();
    await page.goto(site.origin);
    const text = await inPage(
      page,
      async ({ takeServiceWorker, systemClock }: Modules, url) => {
        await takeServiceWorker(systemClock);
        return (await fetch(url, { headers: { range: 'bytes=0-2' } })).text();
      },
      stream,
    );
    expect(text).toBe('abc');
    expect(served).toContain(`/${blob}.mp4 bytes=0-2`);
  });

  test('the app shell comes back without a network; streams and blobs are never kept', async () => {
    await using browser = await newBrowser();
    const page = await browser.newPage();
    await page.goto(site.origin);
    await inPage(
      page,
      async ({ answerStreams }: Modules, url) => {
        await answerStreams();
        await (await fetch(url)).arrayBuffer();
      },
      stream,
    );
    const cached = (): Promise<string[]> =>
      page.evaluate(async () => {
        const urls: string[] = [];
        for (const name of await caches.keys())
          for (const request of await (await caches.open(name)).keys()) urls.push(new URL(request.url).pathname);
        return urls;
      });
    await eventually('the shell is kept', async () => (await cached()).length > 0);
    expect(await cached()).toEqual(['/']);
    await browser.context.setOffline(true);
    await page.goto(`${site.origin}/m/${blob}`);
    expect(await page.title()).toBe('test');
  });

  test('a stream opened as a page is left to the server, so that no stranger speaks for this origin', async () => {
    await using browser = await newBrowser();
    const page = await browser.newPage();
    await page.goto(site.origin);
    await inPage(page, ({ answerStreams }: Modules) => answerStreams(), undefined);
    await expect(page.goto(site.origin + stream)).rejects.toThrow('ERR_HTTP_RESPONSE_CODE_FAILURE');
    expect(served).toContain(stream);
  });
});
