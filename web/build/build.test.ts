import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { testFolder } from '../../test/support/temp-dir.ts';
import { precompressFolder } from './precompress.ts';
import { listShell } from './service-worker.ts';
import { filesOfFirstRoute, type BuiltChunk } from './size-budget.ts';

const chunk = (change: Partial<BuiltChunk>): BuiltChunk => ({
  isEntry: false,
  facade: undefined,
  imports: [],
  styles: [],
  ...change,
});

test('the first route is the entry, its page and what both import; what loads later does not count', () => {
  const chunks = new Map([
    ['index.js', chunk({ isEntry: true, imports: ['react.js'], styles: ['index.css'] })],
    ['react.js', chunk({})],
    ['home.js', chunk({ facade: '/web/src/pages/home.tsx', imports: ['grid.js', 'react.js'] })],
    ['grid.js', chunk({ imports: ['home.js'] })],
    ['player.js', chunk({ facade: '/web/src/player/video-player.tsx' })],
  ]);
  expect([...filesOfFirstRoute(chunks, '/pages/home.tsx')].sort()).toEqual([
    'grid.js',
    'home.js',
    'index.css',
    'index.js',
    'react.js',
  ]);
});

test('compressed siblings unpack to the file, and are left out where they would not help', async () => {
  const folder = await testFolder('precompress');
  const text = 'the same line over and over\n'.repeat(200);
  await mkdir(path.join(folder, 'assets'));
  await writeFile(path.join(folder, 'assets/app.js'), text);
  await writeFile(path.join(folder, 'tiny.js'), 'x');
  await writeFile(path.join(folder, 'photo.webp'), text);
  await precompressFolder(folder);
  const read = (name: string): Promise<Buffer> => readFile(path.join(folder, name));
  expect(brotliDecompressSync(await read('assets/app.js.br')).toString()).toBe(text);
  expect(gunzipSync(await read('assets/app.js.gz')).toString()).toBe(text);
  for (const name of ['tiny.js.br', 'tiny.js.gz', 'photo.webp.br']) {
    await expect(read(name)).rejects.toMatchObject({ code: 'ENOENT' });
  }
});

test('the shell lists every file of the app but the service worker, and a changed file gets another revision', async () => {
  const folder = await testFolder('shell');
  await mkdir(path.join(folder, 'assets'));
  for (const name of ['index.html', 'sw.js', 'theme.js', 'assets/a.js', 'assets/a.js.br']) {
    await writeFile(path.join(folder, name), name);
  }
  const before = await listShell(folder);
  expect(before.map(({ url }) => url)).toEqual(['/', '/assets/a.js', '/theme.js']);
  await writeFile(path.join(folder, 'theme.js'), 'changed');
  const after = await listShell(folder);
  const changed = after.filter(({ url, revision }) =>
    before.every((old) => old.url !== url || old.revision !== revision),
  );
  expect(changed.map(({ url }) => url)).toEqual(['/theme.js']);
});
