/**
 * A million torrents at rest. Ours: the whole server until /readyz; then torrents that nobody has asked for since the
 * start are wanted, one after the other by each way, then a thousand at once. libtorrent cannot hold a million: it loads
 * 20,000 with resume data, and answers handshakes for torrents that are all in memory.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { KIB, MIB } from '../src/base/units.ts';
import { type RunningServer, startServer } from '../test/support/server.ts';
import type { Bench, Contender, Figures, Metric } from './support/bench.ts';
import { makeBlob, memoryFolder, type SeededBlob } from './support/blob.ts';
import { type DormantStore, makeDormantStore } from './support/dormant-store.ts';
import { TreeMeter } from './support/meter.ts';
import { LIBTORRENT, startPeer } from './support/peer.ts';
import { readStallMs } from './support/stall.ts';
import { type Doors, wakeBy, type Waited, type Way } from './support/waking.ts';

const FULL = { rows: 1_000_000, wakesPerWay: 300, burst: 1_000, rival: 20_000 };
const WAYS: readonly Way[] = ['handshake', 'mse', 'http', 'udp', 'ws'];
const RIVAL_BYTES = 16 * KIB;
const START_TIMEOUT_MS = 600_000;
/** A thousand peers at once need more than the 500 connections of a default server. */
const SETTINGS = { SEEDBED_LOG_LEVEL: 'warn', SEEDBED_MAX_PEERS: '2000' };

type Sizes = typeof FULL;

async function measureOurs(store: DormantStore, sizes: Sizes): Promise<Figures> {
  await using server = await startServer({ dataFolder: store.dataFolder, settings: SETTINGS });
  const meter = new TreeMeter(server.program.pid);
  const atRest = meter.usage();
  const stallAtStart = await readStallMs(server.adminOrigin);
  const doors = doorsOf(server);
  const one = await wakeOneByOne(doors, store.wakeable.slice(0, sizes.wakesPerWay * WAYS.length));
  await readStallMs(server.adminOrigin);
  const burst = await wakeAtOnce(doors, store.wakeable.slice(-sizes.burst));
  const stall = await readStallMs(server.adminOrigin);
  return {
    ready: server.readyMs / 1000,
    'start stall': stallAtStart,
    memory: atRest.peakRssBytes / MIB,
    'memory awake': meter.stop().peakRssBytes / MIB,
    ...one,
    ...burst,
    'burst stall': stall,
  };
}

function doorsOf({ origin, peerAddress }: RunningServer): Doors {
  const http = Number(new URL(origin).port);
  return { http, udp: http, peers: Number(peerAddress.split(':').at(-1)) };
}

async function wakeOneByOne(doors: Doors, blobs: readonly SeededBlob[]): Promise<Figures> {
  const waits = new Map<Way, Waited[]>(WAYS.map((way) => [way, []]));
  for (const [index, blob] of blobs.entries()) {
    const way = WAYS[index % WAYS.length] ?? 'handshake';
    waits.get(way)?.push(await wakeBy(way, doors, blob, index));
  }
  const figures: Record<string, number> = {};
  for (const [way, waited] of waits) {
    const handshakes = waited.map(({ handshakeMs }) => handshakeMs);
    figures[`${way} p50`] = quantile(handshakes, 0.5);
    figures[`${way} p99`] = quantile(handshakes, 0.99);
  }
  figures['block p99'] = quantile(
    [...waits.values()].flat().map(({ blockMs }) => blockMs),
    0.99,
  );
  return figures;
}

async function wakeAtOnce(doors: Doors, blobs: readonly SeededBlob[]): Promise<Figures> {
  const all = await Promise.allSettled(blobs.map((blob, index) => wakeBy('handshake', doors, blob, index)));
  const answered = all.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  return {
    'burst answered': (100 * answered.length) / all.length,
    'burst p99': quantile(
      answered.map(({ handshakeMs }) => handshakeMs),
      0.99,
    ),
  };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

interface RivalLibrary {
  readonly folder: string;
  readonly blobs: readonly SeededBlob[];
}

async function makeRivalLibrary(parent: string, count: number): Promise<RivalLibrary> {
  const folder = path.join(parent, 'rival');
  const resumeFolder = path.join(folder, 'resume');
  await mkdir(resumeFolder, { recursive: true });
  const blobs: SeededBlob[] = [];
  for (let index = 0; index < count; index++) blobs.push(await makeBlob(folder, `rival-${index}`, RIVAL_BYTES));
  await using program = startPeer(
    LIBTORRENT,
    'resume',
    path.join(folder, 'torrents'),
    path.join(folder, 'data'),
    resumeFolder,
  );
  await program.line(/DONE/, START_TIMEOUT_MS);
  return { folder, blobs };
}

async function measureRival({ folder, blobs }: RivalLibrary, sizes: Sizes): Promise<Figures> {
  const startedAtMs = performance.now();
  const [torrents, data, resume] = ['torrents', 'data', 'resume'].map((name) => path.join(folder, name));
  await using program = startPeer(LIBTORRENT, 'restart', torrents ?? '', data ?? '', resume ?? '');
  const meter = new TreeMeter(program.pid);
  await program.line(/DONE/, START_TIMEOUT_MS);
  const ready = (performance.now() - startedAtMs) / 1000;
  const [, port] = await program.line(/PORT (\d+)/);
  const doors = { http: 0, udp: 0, peers: Number(port) };
  const memory = meter.usage().peakRssBytes / MIB;
  const waited: Waited[] = [];
  for (const [index, blob] of blobs.slice(0, sizes.wakesPerWay).entries())
    waited.push(await wakeBy('handshake', doors, blob, index));
  const handshakes = waited.map(({ handshakeMs }) => handshakeMs);
  const burst = await wakeAtOnce(doors, blobs.slice(-sizes.burst));
  return {
    ready,
    memory,
    'memory awake': meter.stop().peakRssBytes / MIB,
    'handshake p50': quantile(handshakes, 0.5),
    'handshake p99': quantile(handshakes, 0.99),
    ...burst,
  };
}

const ms = (name: string): Metric => ({ name, unit: 'ms', better: 'lower' });

export const bench: Bench = {
  title: 'a million torrents at rest: start, memory, and how soon one answers that nobody has asked for yet',
  metrics: [
    { name: 'ready', unit: 's', better: 'lower' },
    ms('start stall'),
    { name: 'memory', unit: 'MiB', better: 'lower' },
    { name: 'memory awake', unit: 'MiB', better: 'lower' },
    ...WAYS.flatMap((way) => [ms(`${way} p50`), ms(`${way} p99`)]),
    ms('block p99'),
    { name: 'burst answered', unit: '%', better: 'higher' },
    ms('burst p99'),
    ms('burst stall'),
  ],
  prepare: async ({ scale }) => {
    const scaled = (full: number, least: number): number => Math.max(least, Math.round(full * scale));
    const sizes: Sizes = {
      rows: scaled(FULL.rows, 2_000),
      wakesPerWay: scaled(FULL.wakesPerWay, 5),
      burst: scaled(FULL.burst, 20),
      rival: scaled(FULL.rival, 50),
    };
    const wakeable = sizes.wakesPerWay * WAYS.length + sizes.burst;
    const folder = await memoryFolder('bench-dormant', sizes.rows * 2 * KIB + sizes.rival * RIVAL_BYTES);
    const store = await makeDormantStore(folder.path, sizes.rows, wakeable);
    const ours = { name: `Seedbed, ${sizes.rows} rows`, measure: () => measureOurs(store, sizes) };
    const contenders: Contender[] = [ours];
    const name = `libtorrent, ${sizes.rival} loaded`;
    if (LIBTORRENT.lack !== undefined)
      contenders.push({ name, lack: LIBTORRENT.lack, measure: () => Promise.resolve({}) });
    else {
      const library = await makeRivalLibrary(folder.path, sizes.rival);
      contenders.push({ name, measure: () => measureRival(library, sizes) });
    }
    return { contenders, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
  },
};
