/** The example page, built by Vite and opened in a real Chromium: it plays what the Node example seeds, over WebRTC alone. */
import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { build } from 'vite';
import { type Browser, openBrowser } from '../support/chromium.ts';
import { playsFrom, servePage } from '../support/example-page.ts';
import { mp4Video } from '../support/media.ts';
import { describeWith, findProgram } from '../support/peers.ts';
import { type Program, startProgram } from '../support/program.ts';
import { startServer } from '../support/server.ts';
import { temporaryFolder, testFolder } from '../support/temp-dir.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

const suite = new AsyncDisposableStack();
let origin = '';
beforeAll(async () => {
  const { path: outDir } = suite.use(await temporaryFolder('example-page'));
  const configFile = path.join(ROOT, 'examples/page/vite.config.ts');
  await build({ configFile, logLevel: 'error', build: { outDir, emptyOutDir: true } });
  ({ origin } = suite.use(await servePage(configFile, outDir)));
});
afterAll(() => suite.disposeAsync());

const newBrowser = (): Promise<Browser> => openBrowser({ executablePath: findProgram('chromium') ?? 'chromium' });

/** The Node example, seeding a video through the server's tracker; the server itself knows nothing of the video. */
async function seedVideo(tracker: string): Promise<{ seeder: Program; magnet: string } & AsyncDisposable> {
  const folder = await testFolder('example-seeder');
  await copyFile(await mp4Video(findProgram('ffmpeg') ?? 'ffmpeg', { seconds: 20 }), path.join(folder, 'film.mp4'));
  const command = [path.join(ROOT, 'examples/node-seed.ts'), 'film.mp4', '--tracker', tracker];
  const seeder = startProgram(process.execPath, command, { cwd: folder });
  const [magnet = ''] = await seeder.line(/magnet:\S+/);
  return { seeder, magnet, [Symbol.asyncDispose]: () => seeder[Symbol.asyncDispose]() };
}

describeWith(['chromium', 'ffmpeg'], 'the example page', () => {
  test('plays and seeks in a video that one Node process seeds, and gives it to the next page', async () => {
    await using server = await startServer({
      dataFolder: await testFolder('example-tracker'),
      settings: { SEEDBED_TRACKER_OPEN: 'true' },
    });
    await using seeding = await seedVideo(`${server.origin.replace('http', 'ws')}/announce`);
    const address = `${origin}?magnet=${encodeURIComponent(seeding.magnet)}`;

    await using first = await newBrowser();
    const page = await first.newPage();
    await page.goto(address);
    await page.waitForFunction('document.querySelector("video").currentTime > 0'); // by itself
    await playsFrom(page, 0);
    await playsFrom(page, 15);
    await page.getByRole('status').getByText('100 % here').waitFor();

    // Whoever comes next gets it from the first page: the process that brought it is gone.
    await seeding.seeder.stop();
    await using second = await newBrowser();
    const another = await second.newPage();
    await another.goto(address);
    await playsFrom(another, 10);
    await page
      .getByRole('status')
      .getByText(/gave [1-9]/)
      .waitFor();
    expect([...first.problems, ...second.problems]).toEqual([]);
  });

  test('plays in two tabs of one browser, and goes on in the second when the first closes', async () => {
    await using server = await startServer({
      dataFolder: await testFolder('example-tabs'),
      settings: { SEEDBED_TRACKER_OPEN: 'true' },
    });
    await using seeding = await seedVideo(`${server.origin.replace('http', 'ws')}/announce`);
    const address = `${origin}?magnet=${encodeURIComponent(seeding.magnet)}`;
    await using browser = await newBrowser();
    const first = await browser.newPage();
    await first.goto(address);
    await playsFrom(first, 0);
    // The first has the file of the browser's store open.
    const second = await browser.newPage();
    await second.goto(address);
    await playsFrom(second, 0);
    await first.close();
    await playsFrom(second, 15);
    await second.getByRole('status').getByText('100 % here').waitFor();
    expect(browser.problems).toEqual([]);
  });

  test('says what is missing when the link names no tracker that browsers can speak to', async () => {
    await using browser = await newBrowser();
    const page = await browser.newPage();
    await page.goto(origin);
    await page.getByLabel('Magnet link').fill(`magnet:?xt=urn:btih:${'a'.repeat(40)}&tr=udp://127.0.0.1:9/announce`);
    await page.getByRole('button', { name: 'Play' }).click();
    await page.getByRole('status').getByText('Browsers need a WebSocket tracker').waitFor();
  });
});
