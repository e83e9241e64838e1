/** Watching together: a real video in real browsers, with the server slow, away, or late. */
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Browser, openBrowser } from '../support/chromium.ts';
import { mp4Video } from '../support/media.ts';
import { describeWith, findProgram } from '../support/peers.ts';
import { inPage } from './support/site.ts';
import { openSwarmSite, publish, type SwarmSite } from './support/swarm-site.ts';
import type * as SwarmTab from './support/swarm-tab.ts';

type Modules = typeof SwarmTab;

/** A minute of video, some of it at a line slower than real time. */
const TIMEOUT_MS = 90_000;
/** 2 Mbit/s. */
const VIDEO_BYTES_PER_SECOND = 250_000;

let site: SwarmSite;
beforeEach(async () => {
  site = await openSwarmSite();
});
afterEach(() => site[Symbol.asyncDispose]());

const newBrowser = (): Promise<Browser> => openBrowser({ executablePath: findProgram('chromium') ?? 'chromium' });
const videoBytes = async (): Promise<Uint8Array> => readFile(await mp4Video(findProgram('ffmpeg') ?? 'ffmpeg'));

async function openTab(browser: Browser): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(site.origin);
  return page;
}

async function seedPicked(browser: Browser): Promise<Page> {
  const page = await openTab(browser);
  await inPage(
    page,
    async ({ client, fileOf }: Modules) => {
      await (await client()).seedFile(await fileOf('/picked', 'a.mp4', 'video/mp4'));
    },
    undefined,
  );
  return page;
}

describeWith(['chromium', 'ffmpeg'], 'watching a video', () => {
  test(
    'with a server slower than the video and one viewer who has it, nothing stalls, also after seeks',
    async () => {
      const medium = await publish(site, await videoBytes(), 'stored');
      await using alice = await newBrowser();
      await using bob = await newBrowser();
      await seedPicked(alice);
      site.bytesPerSecond = VIDEO_BYTES_PER_SECOND / 2;
      const tab = await openTab(bob);
      const seen = await inPage(
        tab,
        async ({ client, playVideo, seek, statsWhen }: Modules, wanted) => {
          const swarm = await client();
          const played = await playVideo(swarm, { medium: wanted, rate: 2, seconds: 12 });
          for (const second of [50, 25, 40]) await seek(second);
          const stats = await statsWhen(swarm, wanted.torrent?.infoHash as never, () => true);
          return { ...played, fromPeers: stats.fromPeersBytes, fromHttp: stats.fromHttpBytes };
        },
        medium,
      );
      expect(seen).toMatchObject({ through: 'swarm', stalls: 0 });
      expect(seen.fromPeers).toBeGreaterThan(12 * VIDEO_BYTES_PER_SECOND);
      expect(seen.fromHttp).toBeLessThan(VIDEO_BYTES_PER_SECOND);
    },
    TIMEOUT_MS,
  );

  test(
    'on the same line alone it does stall: what the test above shows is the work of the crowd',
    async () => {
      const medium = await publish(site, await videoBytes(), 'stored');
      await using bob = await newBrowser();
      site.bytesPerSecond = VIDEO_BYTES_PER_SECOND / 2;
      const played = await inPage(
        await openTab(bob),
        async ({ client, playVideo }: Modules, wanted) =>
          playVideo(await client(), { medium: wanted, rate: 2, seconds: 3 }),
        medium,
      );
      expect(played.stalls).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );

  test(
    'when the only other viewer leaves, playback goes on from the server',
    async () => {
      const medium = await publish(site, await videoBytes(), 'stored');
      await using alice = await newBrowser();
      await using bob = await newBrowser();
      await seedPicked(alice);
      const tab = await openTab(bob);
      const before = await inPage(
        tab,
        async ({ client, playVideo }: Modules, wanted) =>
          playVideo(await client(), { medium: wanted, rate: 2, seconds: 2 }),
        medium,
      );
      await alice.close();
      const after = await inPage(
        tab,
        async ({ client, playVideo }: Modules, wanted) =>
          playVideo(await client(), { medium: wanted, rate: 4, seconds: 55 }),
        medium,
      );
      expect([before.through, after.through, after.playedSeconds > 54]).toEqual(['swarm', 'swarm', true]);
    },
    TIMEOUT_MS,
  );
});
