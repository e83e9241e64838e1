/**
 * The service worker: answers `/stream/…`, keeps the app shell for offline use, and stays out of everything else. It is
 * stopped and started at the browser's will, so it holds no state: streams find the swarm worker through the tabs.
 */
import { systemClock } from '../../../src/base/clock.ts';
import { KEEP_SHELL, parseStreamPath, type StreamAddress, type StreamOffer } from '../swarm/stream-protocol.ts';
import { isAppPage, ShellCache, type ShellFile } from './shell-cache.ts';
import { answerStream, type StreamPorts } from './stream-response.ts';

/** Files of this build, written in by the build. */
declare const __PRECACHE__: readonly ShellFile[];

const NAVIGATION_TIMEOUT_MS = 8_000;

const scope = globalThis as unknown as ServiceWorkerGlobalScope;
const shell = new ShellCache(__PRECACHE__);

const streams: StreamPorts = {
  clock: systemClock,
  offer: offerToTabs,
  // Past the browser's cache: media would push everything else out of it.
  fetchHttp: (httpPath, headers, signal) => fetch(httpPath, { headers, signal, cache: 'no-store' }),
};

async function offerToTabs({ infoHash, sha256 }: StreamAddress): Promise<readonly MessagePort[]> {
  const tabs = await scope.clients.matchAll({ type: 'window', includeUncontrolled: true });
  return tabs.map((tab) => {
    const { port1, port2 } = new MessageChannel();
    const offer: StreamOffer = { kind: 'stream-offer', infoHash, sha256, port: port2 };
    tab.postMessage(offer, [port2]);
    return port1;
  });
}

/** The network's page while there is one, so that a new build shows at once; the kept one otherwise. */
async function answerPage(request: Request): Promise<Response> {
  try {
    return await fetch(request, { signal: AbortSignal.timeout(NAVIGATION_TIMEOUT_MS) });
  } catch (error) {
    const kept = await shell.page();
    if (kept === undefined) throw error;
    return kept;
  }
}

async function answerFile(request: Request, pathname: string): Promise<Response> {
  return (await shell.find(pathname)) ?? fetch(request);
}

/** The answer to a request of a page; undefined leaves it to the browser. */
function answer(request: Request): Promise<Response> | undefined {
  const { origin, pathname } = new URL(request.url);
  if (origin !== scope.location.origin || request.method !== 'GET') return undefined;
  if (request.mode === 'navigate') return isAppPage(pathname) ? answerPage(request) : undefined;
  const address = parseStreamPath(pathname);
  if (address !== undefined) return answerStream(request, address, streams);
  return shell.has(pathname) ? answerFile(request, pathname) : undefined;
}

// Nothing is fetched before the first page can be controlled: its first frame must not wait for the shell.
scope.addEventListener('install', (event) => event.waitUntil(scope.skipWaiting()));
scope.addEventListener('activate', (event) => event.waitUntil(scope.clients.claim()));
scope.addEventListener('fetch', (event) => {
  const answered = answer(event.request);
  if (answered !== undefined) event.respondWith(answered);
});
scope.addEventListener('message', (event) => {
  if (event.data === KEEP_SHELL) event.waitUntil(shell.fill());
});
