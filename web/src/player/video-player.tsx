/** Video and audio in a native element with media-chrome's controls and our keyboard map. Loaded when something plays. */
import {
  MediaCaptionsButton,
  MediaControlBar,
  MediaController,
  MediaFullscreenButton,
  MediaGestureReceiver,
  MediaLoadingIndicator,
  MediaMuteButton,
  MediaPipButton,
  MediaPlayButton,
  MediaTimeDisplay,
  MediaTimeRange,
  MediaVolumeRange,
} from 'media-chrome/react';
import { lazy, Suspense, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { FieldPicture, usePosterUrl } from '../components/poster.tsx';
import { RateButton } from './rate-button.tsx';
import { DownloadCard } from './download-card.tsx';
import { usePlaybackCompanions } from './use-playback.ts';
import { useShortcuts } from './use-shortcuts.ts';
import { useSource } from './use-source.ts';
import type { ViewerProps } from './viewer.tsx';

const ShortcutsDialog = lazy(async () => ({ default: (await import('./shortcuts-dialog.tsx')).ShortcutsDialog }));

function Help({ isShown, onClose }: { readonly isShown: boolean; readonly onClose: () => void }) {
  if (!isShown) return null;
  return (
    <Suspense>
      <ShortcutsDialog onClose={onClose} />
    </Suspense>
  );
}

export function VideoPlayer({ medium, opened, fills = false }: ViewerProps) {
  const { t } = useTranslation();
  const media = useRef<HTMLVideoElement>(null);
  const stage = useRef<HTMLDivElement>(null);
  const [showsHelp, setShowsHelp] = useState(false);
  const { src, isHopeless, onError, onLoadedMetadata } = useSource(medium, opened);
  const poster = usePosterUrl(medium.sha256);
  const startsAtOnce = !fills && !matchMedia('(prefers-reduced-motion: reduce)').matches;
  usePlaybackCompanions(media, medium);
  useShortcuts({ media, stage, onHelp: () => setShowsHelp(true) });
  if (isHopeless) return <DownloadCard medium={medium} reason="cannotPlay" />;
  return (
    <div ref={stage} dir="ltr" className={`player bg-stage ${fills ? 'h-dvh' : 'overflow-hidden rounded-card'}`}>
      <MediaController noHotkeys className={`block w-full ${fills ? 'h-full' : 'aspect-video max-h-[75dvh]'}`}>
        {/* Captions belong to the file where there are any; we have none of our own to offer. */}
        {/* oxlint-disable-next-line jsx-a11y/media-has-caption */}
        <video
          slot="media"
          ref={media}
          src={src}
          poster={poster}
          playsInline
          autoPlay={startsAtOnce}
          preload="auto"
          aria-label={t('player.label', { name: medium.name })}
          onError={onError}
          onLoadedMetadata={onLoadedMetadata}
          className="size-full object-contain"
        />
        <MediaGestureReceiver slot="gestures-chrome" />
        <MediaPlayButton slot="centered-chrome" noTooltip tabIndex={-1} aria-hidden className="player-big" />
        <MediaLoadingIndicator slot="centered-chrome" noAutohide />
        <MediaControlBar>
          <MediaPlayButton noTooltip />
          <MediaMuteButton noTooltip />
          <MediaVolumeRange className="player-volume" />
          <MediaTimeRange />
          <MediaTimeDisplay showDuration noToggle />
          <MediaCaptionsButton noTooltip />
          <RateButton media={media} />
          <MediaPipButton noTooltip className="player-extra" />
          <MediaFullscreenButton noTooltip />
        </MediaControlBar>
      </MediaController>
      <Help isShown={showsHelp} onClose={() => setShowsHelp(false)} />
    </div>
  );
}

export function AudioPlayer({ medium, opened, fills = false }: ViewerProps) {
  const { t } = useTranslation();
  const media = useRef<HTMLAudioElement>(null);
  const [showsHelp, setShowsHelp] = useState(false);
  const { src, isHopeless, onError, onLoadedMetadata } = useSource(medium, opened);
  usePlaybackCompanions(media, medium);
  useShortcuts({ media, onHelp: () => setShowsHelp(true) });
  if (isHopeless) return <DownloadCard medium={medium} reason="cannotPlay" />;
  return (
    <div
      dir="ltr"
      className={`player relative bg-stage ${fills ? 'h-dvh' : 'aspect-video max-h-96 w-full overflow-hidden rounded-card'}`}
    >
      <FieldPicture sha256={medium.sha256} />
      <MediaController audio noHotkeys className="absolute inset-x-0 bottom-0 w-full bg-stage/80">
        {/* oxlint-disable-next-line jsx-a11y/media-has-caption */}
        <audio
          slot="media"
          ref={media}
          src={src}
          preload="auto"
          aria-label={t('player.label', { name: medium.name })}
          onError={onError}
          onLoadedMetadata={onLoadedMetadata}
        />
        <MediaControlBar className="w-full">
          <MediaPlayButton noTooltip />
          <MediaTimeRange />
          <MediaTimeDisplay showDuration noToggle />
          <MediaMuteButton noTooltip />
          <MediaVolumeRange className="player-volume" />
        </MediaControlBar>
      </MediaController>
      <Help isShown={showsHelp} onClose={() => setShowsHelp(false)} />
    </div>
  );
}
