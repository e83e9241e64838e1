import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { testFolder } from '../../../test/support/temp-dir.ts';
import { StorageFailed } from '../../base/errors.ts';
import { chooseEncoding, loadAssets, weakEtag } from './assets.ts';

test('a built app is loaded by path, compressed siblings with their file and not beside it', async () => {
  const folder = await testFolder('assets');
  await mkdir(path.join(folder, 'assets'));
  await writeFile(path.join(folder, 'assets/a.js'), 'x'.repeat(100));
  await writeFile(path.join(folder, 'assets/a.js.br'), 'xx');
  await writeFile(path.join(folder, 'assets/a.js.gz'), 'y'.repeat(200));
  const assets = await loadAssets(folder);
  expect([...assets.keys()]).toEqual(['/assets/a.js']);
  const { type, bytes } = assets.get('/assets/a.js') ?? {};
  expect(type).toBe('text/javascript; charset=utf-8');
  expect(Object.keys(bytes ?? {}).toSorted()).toEqual(['br', 'identity']);
});

test('where nothing was built there is nothing; a folder that cannot be read is an error', async () => {
  const folder = await testFolder('assets');
  expect((await loadAssets(path.join(folder, 'missing'))).size).toBe(0);
  await writeFile(path.join(folder, 'file'), 'x');
  await expect(loadAssets(path.join(folder, 'file'))).rejects.toThrow(StorageFailed);
});

test.each([
  ['gzip, deflate, br, zstd', 'br'],
  ['gzip', 'gzip'],
  ['BR', 'br'],
  ['br;q=0', 'identity'],
  ['br;q=0.000, gzip', 'gzip'],
  ['br;q=0.001', 'br'],
  ['brotli', 'identity'],
  [undefined, 'identity'],
])('to a client that accepts %s goes %s', (accepted, encoding) => {
  const bytes = { identity: new Uint8Array(3), br: new Uint8Array(1), gzip: new Uint8Array(2) };
  expect(chooseEncoding(accepted, { bytes })).toBe(encoding);
});

test('a validator follows the content', () => {
  expect(weakEtag(Buffer.from('a'))).toMatch(/^W\/"[\w-]{22}"$/);
  expect(weakEtag(Buffer.from('a'))).not.toBe(weakEtag(Buffer.from('b')));
});
