/** Stored files over HTTP, ours against nginx with sendfile and an open-file cache, one process each, same bytes on disk. */
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import path from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { parseSha256, type Sha256 } from '../src/base/ids.ts';
import { GIB, KIB, MIB } from '../src/base/units.ts';
import { freePort } from '../test/support/free-port.ts';
import { lackOf, findProgram } from '../test/support/peers.ts';
import { type Program, startProgram } from '../test/support/program.ts';
import { seededBytes, seededRandom } from '../test/support/random-bytes.ts';
import { startServer } from '../test/support/server.ts';
import { eventually } from '../test/support/eventually.ts';
import type { Bench, Contender, Figures } from './support/bench.ts';
import { memoryFolder } from './support/blob.ts';
import { runLoad } from './support/http-load.ts';
import { TreeMeter } from './support/meter.ts';

const BIG_BYTES = GIB;
const STREAMS = 3;
const RANGE_BYTES = 256 * KIB;
const RANGES = 20_000;
/** Requests before the clock starts: what is claimed is a server that has been running. */
const WARM_UP = 2_000;
const SMALL_FILES = 100;
const SMALL_REQUESTS = 100_000;
const CHUNK_BYTES = 4 * MIB;

interface Corpus {
  readonly dataFolder: string;
  readonly big: Sha256;
  readonly bigBytes: number;
  readonly small: readonly Sha256[];
}

/** One server under load: where it listens, what it costs, where it keeps a blob. */
interface Target {
  readonly port: number;
  readonly pid: number;
  readonly pathOf: (blob: Sha256) => string;
}

/** Uploads by Blossom; gives the blob's name. */
async function publish(origin: string, seed: string, sizeBytes: number): Promise<Sha256> {
  const sent = request(`${origin}/upload`, { method: 'PUT', headers: { 'content-length': sizeBytes } });
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
  await pipeline(bytesOf(seed, sizeBytes), sent);
  const [answer] = await answered;
  const text = await readText(answer);
  if (answer.statusCode !== 201) throw new Error(`the upload was answered ${answer.statusCode}: ${text}`);
  return parseSha256((JSON.parse(text) as { sha256: string }).sha256);
}

async function* bytesOf(seed: string, sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < sizeBytes; at += CHUNK_BYTES)
    yield seededBytes(seed, Math.min(CHUNK_BYTES, sizeBytes - at), at);
}

async function fillCorpus(dataFolder: string, bigBytes: number): Promise<Corpus> {
  await using server = await startServer({ dataFolder, settings: { SEEDBED_UPLOADS: 'anyone' } });
  const small: Sha256[] = [];
  for (let file = 0; file < SMALL_FILES; file++) {
    small.push(await publish(server.origin, `small ${file}`, KIB));
  }
  return { dataFolder, small, bigBytes, big: await publish(server.origin, 'big', bigBytes) };
}

async function startNginx(folder: string, root: string): Promise<{ readonly program: Program; readonly port: number }> {
  const port = await freePort();
  await mkdir(folder, { recursive: true });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const config = `
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/errors;
    events { worker_connections 512; }
    http {
      access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 10000000;
      open_file_cache max=1000 inactive=60s; default_type application/octet-stream;
      ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
      server { listen 127.0.0.1:${port}; root ${root}; }
    }`;
  const file = path.join(folder, 'nginx.conf');
  await writeFile(file, config);
  const program = startProgram(findProgram('nginx') ?? 'nginx', ['-c', file, '-e', `${folder}/errors`], {
    group: true,
  });
  await eventually('nginx listens', async () => (await fetch(`http://127.0.0.1:${port}/`)).status > 0);
  return { program, port };
}

async function measure(target: Target, corpus: Corpus, scale: number): Promise<Figures> {
  const get = (blob: Sha256, range = ''): string =>
    `GET ${target.pathOf(blob)} HTTP/1.1\r\nHost: bench\r\n${range}\r\n`;
  const random = seededRandom(1);
  const lastStart = corpus.bigBytes - RANGE_BYTES;
  const rangeAt = (start: number): string => get(corpus.big, `Range: bytes=${start}-${start + RANGE_BYTES - 1}\r\n`);
  const smallAt = (turn: number): string => get(corpus.small[turn % SMALL_FILES] ?? corpus.big);

  await timed(target, 16, WARM_UP, () => rangeAt(Math.floor(random() * lastStart)));
  const stream = await timed(target, 1, STREAMS, () => get(corpus.big));
  const ranges = await timed(target, 16, count(RANGES, scale), () => rangeAt(Math.floor(random() * lastStart)));
  const files = await timed(target, 32, count(SMALL_REQUESTS, scale), smallAt);
  return {
    stream: stream.bytes / MIB / stream.seconds,
    cpu: stream.cpuSeconds / (stream.bytes / GIB),
    ranges: ranges.requests / ranges.seconds,
    rangesPerCpu: ranges.requests / ranges.cpuSeconds,
    files: files.requests / files.seconds,
  };
}

function count(full: number, scale: number): number {
  return Math.max(64, Math.round(full * Math.min(1, scale)));
}

async function timed(
  { port, pid }: Target,
  connections: number,
  requests: number,
  requestAt: (turn: number) => string,
) {
  const meter = new TreeMeter(pid);
  let sent = 0;
  const startedAtMs = performance.now();
  const bytes = await runLoad({ port, connections, next: () => (sent < requests ? requestAt(sent++) : undefined) });
  const seconds = (performance.now() - startedAtMs) / 1000;
  return { bytes, requests, seconds, cpuSeconds: Math.max(meter.stop().cpuSeconds, 0.01) };
}

function ours(corpus: Corpus, scale: number): Contender {
  return {
    name: 'Seedbed',
    measure: async () => {
      await using server = await startServer({ dataFolder: corpus.dataFolder });
      const port = Number(new URL(server.origin).port);
      return await measure({ port, pid: server.program.pid, pathOf: (blob) => `/${blob}` }, corpus, scale);
    },
  };
}

function nginx(corpus: Corpus, scale: number): Contender {
  const pathOf = (blob: Sha256): string => `/blobs/${blob.slice(0, 2)}/${blob.slice(2, 4)}/${blob}`;
  return {
    name: 'nginx, sendfile',
    lack: lackOf('nginx'),
    measure: async () => {
      const { program, port } = await startNginx(path.join(corpus.dataFolder, 'nginx'), corpus.dataFolder);
      await using running = program;
      return await measure({ port, pid: running.pid, pathOf }, corpus, scale);
    },
  };
}

export const bench: Bench = {
  title: '1 GiB on one connection, 256 KiB random ranges on 16, 1 KiB files on 32, keep-alive, from the page cache',
  metrics: [
    { name: 'stream', unit: 'MiB/s', better: 'higher' },
    { name: 'cpu', unit: 'server s/GiB', better: 'lower' },
    { name: 'ranges', unit: 'ranges/s', better: 'higher' },
    { name: 'rangesPerCpu', unit: 'ranges per server CPU s', better: 'higher' },
    { name: 'files', unit: '1 KiB files/s', better: 'higher' },
  ],
  prepare: async ({ scale }) => {
    const bigBytes = Math.max(8 * MIB, Math.round(BIG_BYTES * scale));
    const folder = await memoryFolder('bench-delivery', bigBytes);
    const corpus = await fillCorpus(folder.path, bigBytes);
    return {
      contenders: [ours(corpus, scale), nginx(corpus, scale)],
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    };
  },
};
