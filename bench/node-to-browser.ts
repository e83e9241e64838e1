/**
 * From joining a swarm in a fresh browser tab to the first metadata, with a Node process as the only seeder: signalling,
 * ICE, DTLS, handshake and ut_metadata. Ours: the whole server. WebTorrent: its own tracker, seeder and browser build.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { MIB } from '../src/base/units.ts';
import { openNodeSwarm } from '../test/browser/support/node-swarm.ts';
import { openSite } from '../test/browser/support/site.ts';
import { type Browser, openBrowser } from '../test/support/chromium.ts';
import { findProgram, lackOf } from '../test/support/peers.ts';
import { startProgram } from '../test/support/program.ts';
import { seededBytes } from '../test/support/random-bytes.ts';
import type { Bench, Contender, Figures } from './support/bench.ts';

const FULL_VISITS = 20;
const START_TIMEOUT_MS = 60_000;
/** WebTorrent from Node needs 27 s at its tracker's interval of 30 s, longer at longer ones. */
const RIVAL_TIMEOUT_MS = 120_000;
const WEBTORRENT_SEEDER = new URL('peers/webtorrent-web.mjs', import.meta.url).pathname;

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function figuresOf(visitsMs: readonly number[]): Figures {
  const sorted = visitsMs.toSorted((a, b) => a - b);
  return { p50: quantile(sorted, 0.5), p90: quantile(sorted, 0.9) };
}

const newBrowser = (): Promise<Browser> => openBrowser({ executablePath: findProgram('chromium') ?? 'chromium' });

function ours(visits: number): Contender {
  return {
    name: `Seedbed, ${visits} visits`,
    lack: lackOf('chromium'),
    measure: async () => {
      await using swarm = await openNodeSwarm(seededBytes('node-to-browser', MIB));
      await using browser = await newBrowser();
      const visitsMs: number[] = [];
      for (let visit = 0; visit < visits; visit++) visitsMs.push(await swarm.firstMetadataMs(browser));
      return figuresOf(visitsMs);
    },
  };
}

/** As it comes out of the box, but for the STUN servers of third parties. One visit a round: each takes half a minute. */
const webTorrent: Contender = {
  name: 'WebTorrent 3.0.21, 1 visit',
  lack: lackOf('chromium'),
  measure: async () => {
    await using seeder = startProgram(process.execPath, [WEBTORRENT_SEEDER]);
    const [, magnet = '', tracker = ''] = await seeder.line(/READY (\S+) (\S+)/, START_TIMEOUT_MS);
    const build = createRequire(import.meta.resolve('webtorrent')).resolve('webtorrent/dist/webtorrent.min.js');
    const source = await readFile(build);
    await using site = await openSite({
      entries: {},
      handler: (request, response) => {
        if (request.url !== '/webtorrent.js') return false;
        response.writeHead(200, { 'content-type': 'text/javascript' }).end(source);
        return true;
      },
    });
    await using browser = await newBrowser();
    const page = await browser.newPage();
    page.setDefaultTimeout(RIVAL_TIMEOUT_MS);
    await page.goto(site.origin);
    const visit = `(async () => {
      const { default: WebTorrent } = await import('/webtorrent.js');
      const client = new WebTorrent({ tracker: { rtcConfig: { iceServers: [] } } });
      const startMs = performance.now();
      await new Promise((resolve) => client.add(${JSON.stringify(magnet)}, { announce: [${JSON.stringify(tracker)}] }, resolve));
      return performance.now() - startMs;
    })()`;
    return figuresOf([await page.evaluate<number>(visit)]);
  },
};

export const bench: Bench = {
  title: 'Node to browser: first metadata in a fresh tab over WebRTC (aim: p50 < 150 ms, p90 < 600 ms)',
  metrics: [
    { name: 'p50', unit: 'ms', better: 'lower' },
    { name: 'p90', unit: 'ms', better: 'lower' },
  ],
  prepare: ({ scale }) =>
    Promise.resolve({
      contenders: [ours(Math.max(1, Math.round(FULL_VISITS * scale))), webTorrent],
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
};
