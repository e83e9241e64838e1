/**
 * A restart with 5,000 torrents of 64 KiB. Ours: the whole server until /readyz, every torrent one handshake away.
 * libtorrent: resume data until all seed. WebTorrent: add until all are ready, with its own check of the data.
 */
import { openAsBlob } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KIB, MIB } from '../src/base/units.ts';
import type { Program } from '../test/support/program.ts';
import type { Bench, Contender, Figures } from './support/bench.ts';
import { makeBlob, memoryFolder } from './support/blob.ts';
import { countOpenFiles, TreeMeter } from './support/meter.ts';
import { LIBTORRENT, startPeer, WEBTORRENT } from './support/peer.ts';
import { readStallMs } from './support/stall.ts';
import { type RunningServer, startServer } from '../test/support/server.ts';

const FULL_COUNT = 5_000;
const BLOB_BYTES = 64 * KIB;
const START_TIMEOUT_MS = 600_000;
const UPLOADS_AT_ONCE = 16;
const SETTLING_MS = 1_000;
const SETTINGS = { SEEDBED_UPLOADS: 'anyone', SEEDBED_LOG_LEVEL: 'warn' };

interface Library {
  readonly count: number;
  readonly dataFolder: string;
  readonly torrentFolder: string;
  readonly resumeFolder: string;
  readonly serverFolder: string;
}

async function makeLibrary(folder: string, count: number): Promise<Library> {
  for (let index = 0; index < count; index++) await makeBlob(folder, `restart-${index}`, BLOB_BYTES);
  const library = {
    count,
    dataFolder: path.join(folder, 'data'),
    torrentFolder: path.join(folder, 'torrents'),
    resumeFolder: path.join(folder, 'resume'),
    serverFolder: path.join(folder, 'server'),
  };
  await mkdir(library.resumeFolder);
  await publish(library);
  if (LIBTORRENT.lack === undefined) await saveResumeData(library);
  return library;
}

/** Uploads every file to our server, the way people do. */
async function publish({ dataFolder, serverFolder }: Library): Promise<void> {
  await using server = await startServer({ dataFolder: serverFolder, settings: SETTINGS });
  const waiting = await readdir(dataFolder);
  const uploadNext = async (): Promise<void> => {
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop())
      await uploadFile(server, path.join(dataFolder, name));
  };
  await Promise.all(Array.from({ length: UPLOADS_AT_ONCE }, uploadNext));
}

async function uploadFile({ origin }: RunningServer, file: string): Promise<void> {
  const body = new FormData();
  body.append('file', await openAsBlob(file), path.basename(file));
  const response = await fetch(`${origin}/api/v1/media`, { method: 'POST', body });
  if (!response.ok) throw new Error(`upload was answered ${response.status}: ${await response.text()}`);
  await response.arrayBuffer();
}

async function saveResumeData({ torrentFolder, dataFolder, resumeFolder }: Library): Promise<void> {
  await using program = startPeer(LIBTORRENT, 'resume', torrentFolder, dataFolder, resumeFolder);
  await program.line(/DONE/, START_TIMEOUT_MS);
}

async function measureRival(program: Program, startedAtMs: number): Promise<Figures> {
  await using running = program;
  const meter = new TreeMeter(running.pid);
  await running.line(/DONE/, START_TIMEOUT_MS);
  return figures(performance.now() - startedAtMs, meter, running.pid);
}

async function measureOurs({ serverFolder }: Library): Promise<Figures> {
  await using server = await startServer({ dataFolder: serverFolder, settings: SETTINGS });
  const { pid } = server.program;
  const found = figures(server.readyMs, new TreeMeter(pid), pid);
  await sleep(SETTLING_MS);
  return { ...found, stall: await readStallMs(server.adminOrigin) };
}

/** CPU of the start is what /proc has counted by now, for a meter that began late as for one that began early. */
function figures(readyMs: number, meter: TreeMeter, pid: number): Figures {
  const { totalCpuSeconds, peakRssBytes } = meter.stop();
  const files = countOpenFiles(pid);
  return { ready: readyMs / 1000, cpu: totalCpuSeconds, memory: peakRssBytes / MIB, files };
}

export const bench: Bench = {
  title: '5,000 torrents: from the start of the process until all of them can be fetched',
  metrics: [
    { name: 'ready', unit: 's', better: 'lower' },
    { name: 'cpu', unit: 's', better: 'lower' },
    { name: 'memory', unit: 'MiB', better: 'lower' },
    { name: 'files', unit: 'open, no sockets', better: 'lower' },
    { name: 'stall', unit: 'ms from the first open port to 1 s after ready', better: 'lower' },
  ],
  prepare: async ({ scale }) => {
    const count = Math.max(5, Math.round(FULL_COUNT * scale));
    const folder = await memoryFolder('bench-restart', count * BLOB_BYTES * 2);
    const library = await makeLibrary(folder.path, count);
    const contenders: Contender[] = [
      { name: 'Seedbed, the whole server', measure: () => measureOurs(library) },
      {
        name: 'libtorrent, resume data',
        lack: LIBTORRENT.lack,
        measure: () => {
          const startedAtMs = performance.now();
          const { torrentFolder, dataFolder, resumeFolder } = library;
          return measureRival(startPeer(LIBTORRENT, 'restart', torrentFolder, dataFolder, resumeFolder), startedAtMs);
        },
      },
      {
        name: 'WebTorrent, checks the data',
        measure: () => {
          const startedAtMs = performance.now();
          const { torrentFolder, dataFolder } = library;
          return measureRival(startPeer(WEBTORRENT, 'restart', torrentFolder, dataFolder), startedAtMs);
        },
      },
    ];
    return { contenders, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
  },
};
