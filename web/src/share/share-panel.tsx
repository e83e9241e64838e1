/** Everything a person may want to send: link, magnet, .torrent, QR, embed code, the system's share sheet. */
import { Code, Magnet, QrCode, Share2, FileDown } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { MediumInfo } from '../../../src/base/api.ts';
import { inBackground } from '../app/problems.ts';
import { Button, buttonClass } from '../components/button.tsx';
import { CopyButton, CopyField } from '../components/copy.tsx';
import { embedCode, pageLink } from '../lib/share-text.ts';

const QrDialog = lazy(async () => ({ default: (await import('./qr-dialog.tsx')).QrDialog }));

async function sendBySystem(name: string, url: string): Promise<void> {
  try {
    await navigator.share({ title: name, url });
  } catch (error) {
    const isClosed = error instanceof DOMException && error.name === 'AbortError';
    if (!isClosed) throw error;
  }
}

function MainLink({ link }: { readonly link: string }) {
  const { t } = useTranslation();
  return (
    <div className="flex items-center gap-2">
      <a
        href={link}
        data-testid="media-link"
        data-value={link}
        dir="ltr"
        className="min-w-0 flex-1 truncate rounded-control border border-line bg-sunken px-3 py-2.5 font-mono text-xs text-muted"
      >
        {link}
      </a>
      <CopyButton text={link} what={t('medium.link')} weight="primary" />
    </div>
  );
}

function TorrentLinks({ torrent }: { readonly torrent: NonNullable<MediumInfo['torrent']> }) {
  const { t } = useTranslation();
  return (
    <>
      <div className="flex items-center gap-2">
        <a
          href={torrent.magnet}
          data-testid="magnet-link"
          data-value={torrent.magnet}
          className={`${buttonClass('quiet')} min-w-0 flex-1`}
        >
          <Magnet aria-hidden size={17} className="flex-none" />
          <span className="truncate">{t('medium.magnet')}</span>
        </a>
        <CopyButton text={torrent.magnet} what={t('medium.magnet')} />
      </div>
      <a
        href={torrent.torrentUrl}
        data-testid="torrent-link"
        data-value={torrent.torrentUrl}
        className={buttonClass('quiet')}
      >
        <FileDown aria-hidden size={17} />
        {t('medium.torrent')}
      </a>
    </>
  );
}

export function SharePanel({ medium }: { readonly medium: MediumInfo }) {
  const { t } = useTranslation();
  const [showsQr, setShowsQr] = useState(false);
  const [showsEmbed, setShowsEmbed] = useState(false);
  const link = pageLink(location.origin, medium.sha256);
  const canSend = typeof navigator.share === 'function';
  return (
    <section aria-labelledby="share" className="rounded-card border border-line bg-surface p-5 shadow-card">
      <h2 id="share" className="text-base font-semibold">
        {t('medium.share')}
      </h2>
      <div className="mt-4 flex flex-col gap-3">
        <MainLink link={link} />
        {medium.torrent !== undefined && <TorrentLinks torrent={medium.torrent} />}
        <div className="grid grid-cols-2 gap-3">
          <Button icon={QrCode} aria-haspopup="dialog" onClick={() => setShowsQr(true)}>
            {t('medium.qr')}
          </Button>
          <Button icon={Code} aria-expanded={showsEmbed} onClick={() => setShowsEmbed(!showsEmbed)}>
            {t('medium.embed')}
          </Button>
        </div>
        {showsEmbed && (
          <CopyField
            text={embedCode(location.origin, medium.sha256, medium.name)}
            what={t('medium.embed')}
            testId="embed-code"
          />
        )}
        {canSend && (
          <Button icon={Share2} onClick={() => inBackground(sendBySystem(medium.name, link))}>
            {t('medium.send')}
          </Button>
        )}
      </div>
      {showsQr && (
        <Suspense>
          <QrDialog link={link} onClose={() => setShowsQr(false)} />
        </Suspense>
      )}
    </section>
  );
}
