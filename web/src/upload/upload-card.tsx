/** One upload: picture, name, what it is doing in words and a bar, the link as soon as there is one, what can be done. */
import { Link } from '@tanstack/react-router';
import { Check, Pause, Play, RotateCcw, X, type LucideIcon } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { formatBytes } from '../../../src/base/units.ts';
import { announce } from '../app/announcer.ts';
import { inBackground } from '../app/problems.ts';
import { Button, IconButton } from '../components/button.tsx';
import { CopyButton } from '../components/copy.tsx';
import { Confirm } from '../components/dialog.tsx';
import { FileName } from '../components/file-name.tsx';
import { useErrorText } from '../components/notice.tsx';
import { Poster } from '../components/poster.tsx';
import { Progress } from '../components/progress.tsx';
import { formatSpeed, formatTimeLeft, percentOf } from '../lib/format.ts';
import { speedOf } from '../lib/speed.ts';
import { actionsOf, type UploadAction, type UploadItem } from './item.ts';
import { provideFile, uploads } from './store.ts';

/** Bytes done of the step the item is in. */
export function doneBytes(item: UploadItem): number {
  return item.phase.kind === 'hashing' ? item.hashedBytes : item.sentBytes;
}

/** What the item is doing, in one line. */
function usePhaseText(item: UploadItem): string {
  const { t } = useTranslation();
  const errorText = useErrorText();
  const { phase } = item;
  const percent = percentOf(doneBytes(item), item.sizeBytes);
  switch (phase.kind) {
    case 'queued':
      return t('uploads.queued');
    case 'hashing':
      return t('uploads.hashing', { percent });
    case 'uploading':
      return t('uploads.uploading', { percent });
    case 'waiting':
      return t('uploads.waiting');
    case 'paused':
      return t('uploads.paused', { percent });
    case 'needs-file':
      return t(phase.how === 'ask' ? 'uploads.ask' : 'uploads.pick');
    case 'failed':
      return errorText(phase.code, phase.message);
    case 'stored':
      return t('uploads.stored');
  }
}

/** `12 MiB of 80 MiB · 3 MiB/s · 20 s left`, as far as it is known. */
function Figures({ item }: { readonly item: UploadItem }) {
  const { t } = useTranslation();
  const speed = speedOf(item.speed);
  const done = doneBytes(item);
  const left = formatTimeLeft(item.sizeBytes - done, speed);
  const isMoving = speed >= 1 && (item.phase.kind === 'uploading' || item.phase.kind === 'hashing');
  const parts = [
    item.phase.kind === 'stored'
      ? formatBytes(item.sizeBytes)
      : t('uploads.of', { done: formatBytes(done), total: formatBytes(item.sizeBytes) }),
    isMoving ? formatSpeed(speed) : undefined,
    isMoving && left !== undefined ? t('uploads.left', { time: left }) : undefined,
  ];
  return <p className="numeric text-xs text-muted">{parts.filter((part) => part !== undefined).join(' · ')}</p>;
}

/** Speaks progress and endings to screen readers. */
function useSpokenProgress(item: UploadItem): void {
  const { t } = useTranslation();
  const { name, phase } = item;
  const percent = percentOf(item.sentBytes, item.sizeBytes);
  useEffect(() => {
    if (phase.kind === 'uploading') announce(t('uploads.spokenProgress', { name, percent }));
    if (phase.kind === 'stored') announce(t('uploads.spokenStored', { name }));
    if (phase.kind === 'failed') announce(t('uploads.spokenFailed', { name }));
  }, [phase.kind, percent, name, t]);
}

const ICONS: Readonly<
  Record<
    Exclude<UploadAction, 'provide-file'>,
    { icon: LucideIcon; label: `uploads.${'pause' | 'resume' | 'retry' | 'cancel' | 'dismiss'}` }
  >
> = {
  pause: { icon: Pause, label: 'uploads.pause' },
  resume: { icon: Play, label: 'uploads.resume' },
  retry: { icon: RotateCcw, label: 'uploads.retry' },
  cancel: { icon: X, label: 'uploads.cancel' },
  dismiss: { icon: Check, label: 'uploads.dismiss' },
};

function Actions({ item }: { readonly item: UploadItem }) {
  const { t } = useTranslation();
  const [asksToCancel, setAsksToCancel] = useState(false);
  const { id, name, phase } = item;
  const how = phase.kind === 'needs-file' ? phase.how : 'pick';
  const act: Readonly<Record<UploadAction, () => void>> = {
    pause: () => uploads.pause(id),
    resume: () => uploads.resume(id),
    retry: () => uploads.resume(id),
    'provide-file': () => inBackground(provideFile(id, how)),
    cancel: () => setAsksToCancel(true),
    dismiss: () => uploads.dismiss(id),
  };
  return (
    <div className="flex flex-none items-center">
      {actionsOf(phase).map((action) =>
        action === 'provide-file' ? (
          <Button key={action} weight="primary" onClick={act[action]}>
            {t(how === 'ask' ? 'uploads.giveConsent' : 'uploads.pickAgain')}
          </Button>
        ) : (
          <IconButton
            key={action}
            icon={ICONS[action].icon}
            label={t(ICONS[action].label, { name })}
            onClick={act[action]}
          />
        ),
      )}
      <Confirm
        isOpen={asksToCancel}
        onClose={() => setAsksToCancel(false)}
        onConfirm={() => inBackground(uploads.cancel(id))}
        title={t('uploads.cancelTitle')}
        body={t('uploads.cancelBody', { name })}
        yes={t('uploads.cancelYes')}
        no={t('uploads.cancelNo')}
      />
    </div>
  );
}

function ShareLine({ item }: { readonly item: UploadItem }) {
  const { t } = useTranslation();
  if (item.hash === undefined) return null;
  const link = new URL(`/m/${item.hash.sha256}`, location.href).href;
  const isSeeding = item.hash.infoHash !== undefined && item.phase.kind !== 'needs-file';
  return (
    <div className="mt-3 border-t border-line pt-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <Link
          to="/m/$sha256"
          params={{ sha256: item.hash.sha256 }}
          data-testid="media-link"
          data-value={link}
          dir="ltr"
          className="min-w-0 flex-1 basis-40 truncate font-mono text-xs text-muted underline decoration-line-strong underline-offset-4 hover:text-ink"
        >
          {link}
        </Link>
        <CopyButton text={link} what={t('uploads.link')} weight={item.phase.kind === 'stored' ? 'primary' : 'quiet'} />
      </div>
      {isSeeding && (
        <p className="mt-2 flex items-center gap-2 text-xs text-alive">
          <span className="alive-dot" />
          {t('uploads.alive')}
        </p>
      )}
      {isSeeding && item.phase.kind !== 'stored' && (
        <p className="mt-1 text-xs text-muted">
          {t('uploads.linkEarly')} {t('uploads.keepOpen')}
        </p>
      )}
    </div>
  );
}

export function UploadCard({ item }: { readonly item: UploadItem }) {
  const { t } = useTranslation();
  const phaseText = usePhaseText(item);
  useSpokenProgress(item);
  const done = doneBytes(item);
  const isBad = item.phase.kind === 'failed';
  return (
    <li className="rounded-card border border-line bg-surface p-4 shadow-card sm:p-5" data-phase={item.phase.kind}>
      <div className="flex items-start gap-4">
        <div className="hidden aspect-video w-28 flex-none overflow-hidden rounded-control sm:block">
          <Poster sha256={item.hash?.sha256} type={item.type} />
        </div>
        <div className="min-w-0 flex-1">
          <div className="flex items-center gap-2">
            <div className="min-w-0 flex-1">
              <FileName name={item.name} className="font-medium" />
              <p className={`mt-0.5 text-sm ${isBad ? 'text-danger' : 'text-muted'}`}>{phaseText}</p>
            </div>
            <Actions item={item} />
          </div>
          <div className="mt-3 flex flex-col gap-1.5">
            <Progress
              label={t('uploads.progressOf', { name: item.name })}
              value={done}
              max={item.sizeBytes}
              text={phaseText}
              testId="upload-progress"
            />
            <Figures item={item} />
          </div>
        </div>
      </div>
      <ShareLine item={item} />
    </li>
  );
}
