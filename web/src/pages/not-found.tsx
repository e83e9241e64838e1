/** What every unknown address shows. */
import { MapPinOff } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { ButtonLink } from '../components/button.tsx';
import { EmptyState } from '../components/notice.tsx';
import { useTitle } from '../components/page.tsx';

export function NotFoundPage() {
  const { t } = useTranslation();
  useTitle(t('notFound.title'));
  return (
    <EmptyState level={1} icon={MapPinOff} title={t('notFound.title')} lead={t('notFound.lead')}>
      <ButtonLink to="/" weight="primary">
        {t('notFound.home')}
      </ButtonLink>
    </EmptyState>
  );
}
