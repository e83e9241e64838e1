/** An image, fitted to the page; a click shows it at its own size. */
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { DownloadCard } from './download-card.tsx';
import type { ViewerProps } from './viewer.tsx';

export function ImageViewer({ medium, opened, fills = false }: ViewerProps) {
  const { t } = useTranslation();
  const [isZoomed, setZoomed] = useState(false);
  const [src, setSrc] = useState(opened.src);
  const [isHopeless, setHopeless] = useState(false);
  if (isHopeless) return <DownloadCard medium={medium} reason="cannotPlay" />;
  const fallBack = (): void => (src === medium.url ? setHopeless(true) : setSrc(medium.url));
  return (
    <div className={`flex overflow-auto bg-stage ${fills ? 'h-dvh' : 'max-h-[80dvh] rounded-card'}`}>
      <button
        type="button"
        aria-label={t(isZoomed ? 'medium.zoomOut' : 'medium.zoomIn')}
        onClick={() => setZoomed(!isZoomed)}
        className={`m-auto block ${isZoomed ? 'cursor-zoom-out' : 'max-w-full cursor-zoom-in'}`}
      >
        <img
          src={src}
          alt={medium.name}
          onError={fallBack}
          className={isZoomed ? 'max-w-none' : `max-w-full object-contain ${fills ? 'max-h-dvh' : 'max-h-[80dvh]'}`}
        />
      </button>
    </div>
  );
}
