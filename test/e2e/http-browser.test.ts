/** What a real browser does with hostile files and names on the same origin as the app. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { openBrowser } from '../support/chromium.ts';
import { requirePeer } from '../support/peers.ts';
import { testFolder } from '../support/temp-dir.ts';
import { BlobsInMemory, openWorld } from './http-world.ts';

const INDEX =
  '<!doctype html><html><head><meta charset="utf-8"><title>Seedbed</title><script type="module" src="/assets/app.js"></script></head><body><div id="app"></div></body></html>';

async function app() {
  const folder = await testFolder('web');
  await mkdir(path.join(folder, 'assets'));
  await writeFile(path.join(folder, 'index.html'), INDEX);
  await writeFile(path.join(folder, 'assets/app.js'), 'document.body.dataset.app = "runs";');
  const media = new BlobsInMemory();
  return { media, world: await openWorld({ media, webFolder: folder }) };
}

test('the app runs under its policy; names and files of strangers do not', async (context) => {
  await using browser = await openBrowser({ executablePath: requirePeer(context, 'chromium') });
  const { media, world } = await app();
  const script = media.add({ bytes: Buffer.from('document.body.dataset.pwned = "script"'), type: 'text/javascript' });
  const style = media.add({ bytes: Buffer.from('body { content: "pwned" }'), type: 'text/css' });
  const name = `</title><script>document.body.dataset.pwned="name"</script><img src=x onerror="document.body.dataset.pwned='img'">`;
  const page = await browser.newPage();
  await page.goto(world.url(`/m/${media.add({ bytes: Buffer.from('film'), name })}`));
  await page.waitForFunction(() => document.body.dataset['app'] === 'runs');
  const loaded = await page.evaluate(
    async ([scriptUrl = '', styleUrl = '']) => {
      const outcome = (element: HTMLElement): Promise<string> =>
        new Promise((resolve) => {
          element.addEventListener('load', () => resolve('ran'));
          element.addEventListener('error', () => resolve('blocked'));
          document.head.append(element);
        });
      const worker = await navigator.serviceWorker.register(scriptUrl).then(
        () => 'registered',
        () => 'blocked',
      );
      const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href: styleUrl });
      const inline = Object.assign(document.createElement('script'), {
        textContent: 'document.body.dataset.pwned = "inline"',
      });
      document.body.append(inline);
      return {
        script: await outcome(Object.assign(document.createElement('script'), { src: scriptUrl })),
        style: await outcome(link),
        worker,
        pwned: document.body.dataset['pwned'] ?? 'no',
      };
    },
    [world.url(`/${script}.js`), world.url(`/${style}.css`)],
  );
  expect(loaded).toEqual({ script: 'blocked', style: 'blocked', worker: 'blocked', pwned: 'no' });
});

test('a page somebody uploaded is saved, never shown, even in a frame', async (context) => {
  await using browser = await openBrowser({ executablePath: requirePeer(context, 'chromium') });
  const { media, world } = await app();
  const html = media.add({
    bytes: Buffer.from('<script>parent.document.body.dataset.pwned = 1</script>'),
    type: 'text/html',
    name: 'a.html',
  });
  const svg = media.add({
    bytes: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" onload="parent.document.body.dataset.pwned = 1"/>'),
    type: 'image/svg+xml',
  });
  const page = await browser.newPage();
  for (const sha256 of [html, svg]) {
    await page.goto(world.url('/'));
    const saved = page.waitForEvent('download');
    await page.evaluate(
      (src) => {
        document.body.append(Object.assign(document.createElement('iframe'), { src }));
      },
      world.url(`/${sha256}`),
    );
    await saved;
    expect(await page.evaluate(() => document.body.dataset['pwned'])).toBeUndefined();
  }
});
