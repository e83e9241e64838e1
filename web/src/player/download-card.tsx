/** For what has no viewer here: says so, and offers the file. */
import { Download } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import type { MediumInfo } from '../../../src/base/api.ts';
import { formatBytes } from '../../../src/base/units.ts';
import { buttonClass } from '../components/button.tsx';
import { KindIcon } from '../components/poster.tsx';

interface DownloadCardProps {
  readonly medium: MediumInfo;
  readonly reason: 'noPreview' | 'cannotPlay';
}

/** Saves the file under its own name; only what the server has wholly can be saved. */
export function DownloadLink({
  medium,
  weight,
}: {
  readonly medium: MediumInfo;
  readonly weight: 'primary' | 'quiet';
}) {
  const { t } = useTranslation();
  if (medium.state !== 'stored') return null;
  return (
    <a href={medium.url} download={medium.name} className={buttonClass(weight)}>
      <Download aria-hidden size={17} />
      {t('medium.download')} <span className="numeric opacity-70">{formatBytes(medium.sizeBytes)}</span>
    </a>
  );
}

export function DownloadCard({ medium, reason }: DownloadCardProps) {
  const { t } = useTranslation();
  const isEmpty = medium.sizeBytes === 0;
  return (
    <div className="flex flex-col items-center justify-center gap-2 rounded-card border border-line bg-sunken px-6 py-16 text-center">
      <span className="text-muted">
        <KindIcon type={medium.type} size={40} />
      </span>
      <p className="mt-2 font-medium">{isEmpty ? t('medium.empty') : t(`medium.${reason}`)}</p>
      {!isEmpty && <p className="max-w-md text-sm text-muted">{t(`medium.${reason}Lead`)}</p>}
      <div className="mt-4">
        <DownloadLink medium={medium} weight="primary" />
      </div>
    </div>
  );
}
