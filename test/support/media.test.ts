import { statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { mp4Video } from './media.ts';
import { requirePeer } from './peers.ts';

test('a video recipe is made once, and its size follows from rate and length', async (context) => {
  const ffmpeg = requirePeer(context, 'ffmpeg');
  const recipe = { seconds: 2, bitsPerSecond: 1_000_000 };
  const file = await mp4Video(ffmpeg, recipe);
  const made = statSync(file);
  expect(made.size).toBeGreaterThan(180_000);
  expect(made.size).toBeLessThan(360_000);
  expect(await mp4Video(ffmpeg, recipe)).toBe(file);
  expect(statSync(file).mtimeMs).toBe(made.mtimeMs);
});
