/** The service worker: turns `/stream` into what the page's worker reads, range by range. Keeps nothing. */
import type { RangeAnswer } from './messages.ts';

declare const self: ServiceWorkerGlobalScope;

self.addEventListener('install', () => void self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (event) => {
  if (new URL(event.request.url).pathname === '/stream') event.respondWith(stream(event));
});

async function stream({ request, clientId }: FetchEvent): Promise<Response> {
  const page = await self.clients.get(clientId);
  if (page === undefined) return new Response('the page is gone', { status: 503 });
  const { port1, port2 } = new MessageChannel();
  const answered = new Promise<RangeAnswer>((resolve) =>
    port1.addEventListener('message', ({ data }: MessageEvent<RangeAnswer>) => resolve(data), { once: true }),
  );
  port1.start();
  page.postMessage({ range: request.headers.get('range') }, [port2]);
  const { start, endExclusive, totalBytes, body } = await answered;
  return new Response(body, {
    status: 206,
    headers: {
      'accept-ranges': 'bytes',
      'content-length': String(endExclusive - start),
      'content-range': `bytes ${start}-${endExclusive - 1}/${totalBytes}`,
    },
  });
}
