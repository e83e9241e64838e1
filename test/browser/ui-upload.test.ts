/** Publishing from the browser, with the real server: every way in, pause, reload, cancel, and files already there. */
import type { Page, Request } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, afterEach, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { describeWith } from '../support/peers.ts';
import { seededBytes } from '../support/random-bytes.ts';
import { becomeOwner, type House, newVisitor, openHouse, type Visitor } from './support/house.ts';
import { chooseFiles, giveFiles, limitUpload, type TestFile } from './support/upload.ts';

const MIB = 1024 * 1024;
const SLOW_BYTES_PER_SEC = 2 * MIB;

const fileOf = (name: string, sizeBytes: number, seed = name): TestFile => ({
  name,
  mimeType: 'application/octet-stream',
  buffer: Buffer.from(seededBytes(seed, sizeBytes)),
});

describeWith(['chromium'], 'publishing', () => {
  let house: House;
  let owner: Visitor;
  let page: Page;
  let patches: Request[];

  beforeAll(async () => {
    house = await openHouse();
    owner = await newVisitor();
    await becomeOwner(await owner.newPage(), house);
  });
  afterAll(async () => {
    await owner.close();
    await house[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    page = await owner.newPage();
    patches = [];
    page.on('request', (request) => request.method() === 'PATCH' && patches.push(request));
    await page.goto(house.origin);
    await page.getByTestId('choose-files').waitFor();
  });
  afterEach(() => page.close());

  const card = (name: string) => page.locator('li[data-phase]', { hasText: name });
  const reaches = (name: string, phase: string) => page.locator(`li[data-phase=${phase}]`, { hasText: name }).waitFor();
  const sentBytes = async (name: string) =>
    Number(await card(name).getByTestId('upload-progress').getAttribute('data-value'));

  test('a chosen file gets its link, is published, and stands in the list', async () => {
    await chooseFiles(page, [fileOf('harvest.bin', 3 * MIB)]);
    await reaches('harvest', 'stored');
    expect(await sentBytes('harvest')).toBe(3 * MIB);
    const link = await card('harvest').getByTestId('media-link').getAttribute('data-value');
    expect(link).toMatch(new RegExp(`^${house.origin}/m/[0-9a-f]{64}$`));
    const sha256 = link?.slice(-64);
    const bytes = Buffer.from(await (await fetch(`${house.origin}/${sha256}`)).arrayBuffer());
    expect(bytes.equals(seededBytes('harvest.bin', 3 * MIB))).toBe(true);
    await page
      .locator('main')
      .getByRole('link', { name: /harvest.*3\.0 MiB|3\.0 MiB.*harvest/s })
      .waitFor();
  });

  test.each(['drop', 'paste'] as const)('several files come in by %s, anywhere on any page', async (how) => {
    await page.goto(`${house.origin}/settings`);
    await page.getByRole('heading', { name: 'Settings', level: 1 }).waitFor();
    await eventually('files are taken', async () => {
      await giveFiles(page, how, [`${how}-one.txt`, `${how}-two.txt`]);
      return new URL(page.url()).pathname === '/';
    });
    for (const name of [`${how}-one`, `${how}-two`])
      await page.locator('li[data-phase=stored]', { hasText: name }).first().waitFor();
  });

  test('the link is there while the upload still runs, and the server says how far it is', async () => {
    await limitUpload(page, SLOW_BYTES_PER_SEC);
    await chooseFiles(page, [fileOf('early.bin', 12 * MIB)]);
    await reaches('early', 'uploading');
    const link = await card('early').getByTestId('media-link').getAttribute('data-value');
    await card('early').getByText('Seeding from this browser').waitFor();
    const answer = await eventually('the server knows it', async () => {
      const response = await fetch(`${house.origin}/api/v1/media/${link?.slice(-64)}`);
      return response.ok ? ((await response.json()) as { state: string }) : undefined;
    });
    expect(answer.state).toBe('uploading');
    await limitUpload(page, undefined);
    await reaches('early', 'stored');
  });

  test('a pause stops the bytes; going on begins where it stopped', async () => {
    await limitUpload(page, SLOW_BYTES_PER_SEC);
    await chooseFiles(page, [fileOf('paused.bin', 12 * MIB)]);
    await eventually('some bytes are sent', async () => (await sentBytes('paused')) > MIB, { timeoutMs: 20_000 });
    await page.getByRole('button', { name: 'Pause paused.bin' }).click();
    await reaches('paused', 'paused');
    // The browser's network process ends the request in its own time; a limit lifted before lets the whole file out.
    await eventually('the request has ended', () => patches[0]?.failure() !== null);
    await limitUpload(page, undefined);
    await page.getByRole('button', { name: 'Go on with paused.bin' }).click();
    await reaches('paused', 'stored');
    const offsets = patches.map((patch) => Number(patch.headers()['upload-offset']));
    expect(offsets).toEqual([0, expect.toSatisfy((offset: number) => offset > 0 && offset < 12 * MIB)]);
  });

  test('after a reload the same file goes on where it stopped; another file is refused', async () => {
    await limitUpload(page, SLOW_BYTES_PER_SEC);
    const file = fileOf('reload.bin', 12 * MIB);
    await chooseFiles(page, [file]);
    await eventually('some bytes are sent', async () => (await sentBytes('reload')) > MIB, { timeoutMs: 20_000 });
    const link = await card('reload').getByTestId('media-link').getAttribute('data-value');
    await page.reload();
    await limitUpload(page, undefined);
    await reaches('reload', 'needs-file');
    expect(await card('reload').getByTestId('media-link').getAttribute('data-value')).toBe(link);

    await pickAgain(fileOf('reload.bin', 12 * MIB, 'other bytes'));
    await reaches('reload', 'failed');
    await card('reload').getByText('not the one this upload began with').waitFor();
    await pickAgain(file);
    await reaches('reload', 'stored');
    expect(Number(patches.at(-1)?.headers()['upload-offset'])).toBeGreaterThan(0);
    await page.reload();
    await page.getByTestId('choose-files').waitFor();
    await expect(card('reload').count()).resolves.toBe(0);
  });

  async function pickAgain(file: TestFile): Promise<void> {
    await page.evaluate(() => Reflect.deleteProperty(window, 'showOpenFilePicker'));
    const chooser = page.waitForEvent('filechooser');
    await card(file.name.replace('.bin', '')).getByRole('button', { name: 'Pick the file' }).click();
    await (await chooser).setFiles(file);
  }

  test('a second tab leaves the upload of the first alone', async () => {
    await limitUpload(page, SLOW_BYTES_PER_SEC);
    await chooseFiles(page, [fileOf('tabs.bin', 8 * MIB)]);
    await reaches('tabs', 'uploading');
    const second = await owner.newPage();
    await second.goto(house.origin);
    await second.getByTestId('choose-files').waitFor();
    await limitUpload(page, undefined);
    await reaches('tabs', 'stored');
    await expect(second.locator('li[data-phase]').count()).resolves.toBe(0);
    await second.close();
  });

  test('a cancelled upload is gone here and at the server', async () => {
    await limitUpload(page, SLOW_BYTES_PER_SEC);
    await chooseFiles(page, [fileOf('cancelled.bin', 12 * MIB)]);
    await eventually('some bytes are sent', async () => (await sentBytes('cancelled')) > 0, { timeoutMs: 20_000 });
    const dropped = page.waitForResponse((response) => response.request().method() === 'DELETE');
    await page.getByRole('button', { name: 'Cancel the upload of cancelled.bin' }).click();
    await page.getByRole('button', { name: 'Cancel the upload', exact: true }).click();
    await card('cancelled').waitFor({ state: 'detached' });
    await limitUpload(page, undefined);
    expect((await dropped).status()).toBe(204);
  });

  test('a file the server already has is published without sending a byte', async () => {
    await chooseFiles(page, [fileOf('first.bin', 2 * MIB, 'twice')]);
    await reaches('first', 'stored');
    patches.length = 0;
    await chooseFiles(page, [fileOf('second.bin', 2 * MIB, 'twice')]);
    await reaches('second', 'stored');
    expect(patches).toEqual([]);
  });

  test('an empty file is published too, without a swarm', async () => {
    await chooseFiles(page, [{ name: 'empty.txt', mimeType: 'text/plain', buffer: Buffer.alloc(0) }]);
    await reaches('empty', 'stored');
    await card('empty').getByTestId('media-link').click();
    await page.getByText('This file is empty.').waitFor();
    await expect(page.getByTestId('magnet-link').count()).resolves.toBe(0);
  });

  test('who may not upload has nowhere to drop', async () => {
    await using guest = await newVisitor();
    const guestsPage = await guest.newPage();
    await guestsPage.goto(house.origin);
    await guestsPage.getByRole('button', { name: 'Sign in to publish' }).waitFor();
    await giveFiles(guestsPage, 'drop', ['x.txt']);
    await expect(guestsPage.locator('li[data-phase]').count()).resolves.toBe(0);
    expect(guest.requests.filter((url) => url.includes('/uploads'))).toEqual([]);
  });
});
