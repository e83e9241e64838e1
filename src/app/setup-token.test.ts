import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { testFolder } from '../../test/support/temp-dir.ts';
import { dropSetupToken, loadSetupToken } from './setup-token.ts';

test('the token stays the same over restarts, is unguessable, and only its owner can read it', async () => {
  const folder = await testFolder('setup');
  const token = await loadSetupToken(folder);
  expect(token).toMatch(/^[\w-]{22}$/);
  expect(await loadSetupToken(folder)).toBe(token);
  expect((await stat(path.join(folder, 'setup-token'))).mode & 0o777).toBe(0o600);
});

test('a damaged token file is replaced', async () => {
  const folder = await testFolder('setup');
  await writeFile(path.join(folder, 'setup-token'), 'x');
  expect(await loadSetupToken(folder)).toMatch(/^[\w-]{22}$/);
});

test('after use the next token is another one', async () => {
  const folder = await testFolder('setup');
  const token = await loadSetupToken(folder);
  await dropSetupToken(folder);
  expect(await loadSetupToken(folder)).not.toBe(token);
});
