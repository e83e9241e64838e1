/**
 * What a viewer feels on a seek: a film of 8.14 Mbit/s from five libtorrent seeders of 8 Mbit/s each, 24–56 ms away.
 * The same player watches through our engine, WebTorrent and libtorrent's deadlines. `fetched` counts every byte that
 * came from the swarm, late and double ones too, over what was shown; `taken`, what of it the player asked for, is its floor.
 */
import path from 'node:path';
import { MIB, SECOND_MS } from '../src/base/units.ts';
import { freePort } from '../test/support/free-port.ts';
import { lackOf } from '../test/support/peers.ts';
import { type Program, startProgram } from '../test/support/program.ts';
import { seededRandom } from '../test/support/random-bytes.ts';
import type { Bench, Contender, Figures } from './support/bench.ts';
import { memoryFolder } from './support/blob.ts';
import { TreeMeter } from './support/meter.ts';
import type { Experience, ViewingPlan } from './seek/player.ts';
import { makeFilm, makeFilmTorrent } from './seek/video.ts';

const here = path.join(import.meta.dirname, 'seek');
const FULL_BYTES = 305_000_000;
const BYTES_PER_SECOND = 8_140_000 / 8;
const SEEDER_BYTES_PER_SECOND = 1_000_000;
const RTTS_MS = [24, 32, 40, 48, 56];
const SEEKS = 12;
const PLAY_MS = 2 * SECOND_MS;
/** Seeks stay clear of the end, so that there is always something left to play. */
const TAIL_MS = 10 * SECOND_MS;
const SMALL_PIECE = MIB;
const LARGE_PIECE = 16 * MIB;
const START_TIMEOUT_MS = 60_000;
const WATCH_TIMEOUT_MS = 600_000;

/** Seeders and the distance to them; shared by all rounds. */
interface FilmSwarm extends AsyncDisposable {
  readonly addresses: readonly string[];
  /** Bytes that went to viewers since the last call. */
  takenBytes(): Promise<number>;
}

async function startSwarm(torrentFiles: readonly string[], folder: string): Promise<FilmSwarm> {
  await using stack = new AsyncDisposableStack();
  const ports: number[] = [];
  for (const _ of RTTS_MS) {
    const port = await freePort();
    const args = [path.join(here, 'libtorrent_swarm.py'), 'seed', torrentFiles.join(','), folder];
    const seeder = stack.use(
      startProgram('/usr/bin/python3', [...args, `127.0.0.1:${port}`, String(SEEDER_BYTES_PER_SECOND)]),
    );
    await seeder.line(/READY/, START_TIMEOUT_MS);
    ports.push(port);
  }
  const shaper = stack.use(
    startProgram(process.execPath, [path.join(here, 'shaper.ts'), ports.join(','), RTTS_MS.join(',')]),
  );
  const [, nearPorts = ''] = await shaper.line(/READY (\S+)/, START_TIMEOUT_MS);
  let counts = 0;
  const started = stack.move();
  return {
    addresses: nearPorts.split(',').map((port) => `127.0.0.1:${port}`),
    takenBytes: () => countOf(shaper, ++counts),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

/** `ticket` tells the answers of one shaper apart. */
async function countOf(shaper: Program, ticket: number): Promise<number> {
  shaper.say(String(ticket));
  const [, bytes = '0'] = await shaper.line(new RegExp(`BYTES ${ticket} (\\d+)\n`));
  return Number(bytes);
}

async function measure(engine: string, torrentFile: string, swarm: FilmSwarm, plan: ViewingPlan): Promise<Figures> {
  await using target = await memoryFolder('bench-view', 0);
  await swarm.takenBytes();
  const args = [engine, torrentFile, target.path, swarm.addresses.join(','), JSON.stringify(plan)];
  await using viewer = startProgram(process.execPath, [path.join(here, 'viewer.ts'), ...args]);
  await viewer.line(/READY/, START_TIMEOUT_MS);
  const meter = new TreeMeter(viewer.pid);
  viewer.say('go');
  const [, felt = '[]'] = await viewer.line(/FELT (.*)\n/, WATCH_TIMEOUT_MS);
  const { cpuSeconds } = meter.stop();
  const [cold, ...seeks] = JSON.parse(felt) as Experience[];
  const viewedBytes = ((seeks.length + 1) * plan.bytesPerSecond * plan.playMs) / SECOND_MS;
  return {
    coldOpen: cold?.firstByteMs ?? Number.NaN,
    p50: percentile(seeks, 0.5, (seek) => seek.firstByteMs),
    p95: percentile(seeks, 0.95, (seek) => seek.firstByteMs),
    first64K: percentile(seeks, 0.5, (seek) => seek.pictureMs),
    stalls: [cold, ...seeks].reduce((sum, seek) => sum + (seek?.stalls ?? 0), 0),
    taken: [cold, ...seeks].reduce((sum, seek) => sum + (seek?.takenBytes ?? 0), 0) / viewedBytes,
    fetched: (await swarm.takenBytes()) / viewedBytes,
    cpu: cpuSeconds,
  };
}

function percentile(seeks: readonly Experience[], share: number, of: (seek: Experience) => number): number {
  const sorted = seeks.map(of).toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

function planFor(sizeBytes: number, scale: number): ViewingPlan {
  const random = seededRandom(42);
  const last = Math.max(1, sizeBytes - (BYTES_PER_SECOND * TAIL_MS) / SECOND_MS);
  const seeks = Array.from({ length: Math.ceil(SEEKS * scale) }, () => Math.floor(random() * last));
  return { bytesPerSecond: BYTES_PER_SECOND, playMs: PLAY_MS, positions: [0, ...seeks] };
}

export const bench: Bench = {
  title: 'seeks in a film of 8 Mbit/s, five libtorrent seeders of 8 Mbit/s each, RTT 24–56 ms',
  metrics: [
    { name: 'p50', unit: 'ms', better: 'lower' },
    { name: 'p95', unit: 'ms', better: 'lower' },
    { name: 'first64K', unit: 'ms p50', better: 'lower' },
    { name: 'coldOpen', unit: 'ms', better: 'lower' },
    { name: 'stalls', unit: '', better: 'lower' },
    { name: 'taken', unit: '× viewed', better: 'lower' },
    { name: 'fetched', unit: '× viewed', better: 'lower' },
    { name: 'cpu', unit: 's', better: 'lower' },
  ],
  prepare: async ({ scale }) => {
    const lack = lackOf('libtorrent');
    if (lack !== undefined) return { contenders: [absent(lack)], [Symbol.asyncDispose]: () => Promise.resolve() };
    await using stack = new AsyncDisposableStack();
    const sizeBytes = Math.max(2 * LARGE_PIECE, Math.round(FULL_BYTES * scale));
    const folder = stack.use(await memoryFolder('bench-film', sizeBytes));
    const film = await makeFilm(folder.path, sizeBytes);
    const small = await makeFilmTorrent(film, 'v1', SMALL_PIECE);
    const large = await makeFilmTorrent(film, 'v1', LARGE_PIECE);
    const largeV2 = await makeFilmTorrent(film, 'v2', LARGE_PIECE);
    const swarm = stack.use(await startSwarm([small, large, largeV2], film.folder));
    const plan = planFor(sizeBytes, scale);
    const contender = (name: string, engine: string, torrentFile: string): Contender => ({
      name,
      measure: () => measure(engine, torrentFile, swarm, plan),
    });
    const started = stack.move();
    return {
      contenders: [
        contender('Seedbed', 'seedbed.ts', small),
        contender('WebTorrent', 'webtorrent.mjs', small),
        contender('libtorrent deadlines', 'libtorrent.ts', small),
        contender('Seedbed, 16 MiB pieces, v1', 'seedbed.ts', large),
        contender('Seedbed, 16 MiB pieces, v2', 'seedbed.ts', largeV2),
      ],
      [Symbol.asyncDispose]: () => started.disposeAsync(),
    };
  },
};

function absent(lack: string): Contender {
  return { name: 'all', lack, measure: () => Promise.resolve({}) };
}
