/**
 * From opening a medium in a fresh tab to its first picture, and to a place never seen before after a seek: plain HTTP,
 * Seedbed (HTTP and one seeding browser together) and WebTorrent (one seeding browser). Metadata and connecting count.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { inPage } from '../test/browser/support/site.ts';
import { openSwarmSite, publish, type SwarmSite } from '../test/browser/support/swarm-site.ts';
import type * as SwarmTab from '../test/browser/support/swarm-tab.ts';
import { type Browser, openBrowser } from '../test/support/chromium.ts';
import { mp4Video } from '../test/support/media.ts';
import { findProgram, lackOf } from '../test/support/peers.ts';
import type { SwarmMedium } from '../web/src/swarm/types.ts';
import type { Bench, Contender, Figures } from './support/bench.ts';

type Modules = typeof SwarmTab;

const SEEK_TO_SEC = 45;

interface Stage {
  readonly site: SwarmSite;
  readonly medium: SwarmMedium;
}

const newBrowser = (): Promise<Browser> => openBrowser({ executablePath: findProgram('chromium') ?? 'chromium' });

async function openTab(browser: Browser, { site }: Stage): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(site.origin);
  return page;
}

async function plainHttp(stage: Stage): Promise<Figures> {
  await using viewer = await newBrowser();
  return await inPage(
    await openTab(viewer, stage),
    async ({ timeToFirstFrame, seek }: Modules, { url, to }) => ({
      frame: await timeToFirstFrame(() => Promise.resolve(url)),
      seek: await seek(to),
    }),
    { url: stage.medium.url, to: SEEK_TO_SEC },
  );
}

async function seedbed(stage: Stage): Promise<Figures> {
  await using seeder = await newBrowser();
  await using viewer = await newBrowser();
  await inPage(
    await openTab(seeder, stage),
    async ({ client, fileOf }: Modules) => {
      await (await client()).seedFile(await fileOf('/picked', 'a.mp4', 'video/mp4'));
    },
    undefined,
  );
  // The app starts its client with the page; what a viewer waits for begins with opening the medium.
  return await inPage(
    await openTab(viewer, stage),
    async ({ client, timeToFirstFrame, seek }: Modules, { medium, to }) => {
      const swarm = await client();
      return { frame: await timeToFirstFrame(async () => (await swarm.open(medium)).src), seek: await seek(to) };
    },
    { medium: stage.medium, to: SEEK_TO_SEC },
  );
}

const WEBTORRENT_SEEDER = `(async () => {
  const { default: WebTorrent } = await import('/webtorrent.js');
  const client = new WebTorrent({ tracker: { rtcConfig: { iceServers: [] } } });
  const file = new File([await (await fetch('/picked')).blob()], 'a.mp4', { type: 'video/mp4' });
  const announce = [location.origin.replace('http', 'ws') + '/announce'];
  return (await new Promise((resolve) => client.seed(file, { announce }, resolve))).magnetURI;
})()`;

const webTorrentViewer = (magnet: string): string => `(async () => {
  const { default: WebTorrent } = await import('/webtorrent.js');
  const { timeToFirstFrame, seek } = await import('/modules.js');
  const client = new WebTorrent({ tracker: { rtcConfig: { iceServers: [] } } });
  const registration = await navigator.serviceWorker.register('/sw.min.js', { scope: '/' });
  await navigator.serviceWorker.ready;
  client.createServer({ controller: registration });
  const open = () => new Promise((resolve) => client.add(${JSON.stringify(magnet)}, ({ files }) => resolve(files[0].streamURL)));
  return { frame: await timeToFirstFrame(open), seek: await seek(${SEEK_TO_SEC}) };
})()`;

async function webTorrent(stage: Stage): Promise<Figures> {
  await using seeder = await newBrowser();
  await using viewer = await newBrowser();
  const magnet = await (await openTab(seeder, stage)).evaluate<string>(WEBTORRENT_SEEDER);
  return await (await openTab(viewer, stage)).evaluate<Figures>(webTorrentViewer(magnet));
}

const lack = lackOf('chromium') ?? lackOf('ffmpeg');
const contender = (name: string, stage: Stage, measure: (stage: Stage) => Promise<Figures>): Contender => ({
  name,
  lack,
  measure: () => measure(stage),
});

export const bench: Bench = {
  title: 'first picture and first seek in a fresh tab, 60 s of 2 Mbit/s H.264 (aim: 350 ms, 400 ms)',
  metrics: [
    { name: 'frame', unit: 'ms', better: 'lower' },
    { name: 'seek', unit: 'ms', better: 'lower' },
  ],
  prepare: async () => {
    const site = await openSwarmSite();
    const folder = createRequire(import.meta.resolve('webtorrent'));
    for (const [path, file] of [
      ['/webtorrent.js', 'webtorrent/dist/webtorrent.min.js'],
      ['/sw.min.js', 'webtorrent/dist/sw.min.js'],
    ] as const)
      site.files.set(path, await readFile(folder.resolve(file)));
    const video = lack === undefined ? await readFile(await mp4Video(findProgram('ffmpeg') ?? 'ffmpeg')) : undefined;
    const medium = await publish(site, video ?? new Uint8Array(1), 'stored');
    const stage = { site, medium };
    return {
      contenders: [
        contender('Seedbed', stage, seedbed),
        contender('plain HTTP', stage, plainHttp),
        contender('WebTorrent 3.0.21', stage, webTorrent),
      ],
      [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
    };
  },
};
