/** `/embed/<sha256>`: the bare player for other people's pages, with a way to the full one. */
import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import type { MediumInfo } from '../../../src/base/api.ts';
import { isSha256, type Sha256 } from '../../../src/base/ids.ts';
import { ApiFailed, codeOf } from '../api/http.ts';
import { mediumQuery } from '../api/queries.ts';
import { useOpenMedium } from '../app/swarm.ts';
import { useErrorText } from '../components/notice.tsx';
import { useTitle } from '../components/page.tsx';
import { Viewer } from '../player/viewer.tsx';

function Message({ text }: { readonly text: string }) {
  return (
    <main className="flex h-dvh items-center justify-center bg-stage p-6 text-center text-on-stage">
      <h1>{text}</h1>
    </main>
  );
}

function EmbeddedMedium({ medium }: { readonly medium: MediumInfo }) {
  const { t } = useTranslation();
  const opened = useOpenMedium(medium);
  useTitle(medium.name);
  return (
    <main className="group relative h-dvh bg-stage">
      <h1 className="sr-only">{medium.name}</h1>
      {opened !== undefined && <Viewer key={opened.src} medium={medium} opened={opened} fills />}
      <a
        href={`/m/${medium.sha256}`}
        target="_blank"
        rel="noopener"
        className="absolute end-3 top-3 max-w-[80%] truncate rounded-full bg-stage/80 px-3 py-1.5 text-xs text-on-stage opacity-0 transition-opacity duration-150 group-hover:opacity-100 focus:opacity-100"
      >
        {t('embed.open', { host: location.host })}
      </a>
    </main>
  );
}

function EmbedOf({ sha256 }: { readonly sha256: Sha256 }) {
  const { t } = useTranslation();
  const words = useErrorText();
  const { data, error } = useQuery(mediumQuery(sha256));
  if (data !== undefined) return <EmbeddedMedium medium={data} />;
  if (error === null) return <Message text={t('app.loading')} />;
  const isGone = error instanceof ApiFailed && error.status === 404;
  return <Message text={isGone ? t('medium.notFoundTitle') : words(codeOf(error), error.message)} />;
}

export function EmbedPage() {
  const { t } = useTranslation();
  const { sha256 = '' } = useParams({ strict: false });
  return isSha256(sha256) ? <EmbedOf sha256={sha256} /> : <Message text={t('medium.badLinkTitle')} />;
}
