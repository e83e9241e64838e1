/** Media as cards: picture, kind, name, size, peers. */
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import type { MediumInfo } from '../../../src/base/api.ts';
import { formatBytes } from '../../../src/base/units.ts';
import { FileName } from './file-name.tsx';
import { KindIcon, Poster } from './poster.tsx';
import { useWhen } from './when.ts';

/** Everyone our tracker sees in the medium's swarm. */
export function peersOf(medium: MediumInfo): number {
  return medium.swarm.seeders + medium.swarm.leechers;
}

function MediaCard({ medium }: { readonly medium: MediumInfo }) {
  const { t } = useTranslation();
  const when = useWhen(medium.createdAtMs);
  const peers = peersOf(medium);
  return (
    <li className="min-w-0">
      <Link
        to="/m/$sha256"
        params={{ sha256: medium.sha256 }}
        className="group block overflow-hidden rounded-card border border-line bg-surface shadow-card transition-colors duration-150 hover:border-line-strong"
      >
        <div className="relative aspect-video overflow-hidden bg-sunken">
          <Poster sha256={medium.sha256} type={medium.type} image={medium} />
          <span className="absolute start-2 bottom-2 flex items-center gap-1.5 rounded-full bg-stage/75 px-2 py-1 text-xs text-on-stage">
            <KindIcon type={medium.type} size={14} />
            {medium.state === 'uploading' ? t('media.uploading') : formatBytes(medium.sizeBytes)}
          </span>
        </div>
        <div className="p-3">
          <FileName name={medium.name} className="text-sm font-medium" />
          <p className="mt-1 flex items-center justify-between gap-2 text-xs text-muted">
            <span className="truncate">{when}</span>
            {peers > 0 && (
              <span className="numeric flex flex-none items-center gap-1.5 text-alive">
                <span className="alive-dot" />
                {t('media.peers', { count: peers })}
              </span>
            )}
          </p>
        </div>
      </Link>
    </li>
  );
}

export function MediaGrid({ media }: { readonly media: readonly MediumInfo[] }) {
  return (
    <ul className="grid grid-cols-[repeat(auto-fill,minmax(min(45%,15rem),1fr))] gap-3 sm:gap-5">
      {media.map((medium) => (
        <MediaCard key={medium.sha256} medium={medium} />
      ))}
    </ul>
  );
}

/** The grid's shape while the list loads. */
export function MediaGridSkeleton() {
  return (
    <div aria-hidden className="grid grid-cols-[repeat(auto-fill,minmax(min(45%,15rem),1fr))] gap-3 sm:gap-5">
      {['a', 'b', 'c', 'd'].map((key) => (
        <div key={key} className="overflow-hidden rounded-card border border-line bg-surface">
          <div className="aspect-video bg-sunken" />
          <div className="h-16" />
        </div>
      ))}
    </div>
  );
}
