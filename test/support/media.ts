/**
 * Media files made by ffmpeg from a recipe, never from the network. A file is made once per machine and recipe, under
 * the machine's temp folder, and shared by every test; treat it as read-only.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const TIMEOUT_MS = 180_000;

export interface VideoRecipe {
  /** Default 60. */
  readonly seconds?: number;
  /** Default 2,000,000: big enough to need several pieces, small enough for a laptop. */
  readonly bitsPerSecond?: number;
  /** Default 640×360. */
  readonly size?: string;
  /** The index at the front (`moov` first) plays at once; at the end it costs a seek. Default front. */
  readonly index?: 'front' | 'end';
}

/** Path of an H.264 + AAC MP4 with a moving test picture and a tone. */
export async function mp4Video(ffmpeg: string, recipe: VideoRecipe = {}): Promise<string> {
  const { seconds = 60, bitsPerSecond = 2_000_000, size = '640x360', index = 'front' } = recipe;
  const rate = String(bitsPerSecond);
  const picture = `testsrc2=size=${size}:rate=25:duration=${seconds}`;
  const tone = `sine=frequency=440:sample_rate=48000:duration=${seconds}`;
  // Constant rate, filled up where the picture is too simple, so that sizes follow from the recipe.
  const video = `-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 50 -b:v ${rate} -minrate ${rate} -maxrate ${rate} -bufsize ${rate} -x264-params nal-hrd=cbr`;
  const container = index === 'front' ? '-movflags +faststart' : '-movflags -faststart';
  const options = `-f lavfi -i ${picture} -f lavfi -i ${tone} ${video} -c:a aac -b:a 64k ${container}`;
  return make(ffmpeg, 'mp4', options.split(' '));
}

/** Path of an Ogg Opus tone. */
export function opusAudio(ffmpeg: string, seconds = 5): Promise<string> {
  return make(ffmpeg, 'ogg', ['-f', 'lavfi', '-i', `sine=frequency=330:duration=${seconds}`, '-c:a', 'libopus']);
}

/** Path of a PNG test picture. */
export function pngImage(ffmpeg: string, size = '320x180'): Promise<string> {
  return make(ffmpeg, 'png', ['-f', 'lavfi', '-i', `testsrc2=size=${size}`, '-frames:v', '1']);
}

async function make(ffmpeg: string, extension: string, args: readonly string[]): Promise<string> {
  const recipe = createHash('sha256').update(JSON.stringify(args)).digest('hex').slice(0, 16);
  const folder = path.join(os.tmpdir(), 'made-media');
  const file = path.join(folder, `${recipe}.${extension}`);
  if (existsSync(file)) return file;
  await mkdir(folder, { recursive: true });
  // Two tests may make the same file at once: each its own, and the rename decides.
  const draft = path.join(folder, `${recipe}.${process.pid}.${extension}`);
  await run(ffmpeg, ['-hide_banner', '-loglevel', 'error', '-nostdin', '-y', ...args, draft], { timeout: TIMEOUT_MS });
  await rename(draft, file);
  return file;
}
