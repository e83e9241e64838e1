/** The whole window takes dropped and pasted files, on every page, from those who may upload. */
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { Upload } from 'lucide-react';
import { useEffect, useEffectEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { sessionQuery } from '../api/queries.ts';
import { inBackground } from '../app/problems.ts';
import { carriesFiles, filesOf } from './pick.ts';

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input, textarea, [contenteditable]') !== null;
}

/** Takes the files of a drop or a paste and shows them on the home page. */
function useTakeFiles(): (transfer: DataTransfer) => void {
  const navigate = useNavigate();
  return (transfer) => {
    const take = async (): Promise<void> => {
      const picked = await filesOf(transfer);
      if (picked.length === 0) return;
      const { uploads } = await import('./store.ts');
      uploads.add(picked);
      await navigate({ to: '/' });
    };
    inBackground(take());
  };
}

export function WholePageDrop() {
  const { t } = useTranslation();
  const { data: session } = useQuery(sessionQuery);
  const [isOver, setOver] = useState(false);
  const take = useEffectEvent(useTakeFiles());
  const mayUpload = session?.mayUpload === true;
  useEffect(() => (mayUpload ? listen(setOver, (transfer) => take(transfer)) : undefined), [mayUpload]);
  if (!isOver) return null;
  return (
    <div className="pointer-events-none fixed inset-0 z-50 flex items-center justify-center bg-scrim p-6">
      <div className="flex flex-col items-center gap-4 rounded-card border-2 border-dashed border-line-strong bg-raised px-12 py-10 text-lg font-semibold shadow-float">
        <Upload aria-hidden size={32} strokeWidth={1.6} />
        {t('drop.over')}
      </div>
    </div>
  );
}

/** Follows drags over the window, and pastes outside text fields, until the returned function is called. */
function listen(setOver: (isOver: boolean) => void, take: (transfer: DataTransfer) => void): () => void {
  const listeners = new AbortController();
  const { signal } = listeners;
  const over = (event: DragEvent): void => {
    if (!carriesFiles(event.dataTransfer)) return;
    event.preventDefault();
    setOver(true);
  };
  addEventListener('dragenter', over, { signal });
  addEventListener('dragover', over, { signal });
  addEventListener('dragleave', (event) => event.relatedTarget === null && setOver(false), { signal });
  addEventListener(
    'drop',
    (event) => {
      setOver(false);
      if (event.dataTransfer === null || !carriesFiles(event.dataTransfer)) return;
      event.preventDefault();
      take(event.dataTransfer);
    },
    { signal },
  );
  addEventListener(
    'paste',
    (event) => {
      if (!carriesFiles(event.clipboardData) || event.clipboardData === null || isTyping(event.target)) return;
      event.preventDefault();
      take(event.clipboardData);
    },
    { signal },
  );
  return () => listeners.abort();
}
