/** The browser kit in real browsers: what one page seeds, another page and a Node process fetch, through one tracker. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { parseMagnet } from '../../src/codec/magnet.ts';
import { addTorrent, SwarmNode } from '../../src/kit/node/index.ts';
import { type Browser, openBrowser } from '../support/chromium.ts';
import { describeWith, findProgram } from '../support/peers.ts';
import { startServer } from '../support/server.ts';
import { temporaryFolder, testFolder } from '../support/temp-dir.ts';
import type * as KitPage from './support/kit-page.ts';
import { inPage, openSite, type Site } from './support/site.ts';

type Modules = typeof KitPage;
type Tab = Awaited<ReturnType<Browser['newPage']>>;

const FILES = { 'one.txt': 'one '.repeat(50_000), 'two.txt': 'two '.repeat(9_001), 'three.txt': '3' };
const PIECE_BYTES = 64 * 1024;

const suite = new AsyncDisposableStack();
let site: Site;
let trackerUrl = '';
beforeAll(async () => {
  site = suite.use(
    await openSite({
      entries: { modules: 'test/browser/support/kit-page.ts', 'kit-worker': 'test/browser/support/kit-worker.ts' },
    }),
  );
  const { path: dataFolder } = suite.use(await temporaryFolder('kit-swarm'));
  const server = suite.use(await startServer({ dataFolder, settings: { SEEDBED_TRACKER_OPEN: 'true' } }));
  trackerUrl = `${server.origin.replace('http', 'ws')}/announce`;
});
afterAll(() => suite.disposeAsync());

async function openTab(): Promise<Tab> {
  const browser = await openBrowser({ executablePath: findProgram('chromium') ?? 'chromium' });
  onTestFinished(async () => {
    await browser.close();
    expect(browser.problems).toEqual([]);
  });
  const page = await browser.newPage();
  await page.goto(site.origin);
  await inPage(page, ({ open }: Modules, url) => open(url), trackerUrl);
  return page;
}

const seed = (page: Tab, files: object, wish: Parameters<Modules['seed']>[1]): ReturnType<Modules['seed']> =>
  inPage(page, ({ seed: run }: Modules, [picked, how]) => run(picked, how), [{ ...files }, wish] as const);
const fetchAll = (page: Tab, source: string): ReturnType<Modules['fetchAll']> =>
  inPage(page, ({ fetchAll: run }: Modules, from) => run(from), source);

describeWith(['chromium'], 'files that are picked in a page', () => {
  test.each([
    ['v1', 'metainfoHex'],
    ['v2', 'magnet'],
    ['hybrid', 'metainfoHex'],
  ] as const)('are seeded and fetched by another page: %s, by %s', async (format, by) => {
    const [seeder, fetcher] = await Promise.all([openTab(), openTab()]);
    const wish = { name: 'three texts', format, pieceLengthBytes: PIECE_BYTES };
    const { [by]: source } = await seed(seeder, FILES, wish);
    expect(await fetchAll(fetcher, source)).toEqual(FILES);
  });

  test('are fetched by a Node process, a single one under its own name', async () => {
    const seeder = await openTab();
    const { magnet } = await seed(seeder, { 'one.txt': FILES['one.txt'] }, {});
    await using node = await SwarmNode.open({ host: '127.0.0.1', utp: false, allowPrivate: true });
    const folder = await testFolder('kit-swarm');
    const torrent = await addTorrent(node, `${magnet}&tr=${encodeURIComponent(trackerUrl)}`, { folder });
    await torrent.done();
    expect(await readFile(path.join(folder, 'one.txt'), 'utf8')).toBe(FILES['one.txt']);
  });

  test('are found by either hash of a hybrid, and given on under the one that came with the metadata', async () => {
    const [seeder, fetcher, another] = await Promise.all([openTab(), openTab(), openTab()]);
    const { magnet } = await seed(seeder, FILES, { name: 'three texts', format: 'hybrid' });
    const { v1, v2 } = parseMagnet(magnet);
    expect(await fetchAll(fetcher, `magnet:?xt=urn:btmh:1220${v2}`)).toEqual(FILES);
    await seeder.close();
    expect(await fetchAll(another, `magnet:?xt=urn:btih:${v1}`)).toEqual(FILES);
  });

  test('are refused with a reason where they make no torrent', async () => {
    const page = await openTab();
    const none = 'only files with bytes make a torrent';
    await expect(seed(page, FILES, {})).rejects.toThrow('several files need a name');
    await expect(seed(page, { 'empty.txt': '' }, {})).rejects.toThrow(none);
    await expect(seed(page, {}, { name: 'nothing' })).rejects.toThrow(none);
    await seed(page, FILES, { name: 'once' });
    await expect(seed(page, FILES, { name: 'once' })).rejects.toThrow('the torrent is running already');
  });
});
