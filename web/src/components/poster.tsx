/** A medium's picture on a card: a frame kept in this browser, the image itself when small, else a landscape from the hash. */
import { Archive, AudioLines, File, FileText, Image, Video, type LucideIcon } from 'lucide-react';
import { useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Sha256 } from '../../../src/base/ids.ts';
import { KIB } from '../../../src/base/units.ts';
import { FIELD_HEIGHT, FIELD_WIDTH, fieldOf, plainField } from '../lib/field-art.ts';
import { kindOf, type MediaKind } from '../lib/media-kind.ts';
import { loadPoster } from '../lib/poster.ts';
import { inBackground } from '../app/problems.ts';

/** Larger images are not fetched just to fill a card. */
const INLINE_IMAGE_BYTES = 512 * KIB;

const ICONS: Readonly<Record<MediaKind, LucideIcon>> = {
  video: Video,
  audio: AudioLines,
  image: Image,
  document: FileText,
  archive: Archive,
  other: File,
};

/** The icon of a MIME type, with its kind as the name. */
export function KindIcon({ type, size = 16 }: { readonly type: string; readonly size?: number }) {
  const { t } = useTranslation();
  const kind = kindOf(type);
  const Icon = ICONS[kind];
  return (
    <>
      <Icon aria-hidden size={size} className="flex-none" />
      <span className="sr-only">{t(`media.kind.${kind}`)}</span>
    </>
  );
}

/** An object URL of the kept poster, released with the component. */
export function usePosterUrl(sha256: Sha256 | undefined): string | undefined {
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    if (sha256 === undefined) return undefined;
    let isGone = false;
    let made: string | undefined;
    const load = async (): Promise<void> => {
      const poster = await loadPoster(sha256);
      if (poster === undefined || isGone) return;
      made = URL.createObjectURL(poster);
      setUrl(made);
    };
    inBackground(load());
    return () => {
      isGone = true;
      if (made !== undefined) URL.revokeObjectURL(made);
      setUrl(undefined);
    };
  }, [sha256]);
  return url;
}

/** The landscape drawn from the hash. */
export function FieldPicture({ sha256 }: { readonly sha256: Sha256 | undefined }) {
  const art = useMemo(() => (sha256 === undefined ? plainField : fieldOf(sha256)), [sha256]);
  return (
    <svg
      aria-hidden
      viewBox={`0 0 ${FIELD_WIDTH} ${FIELD_HEIGHT}`}
      preserveAspectRatio="xMidYMid slice"
      className="field-picture size-full"
      style={{ '--hue': art.hue }}
    >
      <rect width={FIELD_WIDTH} height={FIELD_HEIGHT} className="field-sky" />
      <circle cx={art.sun.x} cy={art.sun.y} r={art.sun.radius} className="field-sun" />
      {art.hills.map((path, index) => (
        <path key={path} d={path} className={`field-hill-${index}`} />
      ))}
    </svg>
  );
}

interface PosterProps {
  readonly sha256: Sha256 | undefined;
  readonly type: string;
  /** Of the image itself, and its size, where it may be shown directly. */
  readonly image?: { readonly url: string; readonly sizeBytes: number };
}

export function Poster({ sha256, type, image }: PosterProps) {
  const kept = usePosterUrl(sha256);
  const isSmallImage = kindOf(type) === 'image' && image !== undefined && image.sizeBytes <= INLINE_IMAGE_BYTES;
  const src = kept ?? (isSmallImage ? image.url : undefined);
  const [failedSrc, setFailedSrc] = useState<string>();
  if (src === undefined || src === failedSrc) return <FieldPicture sha256={sha256} />;
  return (
    <img
      src={src}
      alt=""
      loading="lazy"
      decoding="async"
      onError={() => setFailedSrc(src)}
      className="size-full object-cover"
    />
  );
}
