/** Every page, in both themes and sizes: accessible, without a word to third parties, within its size. */
import { gzipSync } from 'node:zlib';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWith } from '../support/peers.ts';
import { eventually } from '../support/eventually.ts';
import { FIRST_ROUTE_BUDGET_BYTES } from '../../web/build/size-budget.ts';
import { becomeOwner, type House, newVisitor, openHouse, type Visitor } from './support/house.ts';

const MISSING = 'f'.repeat(64);
/** Path, and the heading that says the page is there. */
const PAGES = [
  ['/', 'Publish a file'],
  ['/seeding', 'What this browser seeds'],
  ['/settings', 'Settings'],
  ['/setup', 'This server has an owner already'],
  [`/m/${MISSING}`, 'This file is not here'],
  ['/library', 'There is no such page'],
] as const;

async function violationsOf(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
    .analyze();
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
}

describeWith(['chromium'], 'the pages', () => {
  let house: House;
  let owner: Visitor;
  let page: Page;
  beforeAll(async () => {
    house = await openHouse();
    owner = await newVisitor();
    page = await owner.newPage();
    await becomeOwner(page, house);
  });
  afterAll(async () => {
    await owner.close();
    await house[Symbol.asyncDispose]();
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    test.each(PAGES)(`%s has no accessibility violation in the ${colorScheme} theme`, async (path, heading) => {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.goto(house.origin + path);
      await page.getByRole('heading', { name: heading, level: 1 }).waitFor();
      expect(await violationsOf(page)).toEqual([]);
    });
  }

  test.each(['light', 'dark'] as const)(
    'a stranger meets no violation either, in the %s theme',
    async (colorScheme) => {
      await using stranger = await newVisitor({ colorScheme });
      const theirs = await stranger.newPage();
      await theirs.goto(house.origin);
      await theirs.getByRole('button', { name: 'Sign in to publish' }).click();
      await theirs.getByRole('button', { name: /I have a key/ }).click();
      expect(await violationsOf(theirs)).toEqual([]);
      await theirs.goto(`${house.origin}/embed/${MISSING}`);
      await theirs.getByText('This file is not here').waitFor();
      expect(await violationsOf(theirs)).toEqual([]);
    },
  );

  test('the check does find violations: a button without a name is reported', async () => {
    await page.goto(house.origin);
    await page.getByTestId('choose-files').waitFor();
    await page.evaluate(() => document.querySelector('main')?.append(document.createElement('button')));
    expect((await violationsOf(page)).join()).toContain('button-name');
  });

  test('a chosen theme holds from the first paint on, against the system', async () => {
    await page.emulateMedia({ colorScheme: 'light' });
    await page.goto(`${house.origin}/settings`);
    await page.getByLabel('Theme').selectOption({ label: 'Dark' });
    await page.reload({ waitUntil: 'commit' });
    await page.locator('html[data-theme=dark]').waitFor();
    const scheme = await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
    expect(scheme).toBe('dark');
    await page.getByLabel('Theme').selectOption({ label: 'Like the system' });
  });

  test.each([
    { width: 390, height: 844 },
    { width: 1280, height: 800 },
    { width: 320, height: 640 },
  ])('nothing scrolls sideways at $width pixels', async (viewport) => {
    await page.setViewportSize(viewport);
    for (const [path, heading] of PAGES) {
      await page.goto(house.origin + path);
      await page.getByRole('heading', { name: heading, level: 1 }).waitFor();
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect({ path, overflow }).toEqual({ path, overflow: 0 });
    }
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  test('the keyboard reaches everything: skip link, navigation, and focus follows to the new page', async () => {
    await page.goto(house.origin);
    await page.getByTestId('choose-files').waitFor();
    await page.keyboard.press('Tab');
    await expect(focused(page)).resolves.toBe('Skip to the content');
    await page.keyboard.press('Enter');
    await expect(page.evaluate(() => document.activeElement?.id)).resolves.toBe('content');
    await page.getByRole('link', { name: 'Settings' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Settings', level: 1 }).waitFor();
    await expect(page.evaluate(() => document.activeElement?.id)).resolves.toBe('content');
  });

  test('a dialog keeps the focus, closes with Escape and gives the focus back', async () => {
    await page.goto(`${house.origin}/settings`);
    const opener = page.getByRole('button', { name: 'Back up the key' });
    await opener.click();
    await page.getByRole('dialog', { name: 'Back up your key' }).waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.locator('button:focus', { hasText: 'Back up the key' }).waitFor();
  });

  test('at another address than its own the server says where to go', async () => {
    const { port } = new URL(house.origin);
    await page.goto(`http://localhost:${port}/settings`);
    const link = page.getByRole('link', { name: `${house.origin}/settings` });
    await expect(link.getAttribute('href')).resolves.toBe(`${house.origin}/settings`);
    await page.goto(house.origin);
  });

  test('without a network the app still opens, and says that it is offline', async () => {
    await page.goto(house.origin);
    await page.getByTestId('choose-files').waitFor();
    await eventually('the shell is kept', () =>
      page.evaluate(async () => {
        const names = await caches.keys();
        const kept = await Promise.all(names.map(async (name) => (await caches.open(name)).match('/')));
        return kept.some((shell) => shell !== undefined);
      }),
    );
    await owner.context.setOffline(true);
    await page.reload();
    await page.getByText('You are offline').waitFor();
    await page.getByRole('link', { name: 'Settings' }).click();
    await page.getByRole('heading', { name: 'Settings', level: 1 }).waitFor();
    await owner.context.setOffline(false);
  });

  test('no page says a word to anybody but this server', () => {
    const foreign = owner.requests.filter(
      (url) => !/^(?:blob|data):/.test(url) && !['127.0.0.1', 'localhost'].includes(new URL(url).hostname),
    );
    expect(owner.requests.length).toBeGreaterThan(20);
    expect(foreign).toEqual([]);
  });

  test('a first visit loads no more than 170 KiB of scripts and styles before the page is there', async () => {
    await using stranger = await newVisitor();
    const first = await stranger.newPage();
    await first.goto(house.origin);
    await first.getByRole('heading', { level: 1 }).waitFor();
    const urls = await first.evaluate(() =>
      performance
        .getEntriesByType('resource')
        .map(({ name }) => name)
        .filter((name) => /\.(?:js|css)$/.test(new URL(name).pathname)),
    );
    const sizes = await Promise.all(
      urls
        .filter((url) => !isSwarm(url))
        .map(async (url) => gzipSync(await (await fetch(url)).bytes(), { level: 9 }).length),
    );
    expect(sizes.length).toBeGreaterThan(2);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(FIRST_ROUTE_BUDGET_BYTES);
  });

  test('the pages complained about nothing but the medium that is not there', () => {
    expect(owner.problems.filter((problem) => !/404|ERR_INTERNET_DISCONNECTED/.test(problem))).toEqual([]);
  });
});

/** The name of the focused element. */
function focused(page: Page): Promise<string | undefined> {
  return page.evaluate(() => document.activeElement?.textContent?.trim());
}

/** Loaded when the page is idle, whenever that is. */
function isSwarm(url: string): boolean {
  return /\/swarm[\w-]*\.js$/.test(url);
}
