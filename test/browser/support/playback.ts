/** Plays a video in a page and tells how it went. Runs in the page: bundled with the tab's modules. */
import type { SwarmClient, SwarmMedium } from '../../../web/src/swarm/types.ts';

export interface PlaybackPlan {
  readonly medium: SwarmMedium;
  /** Speed of playback; the bytes are needed as much faster. */
  readonly rate: number;
  /** Stops after so much of the video has been seen. */
  readonly seconds: number;
}

export interface PlaybackReport {
  readonly through: 'swarm' | 'http';
  readonly firstFrameMs: number;
  /** Times playback ran out of bytes, the start not counted. */
  readonly stalls: number;
  readonly playedSeconds: number;
}

/** The page's video element, made at first use. */
function video(): HTMLVideoElement {
  const existing = document.querySelector('video');
  if (existing !== null) return existing;
  const made = document.createElement('video');
  made.muted = true;
  document.body.append(made);
  return made;
}

/** Milliseconds from now to the first picture of what `open` gives, straight from an address or through the swarm. */
export async function timeToFirstFrame(open: () => Promise<string>): Promise<number> {
  const startMs = performance.now();
  const element = video();
  const frame = new Promise<number>((resolve) =>
    element.requestVideoFrameCallback(() => resolve(performance.now() - startMs)),
  );
  element.src = await open();
  await element.play();
  return frame;
}

/** Opens the medium and plays its beginning. */
export async function playVideo(swarm: SwarmClient, { medium, rate, seconds }: PlaybackPlan): Promise<PlaybackReport> {
  const startMs = performance.now();
  const { src, through } = await swarm.open(medium);
  const element = video();
  let [stalls, isPlaying] = [0, false];
  element.addEventListener('waiting', () => (stalls += isPlaying && !hasBytes(element) ? 1 : 0));
  element.addEventListener('playing', () => (isPlaying = true));
  const firstFrame = new Promise<number>((resolve) =>
    element.requestVideoFrameCallback(() => resolve(performance.now() - startMs)),
  );
  element.src = src;
  element.playbackRate = rate;
  await element.play();
  const firstFrameMs = await firstFrame;
  await until(element, () => element.currentTime >= seconds || element.ended);
  isPlaying = false;
  element.pause();
  return { through, firstFrameMs, stalls, playedSeconds: element.currentTime };
}

/** Whether it waits for its decoder on a busy machine, and not for bytes. */
function hasBytes({ buffered, currentTime }: HTMLVideoElement): boolean {
  return Array.from({ length: buffered.length }).some(
    (_, range) => buffered.start(range) <= currentTime && buffered.end(range) > currentTime + 0.5,
  );
}

/** Jumps and resolves, with the time it took in ms, when the new place can be seen. */
export async function seek(toSeconds: number): Promise<number> {
  const element = video();
  const startMs = performance.now();
  const seeked = new Promise((resolve) => element.addEventListener('seeked', resolve, { once: true }));
  element.currentTime = toSeconds;
  await seeked;
  return performance.now() - startMs;
}

function until(element: HTMLVideoElement, isTrue: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const check = (): void => {
      if (isTrue()) resolve();
    };
    element.addEventListener('timeupdate', check);
    element.addEventListener('ended', check);
    element.addEventListener('error', () => reject(new Error(`media error: ${element.error?.message}`)));
  });
}
