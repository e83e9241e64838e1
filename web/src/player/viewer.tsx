/** The right viewer for a medium. Players load when needed; what has no viewer is a download. */
import { lazy, Suspense } from 'react';
import type { MediumInfo } from '../../../src/base/api.ts';
import { FieldPicture } from '../components/poster.tsx';
import { kindOf } from '../lib/media-kind.ts';
import type { OpenMedium } from '../swarm/index.ts';
import { DownloadCard } from './download-card.tsx';
import { ImageViewer } from './image-viewer.tsx';

export interface ViewerProps {
  readonly medium: MediumInfo;
  readonly opened: OpenMedium;
  /** Takes the whole window (embedding). */
  readonly fills?: boolean;
}

const VideoPlayer = lazy(async () => ({ default: (await import('./video-player.tsx')).VideoPlayer }));
const AudioPlayer = lazy(async () => ({ default: (await import('./video-player.tsx')).AudioPlayer }));

/** Holds the place of a player that is not there yet. */
export function ViewerPlaceholder({ medium }: { readonly medium: MediumInfo }) {
  const kind = kindOf(medium.type);
  if (kind !== 'video' && kind !== 'audio' && kind !== 'image')
    return <DownloadCard medium={medium} reason="noPreview" />;
  return (
    <div className="aspect-video max-h-[75dvh] w-full overflow-hidden rounded-card bg-stage opacity-80">
      <FieldPicture sha256={medium.sha256} />
    </div>
  );
}

function ViewerOf(props: ViewerProps) {
  switch (kindOf(props.medium.type)) {
    case 'video':
      return <VideoPlayer {...props} />;
    case 'audio':
      return <AudioPlayer {...props} />;
    case 'image':
      return <ImageViewer {...props} />;
    case 'document':
    case 'archive':
    case 'other':
      return <DownloadCard medium={props.medium} reason="noPreview" />;
  }
}

export function Viewer(props: ViewerProps) {
  if (props.medium.sizeBytes === 0) return <DownloadCard medium={props.medium} reason="noPreview" />;
  return (
    <Suspense fallback={<ViewerPlaceholder medium={props.medium} />}>
      <ViewerOf key={props.medium.sha256} {...props} />
    </Suspense>
  );
}
