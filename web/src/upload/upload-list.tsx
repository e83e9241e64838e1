/** The uploads of this tab, newest first; brings back what an earlier visit left unfinished. */
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { inBackground } from '../app/problems.ts';
import { useUploads } from './list.ts';
import { uploads } from './store.ts';
import { UploadCard } from './upload-card.tsx';

let restored: Promise<void> | undefined;

export function UploadList() {
  const { t } = useTranslation();
  const items = useUploads((state) => state.items);
  useEffect(() => {
    restored ??= uploads.restore();
    inBackground(restored);
  }, []);
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
