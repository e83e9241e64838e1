/** The uploads of this tab, newest first. */
import { useTranslation } from 'react-i18next';
import { useUploads } from './list.ts';
import { UploadCard } from './upload-card.tsx';

export function UploadList() {
  const { t } = useTranslation();
  const items = useUploads((state) => state.items);
  if (items.length === 0) return null;
  return (
    <section aria-labelledby="uploads">
      <h2 id="uploads" className="mb-4 text-lg font-semibold">
        {t('uploads.title')}
      </h2>
      <ul className="flex flex-col gap-3">
        {items.map((item) => (
          <UploadCard key={item.id} item={item} />
        ))}
      </ul>
    </section>
  );
}
