import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { seededBytes, seededRandom, writeSeededFile } from './random-bytes.ts';
import { testFolder } from './temp-dir.ts';

test.each([0, 1, 15, 16, 17, 4_097])('a cut at byte %i equals the same bytes of the whole', (position) => {
  const whole = seededBytes('cut', 5_000);
  expect(seededBytes('cut', 100, position)).toEqual(whole.slice(position, position + 100));
});

test('a file of seeded bytes holds the stream from its start', async () => {
  const file = path.join(await testFolder('bytes'), 'file');
  await writeSeededFile(file, 'file', 5_000_001);
  expect(Buffer.compare(await readFile(file), seededBytes('file', 5_000_001))).toBe(0);
});

test('other seeds give other bytes and numbers', () => {
  expect(seededBytes('a', 32)).not.toEqual(seededBytes('b', 32));
  expect(seededRandom(1)()).not.toBe(seededRandom(2)());
  expect(seededRandom(7)()).toBe(seededRandom(7)());
});
