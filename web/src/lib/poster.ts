/**
 * Posters made and kept in this browser: one small picture per video or image, taken from the user's own file
 * or from what plays. They
 * are a courtesy: whatever goes wrong gives no poster, never an error. At most MAX_POSTERS are kept.
 */
import { createStore, delMany, get, keys, set, type UseStore } from 'idb-keyval';
import type { Sha256 } from '../../../src/base/ids.ts';
import { kindOf } from './media-kind.ts';

const MAX_POSTERS = 300;
const WIDTH_PX = 480;
const WEBP_QUALITY = 0.72;
const FRAME_TIMEOUT_MS = 5_000;
/** Past black openings and titles. */
const FRAME_AT = 0.1;
const LATEST_FRAME_SEC = 12;

let opened: UseStore | undefined;
const store = (): UseStore => (opened ??= createStore('seedbed-posters', 'posters'));

/** The kept poster, if there is one. */
export async function loadPoster(sha256: Sha256): Promise<Blob | undefined> {
  return await get<Blob>(sha256, store());
}

async function savePoster(sha256: Sha256, poster: Blob): Promise<void> {
  const kept = await keys(store());
  if (kept.length >= MAX_POSTERS) await delMany(kept.slice(0, kept.length - MAX_POSTERS + 1), store());
  await set(sha256, poster, store());
}

/** Takes the present frame of a playing video, unless there is a poster already. */
export async function rememberFrame(video: HTMLVideoElement, sha256: Sha256): Promise<void> {
  if ((await loadPoster(sha256)) !== undefined) return;
  const frame = await draw(video, video.videoWidth, video.videoHeight);
  if (frame !== undefined) await savePoster(sha256, frame);
}

/** Makes the poster of a picked video or image file; other files have none. */
export async function rememberPosterOf(file: File, sha256: Sha256): Promise<void> {
  const kind = kindOf(file.type);
  if ((kind !== 'video' && kind !== 'image') || (await loadPoster(sha256)) !== undefined) return;
  if (kind === 'video') await rememberVideo(file, sha256);
  else await rememberImage(file, sha256);
}

async function rememberImage(file: File, sha256: Sha256): Promise<void> {
  // A file that says it is an image and is none has no poster; the viewer will say so.
  const image = await createImageBitmap(file, { resizeWidth: WIDTH_PX, resizeQuality: 'medium' }).catch(
    () => undefined,
  );
  if (image === undefined) return;
  const poster = await draw(image, image.width, image.height);
  image.close();
  if (poster !== undefined) await savePoster(sha256, poster);
}

async function rememberVideo(file: File, sha256: Sha256): Promise<void> {
  const url = URL.createObjectURL(file);
  const video = document.createElement('video');
  try {
    video.muted = true;
    video.preload = 'auto';
    video.src = url;
    if (!(await arrives(video, 'loadedmetadata'))) return;
    video.currentTime = Math.min(video.duration * FRAME_AT, LATEST_FRAME_SEC);
    if (await arrives(video, 'seeked')) await rememberFrame(video, sha256);
  } finally {
    video.removeAttribute('src');
    video.load();
    URL.revokeObjectURL(url);
  }
}

function arrives(video: HTMLVideoElement, event: 'loadedmetadata' | 'seeked'): Promise<boolean> {
  const signal = AbortSignal.timeout(FRAME_TIMEOUT_MS);
  return new Promise((resolve) => {
    video.addEventListener(event, () => resolve(true), { once: true });
    video.addEventListener('error', () => resolve(false), { once: true });
    signal.addEventListener('abort', () => resolve(false), { once: true });
  });
}

async function draw(source: CanvasImageSource, width: number, height: number): Promise<Blob | undefined> {
  if (width === 0) return undefined;
  const canvas = document.createElement('canvas');
  canvas.width = Math.min(WIDTH_PX, width);
  canvas.height = Math.max(1, Math.round((canvas.width / width) * height));
  canvas.getContext('2d')?.drawImage(source, 0, 0, canvas.width, canvas.height);
  return await new Promise((resolve) => {
    try {
      canvas.toBlob((blob) => resolve(blob ?? undefined), 'image/webp', WEBP_QUALITY);
    } catch {
      resolve(undefined); // media of another origin must not be read
    }
  });
}
