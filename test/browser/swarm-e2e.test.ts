/**
 * The main job, as people meet it: one publishes a video on the real server through the real pages, a friend opens the
 * link, and the crowd carries the load. Two Chromium profiles; the line to the server can be slowed down.
 */
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { mp4Video } from '../support/media.ts';
import { describeWith, findProgram } from '../support/peers.ts';
import { becomeOwner, type House, newVisitor, openHouse, type Visitor } from './support/house.ts';
import { openSlowLine, type SlowLine } from './support/slow-line.ts';
import { chooseFiles } from './support/upload.ts';

/** 2 Mbit/s. */
const VIDEO_BYTES_PER_SECOND = 250_000;
const PATIENCE = { timeoutMs: 40_000 };

interface Watching {
  readonly src: string;
  readonly currentTime: number;
  readonly stalls: number;
  readonly ended: boolean;
}

/**
 * Counts, from the first picture on, how often a video ran out of bytes; a decoder that a busy machine starves waits,
 * too, but with bytes at hand. Runs in the page before anything else.
 */
function countStalls(): void {
  const seen = { stalls: 0, isPlaying: false };
  Object.assign(globalThis, { seen });
  const hasBytes = ({ buffered, currentTime }: HTMLVideoElement): boolean =>
    Array.from({ length: buffered.length }).some(
      (_, range) => buffered.start(range) <= currentTime && buffered.end(range) > currentTime + 0.5,
    );
  document.addEventListener('playing', () => (seen.isPlaying = true), true);
  document.addEventListener('seeking', () => (seen.isPlaying = false), true);
  document.addEventListener(
    'waiting',
    ({ target }) => (seen.stalls += seen.isPlaying && !hasBytes(target as HTMLVideoElement) ? 1 : 0),
    true,
  );
}

function watching(page: Page): Promise<Watching> {
  return page.evaluate(() => {
    const video = document.querySelector('video');
    if (video === null) throw new RangeError('nothing plays');
    const { stalls } = (globalThis as unknown as { seen: { stalls: number } }).seen;
    return { src: video.currentSrc, currentTime: video.currentTime, stalls, ended: video.ended };
  });
}

async function seekTo(page: Page, second: number): Promise<void> {
  await page.evaluate((to) => {
    const video = document.querySelector('video');
    if (video !== null) video.currentTime = to;
  }, second);
  await eventually(
    `it plays on from ${second} s`,
    async () => (await watching(page)).currentTime > second + 1,
    PATIENCE,
  );
}

const valueOf = async (figure: Locator): Promise<number> => Number(await figure.getAttribute('data-value'));

describeWith(['chromium', 'ffmpeg'], 'a video and its crowd', () => {
  let line: SlowLine;
  let house: House;
  let alice: Visitor;
  /** `/m/<sha256>` */
  let link = '';
  let ownHosts: ReadonlySet<string>;

  beforeAll(async () => {
    line = await openSlowLine();
    // Bytes of users come from an origin of their own, as they should on every public server.
    const mediaUrl = line.origin.replace('127.0.0.1', 'localhost');
    house = await openHouse({ SEEDBED_PUBLIC_URL: line.origin, SEEDBED_MEDIA_URL: mediaUrl });
    ownHosts = new Set([line.origin, mediaUrl].map((url) => new URL(url).host));
    const { port } = new URL(house.origin);
    line.target = { host: '127.0.0.1', port: Number(port) };
    alice = await newVisitor();
    const page = await alice.newPage();
    await becomeOwner(page, { ...house, setupLink: house.setupLink.replace(house.origin, line.origin) });
    await chooseFiles(page, await mp4Video(findProgram('ffmpeg') ?? 'ffmpeg'));
    await page.locator('li[data-phase=stored]').waitFor({ timeout: 60_000 });
    link = (await page.getByTestId('media-link').first().getAttribute('href')) ?? '';
  }, 180_000);

  afterAll(async () => {
    await alice.close();
    await house[Symbol.asyncDispose]();
    await line[Symbol.asyncDispose]();
  });

  /** A friend with a fresh profile opens the link; resolves when the video plays. */
  async function visit(friend: Visitor): Promise<Page> {
    const page = await friend.newPage();
    await page.addInitScript(countStalls);
    await page.goto(line.origin + link);
    await eventually('the video plays', async () => (await watching(page)).currentTime > 0.5, PATIENCE);
    return page;
  }

  test('with the line slower than the video and the publisher there, a friend watches without a stall', async () => {
    await using bob = await newVisitor();
    const arrival = await bob.newPage();
    await arrival.goto(line.origin);
    await arrival.evaluate(() => navigator.serviceWorker.ready);
    await arrival.close();
    line.bytesPerSecond = VIDEO_BYTES_PER_SECOND / 2;
    try {
      const page = await visit(bob);
      await eventually('ten seconds were seen', async () => (await watching(page)).currentTime > 10, PATIENCE);
      const { src, stalls } = await watching(page);
      expect(new URL(src).pathname).toMatch(/^\/stream\//);
      expect(stalls).toBe(0);
      expect(await valueOf(page.getByTestId('p2p-bytes'))).toBeGreaterThan(10 * VIDEO_BYTES_PER_SECOND);
    } finally {
      line.bytesPerSecond = Number.POSITIVE_INFINITY;
    }
  }, 90_000);

  test('a friend plays, seeks, gets bytes from the publisher, and plays on to the end when the publisher is gone', async () => {
    await using bob = await newVisitor();
    const page = await visit(bob);
    await seekTo(page, 40);
    await seekTo(page, 20);
    await eventually('bytes came from peers', async () => (await valueOf(page.getByTestId('p2p-bytes'))) > 0, PATIENCE);
    await alice.close();
    await seekTo(page, 52);
    await eventually('it reaches its end', async () => (await watching(page)).ended, PATIENCE);
    expect(bob.requests.filter((url) => !ownHosts.has(new URL(url).host) && !url.startsWith('blob:'))).toEqual([]);
  }, 120_000);
});
