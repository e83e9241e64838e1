/** The medium's page in a real Chromium: playing by keyboard, sharing, looking closer, deleting, embedding. */
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { mp4Video, opusAudio, pngImage } from '../support/media.ts';
import { describeWith, findProgram } from '../support/peers.ts';
import { becomeOwner, type House, newVisitor, openHouse, type Visitor } from './support/house.ts';
import { chooseFiles } from './support/upload.ts';

interface Playback {
  readonly paused: boolean;
  readonly muted: boolean;
  readonly volume: number;
  readonly currentTime: number;
  readonly duration: number;
  readonly readyState: number;
}

function playback(page: Page): Promise<Playback> {
  return page.evaluate(() => {
    const media = document.querySelector<HTMLMediaElement>('video, audio');
    if (media === null) throw new RangeError('nothing plays');
    const { paused, muted, volume, currentTime, duration, readyState } = media;
    return { paused, muted, volume, currentTime, duration, readyState };
  });
}

describeWith(['chromium', 'ffmpeg'], "the medium's page", () => {
  let house: House;
  let owner: Visitor;
  let page: Page;
  /** Paths `/m/<sha256>`. */
  let video = '';
  let audio = '';
  let image = '';

  async function publish(file: string): Promise<string> {
    await page.goto(house.origin);
    await chooseFiles(page, file);
    await page.locator('li[data-phase=stored]').first().waitFor();
    const path = await page.getByTestId('media-link').first().getAttribute('href');
    return path ?? '';
  }

  beforeAll(async () => {
    const ffmpeg = findProgram('ffmpeg') ?? 'ffmpeg';
    const files = [await mp4Video(ffmpeg, { seconds: 60 }), await opusAudio(ffmpeg), await pngImage(ffmpeg)];
    house = await openHouse();
    owner = await newVisitor();
    page = await owner.newPage();
    await becomeOwner(page, house);
    const paths: string[] = [];
    for (const file of files) paths.push(await publish(file));
    [video = '', audio = '', image = ''] = paths;
  }, 120_000);
  afterAll(async () => {
    await owner.close();
    await house[Symbol.asyncDispose]();
  });

  async function openVideo(): Promise<void> {
    await page.goto(house.origin + video);
    await eventually('the video plays', async () => (await playback(page)).currentTime > 0, { timeoutMs: 20_000 });
  }

  async function becomes(what: string, holds: (now: Playback) => boolean): Promise<void> {
    await eventually(what, async () => holds(await playback(page)));
  }

  test('a video plays at once, and every key of the map does what the help says', async () => {
    await openVideo();
    await page.keyboard.press('k');
    await becomes('k pauses', ({ paused }) => paused);
    await page.keyboard.press('5');
    await becomes('5 jumps to the middle', ({ currentTime, duration }) => Math.abs(currentTime - duration / 2) < 1);
    const middleSec = (await playback(page)).currentTime;
    const steps = [
      { key: 'l', bySec: 10 },
      { key: 'j', bySec: -10 },
      { key: 'ArrowRight', bySec: 5 },
      { key: 'ArrowLeft', bySec: -5 },
    ];
    let expectedSec = middleSec;
    for (const { key, bySec } of steps) {
      await page.keyboard.press(key);
      expectedSec += bySec;
      const wantedSec = expectedSec;
      await becomes(`${key} seeks`, ({ currentTime }) => Math.abs(currentTime - wantedSec) < 0.5);
    }
    await page.keyboard.press('m');
    await becomes('m mutes', ({ muted }) => muted);
    await page.keyboard.press('m');
    await page.keyboard.press('ArrowDown');
    await becomes('down is quieter', ({ volume }) => volume < 1);
    await page.keyboard.press('f');
    await page.waitForFunction(() => document.fullscreenElement !== null);
    await page.keyboard.press('f');
    await page.waitForFunction(() => document.fullscreenElement === null);
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press(' ');
    await becomes('space plays', ({ paused }) => !paused);
  });

  test('keys typed elsewhere are not taken for the player', async () => {
    await openVideo();
    await page.keyboard.press('k');
    await page.getByRole('button', { name: 'Embed code', exact: true }).click();
    await page.getByTestId('embed-code').focus();
    const before = await playback(page);
    await page.keyboard.press('5');
    await page.keyboard.press('Control+m');
    expect(await playback(page)).toMatchObject({ currentTime: before.currentTime, muted: false });
  });

  test('link, magnet, .torrent, QR and embed code are there and right', async () => {
    await owner.context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: house.origin });
    await openVideo();
    const sha256 = video.slice(-64);
    expect(await page.getByTestId('media-link').getAttribute('href')).toBe(house.origin + video);
    const magnet = (await page.getByTestId('magnet-link').getAttribute('href')) ?? '';
    expect(magnet).toMatch(/^magnet:\?xt=urn:btih:[0-9a-f]{40}&/);
    const torrentUrl = (await page.getByTestId('torrent-link').getAttribute('href')) ?? '';
    expect((await fetch(torrentUrl)).headers.get('content-type')).toBe('application/x-bittorrent');
    await page.getByRole('button', { name: 'Copy Magnet link' }).click();
    await page.getByText('Copied', { exact: true }).waitFor();
    await expect(page.evaluate(() => navigator.clipboard.readText())).resolves.toBe(magnet);
    await page.getByRole('button', { name: 'Embed code', exact: true }).click();
    await expect(page.getByTestId('embed-code').inputValue()).resolves.toContain(
      `src="${house.origin}/embed/${sha256}"`,
    );
    await page.getByRole('button', { name: 'QR code' }).click();
    await page.getByRole('img', { name: /QR code/ }).waitFor();
  });

  test('the panel tells peers and bytes in numbers that programs can read', async () => {
    await openVideo();
    for (const id of ['peer-count', 'p2p-bytes', 'http-bytes']) {
      expect(await page.getByTestId(id).getAttribute('data-value')).toMatch(/^\d+$/);
    }
    await page.getByRole('button', { name: 'Details' }).click();
    await page.getByRole('img', { name: /pieces are here/ }).waitFor();
    await page.getByRole('switch', { name: 'HTTP only' }).click();
    await page.getByText('no other viewer sees your address').waitFor();
    await page.getByRole('switch', { name: 'HTTP only' }).click();
  });

  test.each(['light', 'dark'] as const)(
    'the page has no accessibility violation in the %s theme',
    async (colorScheme) => {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.goto(house.origin + video);
      await page.getByRole('button', { name: 'Details' }).click();
      const { violations } = await new AxeBuilder({ page }).analyze();
      await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'no-preference' });
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`)).toEqual([]);
    },
  );

  test('sound has a player, a picture is shown, and a picture can be seen at its own size', async () => {
    await page.goto(house.origin + audio);
    await becomes('the sound is ready', ({ readyState }) => readyState > 0);
    await page.keyboard.press('k');
    await becomes('k plays it', ({ paused }) => !paused);
    await page.goto(house.origin + image);
    await page.getByRole('button', { name: 'Show at full size' }).click();
    await page.getByRole('button', { name: 'Fit to the page' }).waitFor();
    const width = await page
      .locator('main img')
      .first()
      .evaluate((element) => (element as HTMLImageElement).naturalWidth);
    expect(width).toBe(320);
  });

  test('the embedded player plays inside another page, without the frame of the app', async () => {
    await using stranger = await newVisitor();
    const other = await stranger.newPage();
    await other.goto(house.origin + video.replace('/m/', '/embed/'));
    await other.locator('video').waitFor();
    await expect(other.getByRole('navigation').count()).resolves.toBe(0);
    await other.keyboard.press('k');
    await eventually('it plays', async () => (await playback(other)).currentTime > 0, { timeoutMs: 20_000 });
  });

  test('what this browser holds plays on without a network', async () => {
    await using visitor = await newVisitor();
    const other = await visitor.newPage();
    await other.goto(house.origin + video);
    await other.getByText('All here, checked').waitFor({ timeout: 20_000 });
    await visitor.context.setOffline(true);
    await other.reload();
    await other.getByText('You are offline').waitFor();
    await eventually('it plays', async () => (await playback(other)).currentTime > 0, { timeoutMs: 20_000 });
  });

  test('visitors cannot delete; the owner can, after being asked, and the page then says it is gone', async () => {
    await using stranger = await newVisitor();
    const other = await stranger.newPage();
    await other.goto(house.origin + image);
    await other.getByTestId('media-link').waitFor();
    await expect(other.getByRole('button', { name: 'Delete' }).count()).resolves.toBe(0);

    await page.goto(house.origin + image);
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('button', { name: 'Delete for good' }).click();
    await page.getByTestId('choose-files').waitFor();
    await page.goto(house.origin + image);
    await page.getByRole('heading', { name: 'This file is not here' }).waitFor();
  });
});
