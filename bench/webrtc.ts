/**
 * How fast the engine moves a torrent over WebRTC, beside the bare data channel it runs on, measured in the same way in
 * the same run: browser to browser, Node to browser, browser to Node. And WebTorrent, browser to browser.
 *
 * The bare channel has its end in a worker, like ours, and sends the messages that were fastest in a trial of 16, 64, 128
 * and 256 KiB; ours pays for hashing, storing and asking besides.
 */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { concatBytes } from '../src/base/bytes.ts';
import { TimedOut } from '../src/base/errors.ts';
import { GIB, KIB, MIB } from '../src/base/units.ts';
import { encodeBencode } from '../src/codec/bencode.ts';
import { writeMetainfo } from '../src/codec/metainfo.ts';
import { inPage, openSite, type Site } from '../test/browser/support/site.ts';
import { openSwarmSite, type SwarmSite } from '../test/browser/support/swarm-site.ts';
import { type Browser, openBrowser } from '../test/support/chromium.ts';
import { findProgram, lackOf } from '../test/support/peers.ts';
import { seededBytes } from '../test/support/random-bytes.ts';
import type { Bench, Contender, Figures } from './support/bench.ts';
import { memoryFolder } from './support/blob.ts';
import { TreeMeter } from './support/meter.ts';
import { type NodeEnd, startNodeEnd } from './support/node-end.ts';
import type * as RtcPage from './web/rtc-page.ts';
import type { Task } from './web/rtc-worker.ts';

type Modules = typeof RtcPage;

/** Long enough that start-up, a fifth of a second, is not what is measured. */
const FULL_BYTES = 384 * MIB;
const TIMEOUT_MS = 120_000;
const RAW_MESSAGE_BYTES = [64 * KIB, 256 * KIB];
const PIECE_BYTES = [256 * KIB, MIB];

interface Stage {
  readonly site: Site;
  readonly sizeBytes: number;
  /** By piece length. */
  readonly torrents: ReadonlyMap<number, Uint8Array>;
  /** Holds the bytes under the torrent's name, and the torrents. */
  readonly folder: string;
}

/** Where an end runs. */
type Where = 'browser' | 'node';

const newBrowser = (): Promise<Browser> => openBrowser({ executablePath: findProgram('chromium') ?? 'chromium' });

const torrentPath = (folder: string, pieceBytes: number): string => path.join(folder, `${pieceBytes}.torrent`);

function makeTorrent(bytes: Uint8Array, pieceBytes: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes)
    pieces.push(
      createHash('sha1')
        .update(bytes.subarray(at, at + pieceBytes))
        .digest(),
    );
  const rawInfo = encodeBencode({
    length: bytes.length,
    name: 'blob',
    'piece length': pieceBytes,
    pieces: concatBytes(pieces),
  });
  return writeMetainfo({ rawInfo });
}

async function openStage(sizeBytes: number, started: AsyncDisposableStack): Promise<Stage> {
  const bytes = seededBytes('webrtc', sizeBytes);
  const torrents = new Map(PIECE_BYTES.map((pieceBytes) => [pieceBytes, makeTorrent(bytes, pieceBytes)]));
  const { path: folder } = started.use(await memoryFolder('bench-webrtc', 2 * sizeBytes));
  await writeFile(path.join(folder, 'blob'), bytes);
  for (const [pieceBytes, torrent] of torrents) await writeFile(torrentPath(folder, pieceBytes), torrent);
  const site = await openSite({
    entries: { modules: 'bench/web/rtc-page.ts', 'rtc-worker': 'bench/web/rtc-worker.ts' },
    handler: (request, response) => {
      const [, pieceBytes] = /^\/torrent\/(\d+)$/.exec(request.url ?? '') ?? [];
      const body = request.url === '/blob' ? bytes : torrents.get(Number(pieceBytes));
      if (body === undefined) return false;
      response.end(body);
      return true;
    },
  });
  started.use(site);
  return { site, sizeBytes, torrents, folder };
}

/** Makes the connection, with the browser of the receiving end, or the sending one's, as the one that offers. */
async function run(
  stage: Stage,
  to: Where,
  tasks: { from: Task; to: Task },
  node: NodeEnd | undefined,
): Promise<Figures> {
  await using offering = await newBrowser();
  await using answering = node === undefined ? await newBrowser() : undefined;
  const offerer = await offering.newPage();
  const answerer = await answering?.newPage();
  await offerer.goto(stage.site.origin);
  await answerer?.goto(stage.site.origin);
  // Between two browsers the receiver offers, as whoever wants pieces does in the product.
  const isOfferedByReceiver = to === 'browser';
  const prepare = ({ end }: Modules, task: Task): Promise<void> => end().prepare(task);
  await inPage(offerer, prepare, isOfferedByReceiver ? tasks.to : tasks.from);
  if (answerer !== undefined) await inPage(answerer, prepare, tasks.from);
  const offer = await inPage(offerer, ({ end }: Modules) => end().offer(), undefined);
  const answer =
    (await node?.answer(offer)) ??
    (answerer && (await inPage(answerer, ({ end }: Modules, sdp) => end().answer(sdp), offer))) ??
    '';
  const meter = new TreeMeter(process.pid);
  await inPage(offerer, ({ end }: Modules, sdp) => end().accept(sdp), answer);
  try {
    const done =
      to === 'node' ? node?.done(TIMEOUT_MS) : inPage(offerer, ({ end }: Modules) => end().done(), undefined);
    const seconds = await within(TIMEOUT_MS, done ?? Promise.resolve(Number.NaN));
    return figuresOf(stage, seconds, meter.stop().cpuSeconds);
  } finally {
    meter.stop();
  }
}

function figuresOf({ sizeBytes }: Stage, seconds: number, cpuSeconds: number): Figures {
  return { rate: sizeBytes / MIB / seconds, cpu: cpuSeconds / (sizeBytes / GIB) };
}

const PAIRS: readonly (readonly [Where, Where])[] = [
  ['browser', 'browser'],
  ['node', 'browser'],
  ['browser', 'node'],
];

function rawContender(stage: Stage, [from, to]: readonly [Where, Where], messageBytes: number): Contender {
  return {
    name: `${from} → ${to}: bare channel, ${messageBytes / KIB} KiB messages`,
    lack: lackOf('chromium'),
    measure: async () => {
      const { sizeBytes } = stage;
      const end = (kind: 'raw-send' | 'raw-receive'): Task => ({ kind, sizeBytes, messageBytes });
      const role = from === 'node' ? 'raw-send' : 'raw-receive';
      await using node = from === to ? undefined : await startNodeEnd(role, `${sizeBytes}`, `${messageBytes}`);
      return await run(stage, to, { from: end('raw-send'), to: end('raw-receive') }, node);
    },
  };
}

function engineContender(stage: Stage, [from, to]: readonly [Where, Where], pieceBytes: number): Contender {
  return {
    name: `${from} → ${to}: Seedbed, ${pieceBytes / KIB} KiB pieces`,
    lack: lackOf('chromium'),
    measure: async () => {
      const end = (kind: 'seed' | 'leech'): Task => ({ kind, torrentUrl: `/torrent/${pieceBytes}`, blobUrl: '/blob' });
      await using target = await memoryFolder('bench-webrtc-out', stage.sizeBytes);
      const role = from === 'node' ? 'seed' : 'leech';
      const torrentFile = torrentPath(stage.folder, pieceBytes);
      await using node =
        from === to ? undefined : await startNodeEnd(role, torrentFile, role === 'seed' ? stage.folder : target.path);
      return await run(stage, to, { from: end('seed'), to: end('leech') }, node);
    },
  };
}

async function openRivalSite(started: AsyncDisposableStack, bytes: Uint8Array): Promise<SwarmSite> {
  const site = started.use(await openSwarmSite());
  const build = createRequire(import.meta.resolve('webtorrent')).resolve('webtorrent/dist/webtorrent.min.js');
  site.files.set('/webtorrent.js', await readFile(build));
  site.files.set('/blob', bytes);
  const page = await readFile(new URL('web/webtorrent-page.js', import.meta.url));
  site.files.set('/webtorrent-page.js', page);
  return site;
}

/** Its peers miss each other now and then, and try again with the next announce, minutes later: such a round is run anew. */
const WEBTORRENT_ATTEMPTS = 4;
const WEBTORRENT_TIMEOUT_MS = 60_000;

function webTorrentContender(stage: Stage, site: SwarmSite, pieceBytes: number): Contender {
  return {
    name: `browser → browser: WebTorrent, ${pieceBytes / KIB} KiB pieces`,
    lack: lackOf('chromium'),
    measure: async () => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await webTorrentRound(stage, site, pieceBytes);
        } catch (error) {
          if (!(error instanceof TimedOut) || attempt === WEBTORRENT_ATTEMPTS) throw error;
        }
      }
    },
  };
}

async function webTorrentRound(stage: Stage, site: SwarmSite, pieceBytes: number): Promise<Figures> {
  await using seeding = await newBrowser();
  await using leeching = await newBrowser();
  const [seeder, leecher] = await Promise.all([seeding.newPage(), leeching.newPage()]);
  for (const page of [seeder, leecher]) await page.goto(site.origin);
  const call = (text: string): string => `import('/webtorrent-page.js').then((page) => page.${text})`;
  const magnet = await seeder.evaluate<string>(call(`seed('/blob', ${pieceBytes})`));
  const meter = new TreeMeter(process.pid);
  const leech = leecher.evaluate<number>(call(`leech(${JSON.stringify(magnet)})`));
  try {
    return figuresOf(stage, await within(WEBTORRENT_TIMEOUT_MS, leech), meter.stop().cpuSeconds);
  } finally {
    meter.stop();
  }
}

/** @throws TimedOut; what was waited for ends with its browser */
async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  const limit = new AbortController();
  const late = delay(limitMs, undefined, { signal: limit.signal }).then(() => {
    throw new TimedOut('the transfer did not end', { limitMs });
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    late.catch(() => undefined);
    limit.abort();
  }
}

export const bench: Bench = {
  title: 'a torrent over WebRTC, beside the bare data channel (aim: ≥ 90 % of it)',
  metrics: [
    { name: 'rate', unit: 'MiB/s', better: 'higher' },
    { name: 'cpu', unit: 's/GiB both', better: 'lower' },
  ],
  prepare: async ({ scale }) => {
    await using started = new AsyncDisposableStack();
    const sizeBytes = Math.max(MIB, Math.round((FULL_BYTES * scale) / MIB) * MIB);
    const stage = await openStage(sizeBytes, started);
    const rivalSite = await openRivalSite(started, seededBytes('webrtc', sizeBytes));
    const contenders: Contender[] = [];
    for (const pair of PAIRS) {
      contenders.push(...PIECE_BYTES.map((pieceBytes) => engineContender(stage, pair, pieceBytes)));
      contenders.push(...RAW_MESSAGE_BYTES.map((messageBytes) => rawContender(stage, pair, messageBytes)));
    }
    const rivals = PIECE_BYTES.map((pieceBytes) => webTorrentContender(stage, rivalSite, pieceBytes));
    const running = started.move();
    return { contenders: [...contenders, ...rivals], [Symbol.asyncDispose]: () => running.disposeAsync() };
  },
};
