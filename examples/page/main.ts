/** The page: asks for a magnet link, brings peers to the worker, and plays what the service worker streams. */
import { parseMagnet } from 'seedbed/codec';
import { PageSwarm } from 'seedbed/torrent/browser';
import type { Asked, Told } from './messages.ts';

const form = document.forms[0];
const status = document.querySelector('[role=status]');
const video = document.querySelector('video');
const MEGABYTE = 1_000_000;

/** Streams are answered by a service worker; the page must be under its control before the video asks. */
async function serviceWorker(): Promise<void> {
  const controlled = new Promise((resolve) =>
    navigator.serviceWorker.addEventListener('controllerchange', resolve, { once: true }),
  );
  await navigator.serviceWorker.register('/sw.js');
  if (navigator.serviceWorker.controller === null) await controlled;
}

function show(text: string): void {
  if (status !== null) status.textContent = text;
}

function hear(told: Told): void {
  switch (told.kind) {
    case 'ready':
      if (video !== null) video.src = '/stream';
      return show(told.name);
    case 'progress': {
      const rate = (told.bytesPerSecond / MEGABYTE).toFixed(1);
      return show(
        `${Math.round(told.share * 100)} % here, ${told.peers} peers, ${rate} MB/s, gave ${told.uploadedBytes} bytes`,
      );
    }
    case 'failed':
      return show(told.reason);
  }
}

async function play(magnet: string, tracker: string): Promise<void> {
  const trackerUrl = tracker === '' ? parseMagnet(magnet).trackers.find((url) => /^wss?:/.test(url)) : tracker;
  if (trackerUrl === undefined) return show('Browsers need a WebSocket tracker, and this link has none.');
  await serviceWorker();
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  const swarm = new PageSwarm({ worker, trackerUrl });
  Object.assign(globalThis, { swarm }); // for the curious: `swarm.status` in the console
  const ask = (asked: Asked, transfer: Transferable[] = []): void => worker.postMessage(asked, transfer);
  worker.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
    if (isTold(data)) hear(data);
  });
  navigator.serviceWorker.addEventListener(
    'message',
    ({ data, ports: [port] }: MessageEvent<{ range: string | null }>) => {
      if (port !== undefined) ask({ kind: 'range', range: data.range, port }, [port]);
    },
  );
  show('Looking for peers…');
  ask({ kind: 'open', magnet });
}

/** The swarm's own messages pass on the same way. */
function isTold(data: unknown): data is Told {
  return typeof data === 'object' && data !== null && 'kind' in data;
}

function typed(name: string): string {
  return document.querySelector<HTMLInputElement>(`input[name=${name}]`)?.value ?? '';
}

function start(magnet: string, tracker: string): void {
  play(magnet, tracker).catch((error: unknown) => show(String(error)));
}

form?.addEventListener('submit', (event) => {
  event.preventDefault();
  start(typed('magnet'), typed('tracker'));
});

// `?magnet=…&tracker=…` plays at once.
const wanted = new URLSearchParams(location.search);
const link = wanted.get('magnet');
if (link !== null) start(link, wanted.get('tracker') ?? '');
