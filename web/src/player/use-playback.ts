/** What accompanies playback: screen kept on, the system's media controls, a poster for later. */
import { useEffect, type RefObject } from 'react';
import type { MediumInfo } from '../../../src/base/api.ts';
import type { Sha256 } from '../../../src/base/ids.ts';
import { inBackground } from '../app/problems.ts';
import { rememberFrame } from '../lib/poster.ts';

/** A frame this far in is a better poster than the first. */
const POSTER_AFTER_SEC = 2;

/** Holds a screen wake lock while the video plays; browsers that refuse it simply dim. */
function keepScreenOn(video: HTMLVideoElement, signal: AbortSignal): void {
  let lock: WakeLockSentinel | undefined;
  const request = async (): Promise<void> => {
    lock ??= await navigator.wakeLock?.request('screen').catch(() => undefined);
  };
  const release = (): void => {
    inBackground(lock?.release() ?? Promise.resolve());
    lock = undefined;
  };
  video.addEventListener('play', () => inBackground(request()), { signal });
  for (const event of ['pause', 'ended']) video.addEventListener(event, release, { signal });
  signal.addEventListener('abort', release, { once: true });
}

function takePoster(video: HTMLVideoElement, sha256: Sha256, signal: AbortSignal): void {
  const taken = new AbortController();
  const look = (): void => {
    if (video.currentTime < POSTER_AFTER_SEC) return;
    taken.abort();
    inBackground(rememberFrame(video, sha256));
  };
  video.addEventListener('timeupdate', look, { signal: AbortSignal.any([signal, taken.signal]) });
}

function nameForSystem(media: HTMLMediaElement, name: string, signal: AbortSignal): void {
  const show = (): void => {
    if ('mediaSession' in navigator) navigator.mediaSession.metadata = new MediaMetadata({ title: name });
  };
  media.addEventListener('play', show, { signal });
}

/** Wires the element while it is mounted. */
export function usePlaybackCompanions(media: RefObject<HTMLMediaElement | null>, medium: MediumInfo): void {
  const { sha256, name } = medium;
  useEffect(() => {
    const element = media.current;
    if (element === null) return undefined;
    const left = new AbortController();
    nameForSystem(element, name, left.signal);
    if (element instanceof HTMLVideoElement) {
      keepScreenOn(element, left.signal);
      takePoster(element, sha256, left.signal);
    }
    return () => left.abort();
  }, [media, sha256, name]);
}
