/**
 * Distance between a viewer and its peers: one TCP proxy per peer that delays both directions. It limits no rate: a
 * slow proxy would swallow megabytes ahead of itself, and no cancel could take them back; the limit sits in the peers.
 *
 *     node shaper.ts <target port>,… <RTT ms>,…     prints `READY <port>,…`; a line <n> on stdin is
 *                                                   answered with `BYTES <n> <bytes to the viewer since the last>`
 */
import net from 'node:net';
import { createInterface } from 'node:readline';

const HOST = '127.0.0.1';
/** Unsplit, the 64 KiB that Node reads at a time would come as bursts no network has. */
const PACKET_BYTES = 4096;
const PAUSE_BYTES = 256 * 1024;
const RESUME_BYTES = 128 * 1024;

let toViewerBytes = 0;

/** Hands on what comes, `delayMs` later. One queue and one timer: a timer per packet would reorder the stream. */
function delay(from: net.Socket, to: net.Socket, delayMs: number, count: (sizeBytes: number) => void): void {
  const queue: { readonly dueMs: number; readonly bytes: Buffer | undefined }[] = [];
  let queuedBytes = 0;
  let timer: NodeJS.Timeout | undefined;
  const deliver = (): void => {
    timer = undefined;
    const nowMs = performance.now();
    for (let next = queue[0]; next !== undefined && next.dueMs <= nowMs + 0.5; next = queue[0]) {
      queue.shift();
      if (next.bytes === undefined) to.end();
      else if (!to.destroyed) to.write(next.bytes);
      queuedBytes -= next.bytes?.length ?? 0;
      count(next.bytes?.length ?? 0);
    }
    if (queuedBytes < RESUME_BYTES) from.resume();
    schedule();
  };
  const schedule = (): void => {
    const [next] = queue;
    if (next !== undefined) timer ??= setTimeout(deliver, Math.max(1, next.dueMs - performance.now()));
  };
  from.on('data', (bytes: Buffer) => {
    const dueMs = performance.now() + delayMs;
    for (let at = 0; at < bytes.length; at += PACKET_BYTES)
      queue.push({ dueMs, bytes: bytes.subarray(at, at + PACKET_BYTES) });
    queuedBytes += bytes.length;
    if (queuedBytes > PAUSE_BYTES) from.pause();
    schedule();
  });
  from.on('error', () => undefined); // `close` follows
  from.on('close', () => {
    queue.push({ dueMs: performance.now() + delayMs, bytes: undefined });
    schedule();
  });
}

function link(targetPort: number, rttMs: number): Promise<number> {
  const server = net.createServer({ noDelay: true }, (viewer) => {
    const peer = net.connect({ host: HOST, port: targetPort, noDelay: true });
    delay(viewer, peer, rttMs / 2, () => undefined);
    delay(peer, viewer, rttMs / 2, (sizeBytes) => (toViewerBytes += sizeBytes));
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, HOST, () => {
      const address = server.address();
      if (typeof address === 'object' && address !== null) resolve(address.port);
    });
  });
}

const [targets = '', rtts = ''] = process.argv.slice(2);
const rttsMs = rtts.split(',').map(Number);
const ports = await Promise.all(targets.split(',').map((port, index) => link(Number(port), rttsMs[index] ?? 0)));
createInterface(process.stdin).on('line', (ticket) => {
  console.log(`BYTES ${ticket} ${toViewerBytes}`);
  toViewerBytes = 0;
});
console.log(`READY ${ports.join(',')}`);
