/** `/m/<sha256>`: one medium. The viewer first; what it is; how to share it; how it lives in the swarm. */
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { CloudOff, Link2Off, SearchX, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { MediumInfo } from '../../../src/base/api.ts';
import { isSha256, type Sha256 } from '../../../src/base/ids.ts';
import { formatBytes } from '../../../src/base/units.ts';
import { ApiFailed, codeOf } from '../api/http.ts';
import { deleteMedium, mediumQuery } from '../api/queries.ts';
import { announce } from '../app/announcer.ts';
import { inBackground } from '../app/problems.ts';
import { useOpenMedium, useSwarmSettings } from '../app/swarm.ts';
import { Button, ButtonLink } from '../components/button.tsx';
import { Confirm } from '../components/dialog.tsx';
import { EmptyState, Notice, useErrorText } from '../components/notice.tsx';
import { useTitle } from '../components/page.tsx';
import { KindIcon } from '../components/poster.tsx';
import { percentOf } from '../lib/format.ts';
import { useWhen } from '../components/when.ts';
import { LivePanel } from '../panel/live-panel.tsx';
import { DownloadLink } from '../player/download-card.tsx';
import { Viewer, ViewerPlaceholder } from '../player/viewer.tsx';
import { SharePanel } from '../share/share-panel.tsx';

function DeleteButton({ medium }: { readonly medium: MediumInfo }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [asks, setAsks] = useState(false);
  const remove = async (): Promise<void> => {
    await deleteMedium(medium.sha256);
    announce(t('medium.deleted'));
    await navigate({ to: '/' });
  };
  return (
    <>
      <Button weight="danger" icon={Trash2} onClick={() => setAsks(true)}>
        {t('medium.delete')}
      </Button>
      <Confirm
        isOpen={asks}
        onClose={() => setAsks(false)}
        onConfirm={() => inBackground(remove())}
        title={t('medium.deleteTitle')}
        body={t('medium.deleteBody', { name: medium.name })}
        yes={t('medium.deleteYes')}
        no={t('medium.deleteNo')}
      />
    </>
  );
}

function Heading({ medium }: { readonly medium: MediumInfo }) {
  const { t } = useTranslation();
  const when = useWhen(medium.createdAtMs);
  const name = medium.name.trim() === '' ? t('media.untitled') : medium.name;
  return (
    <div>
      <h1 className="line-clamp-3 text-xl font-semibold wrap-anywhere sm:text-2xl" title={name}>
        <bdi>{name}</bdi>
      </h1>
      <p className="mt-1.5 flex flex-wrap items-center gap-x-2 gap-y-1 text-sm text-muted">
        <KindIcon type={medium.type} />
        <span className="numeric">{formatBytes(medium.sizeBytes)}</span>
        <span aria-hidden>·</span>
        <span>{medium.type}</span>
        <span aria-hidden>·</span>
        <span>{t('medium.published', { when })}</span>
      </p>
    </div>
  );
}

function ArrivingNote({ medium }: { readonly medium: MediumInfo }) {
  const { t } = useTranslation();
  const { settings } = useSwarmSettings();
  if (medium.state === 'stored') return null;
  const percent = percentOf(medium.storedBytes, medium.sizeBytes);
  return (
    <Notice>{t(settings?.httpOnly === true ? 'medium.uploadingHttpOnly' : 'medium.uploadingNote', { percent })}</Notice>
  );
}

function OneMedium({ medium }: { readonly medium: MediumInfo }) {
  const opened = useOpenMedium(medium);
  useTitle(medium.name);
  return (
    <article className="mx-auto grid w-full max-w-7xl gap-6 px-0 pb-8 sm:px-6 sm:pt-6 lg:grid-cols-[minmax(0,1fr)_21rem] lg:gap-8">
      <div className="flex min-w-0 flex-col gap-5">
        <div className="max-sm:[&_.rounded-card]:rounded-none">
          {opened === undefined ? (
            <ViewerPlaceholder medium={medium} />
          ) : (
            <Viewer key={opened.src} medium={medium} opened={opened} />
          )}
        </div>
        <div className="flex flex-col gap-5 px-4 sm:px-0">
          <ArrivingNote medium={medium} />
          <Heading medium={medium} />
          <div className="flex flex-wrap gap-3">
            <DownloadLink medium={medium} weight="quiet" />
            {medium.mayDelete && <DeleteButton medium={medium} />}
          </div>
        </div>
      </div>
      <aside className="flex min-w-0 flex-col gap-5 px-4 sm:px-0">
        <SharePanel medium={medium} />
        <LivePanel medium={medium} />
      </aside>
    </article>
  );
}

function Failure({ error, onRetry }: { readonly error: Error; readonly onRetry: () => void }) {
  const { t } = useTranslation();
  const words = useErrorText();
  const isGone = error instanceof ApiFailed && (error.status === 404 || error.status === 410);
  useTitle(t(isGone ? 'medium.notFoundTitle' : 'medium.failedTitle'));
  return (
    <EmptyState
      level={1}
      icon={isGone ? SearchX : CloudOff}
      title={t(isGone ? 'medium.notFoundTitle' : 'medium.failedTitle')}
      lead={isGone ? t('medium.notFoundLead') : words(codeOf(error), error.message)}
    >
      <Button onClick={onRetry}>{t('app.tryAgain')}</Button>
      <ButtonLink to="/" weight="primary">
        {t('notFound.home')}
      </ButtonLink>
    </EmptyState>
  );
}

function MediumOf({ sha256 }: { readonly sha256: Sha256 }) {
  const { t } = useTranslation();
  const { data, error, refetch } = useQuery(mediumQuery(sha256));
  if (data !== undefined) return <OneMedium key={sha256} medium={data} />;
  if (error !== null) return <Failure error={error} onRetry={() => inBackground(refetch())} />;
  return <output className="block px-6 py-24 text-center text-muted">{t('app.loading')}</output>;
}

export function MediumPage() {
  const { t } = useTranslation();
  const { sha256 } = useParams({ strict: false });
  const folded = sha256?.toLowerCase() ?? '';
  if (isSha256(folded)) return <MediumOf sha256={folded} />;
  return <EmptyState level={1} icon={Link2Off} title={t('medium.badLinkTitle')} lead={t('medium.badLinkLead')} />;
}
