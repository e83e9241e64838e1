/** What is shown when a page fails to load or draw: what happened, and a way on. */
import type { ErrorComponentProps } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { Button } from '../components/button.tsx';
import { ErrorNotice } from '../components/notice.tsx';

export function CrashPage({ error }: ErrorComponentProps) {
  const { t } = useTranslation();
  return (
    <div className="mx-auto flex max-w-xl flex-col gap-4 px-4 py-16">
      <h1 className="text-2xl font-semibold">{t('app.newVersion')}</h1>
      <ErrorNotice error={error} />
      <div>
        <Button weight="primary" onClick={() => location.reload()}>
          {t('app.reload')}
        </Button>
      </div>
    </div>
  );
}
