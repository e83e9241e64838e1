/** The worker: one torrent; what the player reads comes first, then the rest. It is kept by the browser and given to others. */
import type { Torrent } from 'seedbed/torrent';
import { WorkerSwarm } from 'seedbed/torrent/browser';
import type { Asked, RangeAnswer, Told } from './messages.ts';

const PROGRESS_MS = 250;
const swarm = new WorkerSwarm();
const opened = Promise.withResolvers<Torrent>();

function tell(told: Told): void {
  globalThis.postMessage(told);
}

async function open(magnet: string): Promise<void> {
  const torrent = await swarm.add(magnet); // what is read comes first, then the rest
  const { name, totalBytes } = await torrent.ready();
  opened.resolve(torrent);
  tell({ kind: 'ready', name, totalBytes });
  setInterval(() => {
    const { progress, peers, downloadBytesPerSecond, uploadedBytes } = torrent.stats();
    tell({ kind: 'progress', share: progress, peers, bytesPerSecond: downloadBytesPerSecond, uploadedBytes });
  }, PROGRESS_MS);
}

/** `bytes=<first>-` or `bytes=<first>-<last>`, as browsers ask; anything else is the whole file. */
async function answer(range: string | null, port: MessagePort): Promise<void> {
  const torrent = await opened.promise;
  const { totalBytes } = await torrent.ready();
  const [, first = '0', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? [];
  const start = Number(first);
  const endExclusive = last === '' ? totalBytes : Math.min(totalBytes, Number(last) + 1);
  // Cancelled when the player seeks away; the engine then stops asking for these bytes.
  const body = torrent.read({ start, endExclusive });
  const reply: RangeAnswer = { start, endExclusive, totalBytes, body };
  port.postMessage(reply, [body]);
}

globalThis.addEventListener('message', ({ data }: MessageEvent<Asked | { readonly kind?: undefined }>) => {
  const failed = (error: unknown): void => tell({ kind: 'failed', reason: String(error) });
  if (data.kind === 'open') open(data.magnet).catch(failed);
  if (data.kind === 'range') answer(data.range, data.port).catch(failed);
});
