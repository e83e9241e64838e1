/** Two people, two profiles: a link sent early, and a first visit over a slow line. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { mp4Video } from '../support/media.ts';
import { describeWith, findProgram } from '../support/peers.ts';
import { becomeOwner, type House, newVisitor, openHouse, type Visitor } from './support/house.ts';
import { openSlowLine } from './support/slow-line.ts';
import { chooseFiles, limitUpload } from './support/upload.ts';

const PLAYS_WITHIN_MS = 20_000;

const valueOf = async (page: Page, testId: string): Promise<number> =>
  Number(await page.getByTestId(testId).getAttribute('data-value'));

const currentTime = (page: Page): Promise<number> =>
  page.evaluate(() => document.querySelector('video')?.currentTime ?? 0);

describeWith(['chromium', 'ffmpeg'], 'a link sent early', () => {
  let house: House;
  let uploader: Visitor;
  let uploadersPage: Page;
  let film: string;

  beforeAll(async () => {
    const ffmpeg = findProgram('ffmpeg') ?? 'ffmpeg';
    film = await mp4Video(ffmpeg, { seconds: 30, bitsPerSecond: 3_000_000 });
    house = await openHouse();
    uploader = await newVisitor();
    uploadersPage = await uploader.newPage();
    await becomeOwner(uploadersPage, house);
  }, 120_000);
  afterAll(async () => {
    await uploader.close();
    await house[Symbol.asyncDispose]();
  });

  test('plays from the browser of the sender while the upload still runs', async () => {
    await limitUpload(uploadersPage, 300_000);
    await chooseFiles(uploadersPage, film);
    const link = (await uploadersPage.getByTestId('media-link').getAttribute('data-value')) ?? '';
    const sha256 = link.slice(-64);
    await eventually('the server knows of it', async () => (await fetch(`${house.origin}/api/v1/media/${sha256}`)).ok);
    await using friend = await newVisitor();
    const page = await friend.newPage();
    await page.goto(link);
    await page.getByText('Still arriving').waitFor();
    await eventually('it plays', async () => (await currentTime(page)) > 0, { timeoutMs: PLAYS_WITHIN_MS });
    expect(await valueOf(page, 'p2p-bytes')).toBeGreaterThan(0);
    await limitUpload(uploadersPage, undefined);
    await uploadersPage.locator('li[data-phase=stored]').waitFor();
  }, 90_000);
});

describeWith(['chromium', 'ffmpeg'], 'a server whose line is slower than the film', () => {
  const BITS_PER_SEC = 2_000_000;
  /** Half of what the film needs. */
  const LINE_BYTES_PER_SEC = BITS_PER_SEC / 8 / 2;
  const WATCH_SEC = 12;

  test('serves a first visit without a stall: the crowd brings what the line cannot', async () => {
    const film = await mp4Video(findProgram('ffmpeg') ?? 'ffmpeg', { bitsPerSecond: BITS_PER_SEC });
    await using line = await openSlowLine();
    const { origin } = line;
    await using house = await openHouse({ SEEDBED_PUBLIC_URL: origin });
    line.target = { host: '127.0.0.1', port: Number(new URL(house.origin).port) };
    line.bytesPerSecond = LINE_BYTES_PER_SEC;

    await using uploader = await newVisitor();
    const uploadersPage = await uploader.newPage();
    await becomeOwner(uploadersPage, { setupLink: house.setupLink.replace(house.origin, origin) });
    await chooseFiles(uploadersPage, film);
    await uploadersPage.locator('li[data-phase=stored]').waitFor();
    const link = (await uploadersPage.getByTestId('media-link').getAttribute('href')) ?? '';

    await using viewer = await newVisitor();
    const page = await viewer.newPage();
    await page.goto(origin + link);
    await eventually('it plays', async () => (await currentTime(page)) > 0.5, { timeoutMs: 30_000 });
    await page.evaluate(() => {
      document.querySelector('video')?.addEventListener('waiting', () => {
        document.body.dataset['stalled'] = 'yes';
      });
    });
    const startSec = await currentTime(page);
    await eventually('the film has gone on', async () => (await currentTime(page)) > startSec + WATCH_SEC, {
      timeoutMs: 60_000,
    });
    expect(await page.evaluate(() => document.body.dataset['stalled'])).toBeUndefined();
    expect(await valueOf(page, 'p2p-bytes')).toBeGreaterThan(await valueOf(page, 'http-bytes'));
  }, 120_000);
});
