/** One upload by tus, ours against bare @tus/server with its file store, which neither hashes nor syncs. */
import http from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { GIB, MIB } from '../src/base/units.ts';
import { startProgram } from '../test/support/program.ts';
import { seededBytes } from '../test/support/random-bytes.ts';
import { temporaryFolder } from '../test/support/temp-dir.ts';
import type { Bench, Contender, Figures } from './support/bench.ts';
import { TreeMeter } from './support/meter.ts';
import { startServer } from '../test/support/server.ts';

const FULL_BYTES = GIB;
const SENT_AT_ONCE_BYTES = 256 * 1024;
const PATTERN_BYTES = 32 * MIB;
const RIVAL = path.join(import.meta.dirname, 'peers/tus-server.mjs');
const TUS = { 'Tus-Resumable': '1.0.0' };

/** A different upload each round, from a pattern made before the clock starts. */
async function* bodyOf(pattern: Uint8Array, round: number, sizeBytes: number): AsyncGenerator<Uint8Array> {
  let sentBytes = 0;
  while (sentBytes < sizeBytes) {
    const start = (sentBytes + round * 4_099) % (PATTERN_BYTES - SENT_AT_ONCE_BYTES);
    const size = Math.min(SENT_AT_ONCE_BYTES, sizeBytes - sentBytes);
    sentBytes += size;
    yield pattern.subarray(start, start + size);
  }
}

function request(url: string, method: string, headers: http.OutgoingHttpHeaders): http.ClientRequest {
  return http.request(url, { method, headers: { ...TUS, ...headers } });
}

function answer(sent: http.ClientRequest): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.once('error', reject);
    sent.once('response', (response) => {
      response.resume();
      response.once('end', () => resolve(response));
    });
  });
}

/** Creates an upload and sends all of it in one PATCH; resolves when the server has acknowledged the whole. */
async function upload(origin: string, body: AsyncIterable<Uint8Array>, sizeBytes: number): Promise<void> {
  const creation = request(`${origin}/api/v1/uploads`, 'POST', { 'Upload-Length': sizeBytes });
  const created = answer(creation);
  creation.end();
  const { headers, statusCode } = await created;
  if (statusCode !== 201 || headers.location === undefined) throw new Error(`creation was answered ${statusCode}`);
  const patch = request(new URL(headers.location, origin).href, 'PATCH', {
    'Content-Type': 'application/offset+octet-stream',
    'Content-Length': sizeBytes,
    'Upload-Offset': 0,
  });
  const patched = answer(patch);
  await pipeline(body, patch);
  const { statusCode: status } = await patched;
  if (status !== 204) throw new Error(`the upload was answered ${status}`);
}

async function measureUpload(
  pid: number,
  origin: string,
  body: AsyncIterable<Uint8Array>,
  sizeBytes: number,
): Promise<Figures> {
  const meter = new TreeMeter(pid);
  const startedAtMs = performance.now();
  await upload(origin, body, sizeBytes);
  const seconds = (performance.now() - startedAtMs) / 1000;
  const { cpuSeconds, peakRssBytes } = meter.stop();
  return { rate: sizeBytes / MIB / seconds, cpu: cpuSeconds / (sizeBytes / GIB), memory: peakRssBytes / MIB };
}

export const bench: Bench = {
  title: '1 GiB by tus in one PATCH, until acknowledged',
  metrics: [
    { name: 'rate', unit: 'MiB/s', better: 'higher' },
    { name: 'cpu', unit: 'server s/GiB', better: 'lower' },
    { name: 'memory', unit: 'MiB', better: 'lower' },
  ],
  prepare: ({ scale }) => {
    const sizeBytes = Math.max(MIB, Math.round(FULL_BYTES * scale));
    const pattern = seededBytes('ingest', PATTERN_BYTES);
    let round = 0;
    const ours: Contender = {
      name: 'Seedbed: hashed and synced',
      measure: async () => {
        await using folder = await temporaryFolder('bench-ingest');
        await using server = await startServer({ dataFolder: folder.path, settings: { SEEDBED_UPLOADS: 'anyone' } });
        return await measureUpload(server.program.pid, server.origin, bodyOf(pattern, round++, sizeBytes), sizeBytes);
      },
    };
    const rival: Contender = {
      name: '@tus/server, file store: neither',
      measure: async () => {
        await using folder = await temporaryFolder('bench-ingest');
        await using program = startProgram(process.execPath, [RIVAL, folder.path]);
        const [, port] = await program.line(/READY (\d+)/);
        return await measureUpload(
          program.pid,
          `http://127.0.0.1:${port}`,
          bodyOf(pattern, round++, sizeBytes),
          sizeBytes,
        );
      },
    };
    return Promise.resolve({ contenders: [ours, rival], [Symbol.asyncDispose]: () => Promise.resolve() });
  },
};
