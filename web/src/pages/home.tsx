/** `/`: publish files, watch them go up, see what is here. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { recentMediaQuery, sessionQuery } from '../api/queries.ts';
import { Button } from '../components/button.tsx';
import { MediaGrid, MediaGridSkeleton } from '../components/media-grid.tsx';
import { EmptyState, ErrorNotice } from '../components/notice.tsx';
import { useTitle } from '../components/page.tsx';
import { useUploads } from '../upload/list.ts';
import { PublishBox } from '../upload/publish-box.tsx';

const UploadList = lazy(async () => ({ default: (await import('../upload/upload-list.tsx')).UploadList }));

function RecentMedia() {
  const { t } = useTranslation();
  const { data: session } = useQuery(sessionQuery);
  const { data, error, isPending, hasNextPage, isFetchingNextPage, fetchNextPage, refetch } =
    useInfiniteQuery(recentMediaQuery);
  if (isPending) return <MediaGridSkeleton />;
  if (error !== null && data === undefined)
    return <ErrorNotice error={error} action={<Button onClick={() => void refetch()}>{t('app.tryAgain')}</Button>} />;
  const media = data.pages.flatMap((page) => page.media);
  if (media.length === 0) {
    const lead = t(session?.mayUpload === true ? 'media.emptyLead' : 'media.emptyGuest');
    return <EmptyState title={t('media.empty')} lead={lead} />;
  }
  return (
    <>
      <MediaGrid media={media} />
      {hasNextPage && (
        <div className="mt-8 text-center">
          <Button disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            {t('media.more')}
          </Button>
        </div>
      )}
    </>
  );
}

export function HomePage() {
  const { t } = useTranslation();
  const hasUploads = useUploads((state) => state.items.length > 0);
  useTitle(undefined);
  return (
    <div className="mx-auto flex w-full max-w-7xl flex-col gap-10 px-4 py-6 sm:px-6 sm:py-10">
      <PublishBox />
      {hasUploads && (
        <Suspense>
          <UploadList />
        </Suspense>
      )}
      <section aria-labelledby="recent">
        <h2 id="recent" className="mb-4 text-lg font-semibold">
          {t('media.recent')}
        </h2>
        <RecentMedia />
      </section>
    </div>
  );
}
