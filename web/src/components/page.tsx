/** The frame of a page's content: document title, heading, width. */
import { useEffect, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';

/** Sets the browser tab's title while mounted; undefined leaves the app's name. */
export function useTitle(page: string | undefined): void {
  const { t } = useTranslation();
  useEffect(() => {
    document.title = page === undefined ? t('app.name') : t('app.title', { page });
  }, [page, t]);
}

interface PageProps {
  readonly title: string;
  readonly lead?: string;
  readonly children: ReactNode;
}

/** A page of text and settings: readable width, one heading. */
export function Page({ title, lead, children }: PageProps) {
  useTitle(title);
  return (
    <div className="mx-auto w-full max-w-3xl px-4 py-8 sm:px-6 sm:py-12">
      <h1 className="text-2xl font-semibold sm:text-3xl">{title}</h1>
      {lead !== undefined && <p className="mt-2 max-w-prose text-muted">{lead}</p>}
      <div className="mt-8 flex flex-col gap-8">{children}</div>
    </div>
  );
}

interface SectionProps {
  readonly title: string;
  readonly children: ReactNode;
}

/** A titled card of a page. */
export function Section({ title, children }: SectionProps) {
  return (
    <section className="rounded-card border border-line bg-surface p-5 shadow-card sm:p-6">
      <h2 className="text-base font-semibold">{title}</h2>
      <div className="mt-4 flex flex-col gap-5">{children}</div>
    </section>
  );
}
