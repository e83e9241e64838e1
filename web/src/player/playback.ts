/** Carries out player actions on a media element. */
import type { PlayerAction } from './shortcuts.ts';

/** Everything but full screen and help, which belong to the page. */
export async function act(media: HTMLMediaElement, action: PlayerAction): Promise<void> {
  switch (action.kind) {
    case 'play':
      if (media.paused) await media.play();
      else media.pause();
      return;
    case 'seek':
      seekTo(media, media.currentTime + action.bySec);
      return;
    case 'jump':
      seekTo(media, media.duration * action.to);
      return;
    case 'volume':
      media.volume = Math.min(1, Math.max(0, media.volume + action.by));
      media.muted = media.volume === 0;
      return;
    case 'mute':
      media.muted = !media.muted;
      return;
    case 'captions':
      toggleCaptions(media);
      return;
    case 'fullscreen':
    case 'help':
  }
}

/** Sets the speed; 1 is normal. */
export function playAt(media: HTMLMediaElement | null, rate: number): void {
  if (media !== null) media.playbackRate = rate;
}

function seekTo(media: HTMLMediaElement, seconds: number): void {
  if (!Number.isFinite(media.duration)) return;
  media.currentTime = Math.min(media.duration, Math.max(0, seconds));
}

function toggleCaptions(media: HTMLMediaElement): void {
  const tracks = [...media.textTracks].filter(({ kind }) => kind === 'captions' || kind === 'subtitles');
  const isShown = tracks.some(({ mode }) => mode === 'showing');
  const [first] = tracks;
  for (const track of tracks) track.mode = 'disabled';
  if (first !== undefined && !isShown) first.mode = 'showing';
}
