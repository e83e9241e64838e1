/** The list of keyboard shortcuts, opened by `?`. */
import { useTranslation } from 'react-i18next';
import { Modal } from '../components/dialog.tsx';
import { SHORTCUT_HELP } from './shortcuts.ts';

export function ShortcutsDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Modal isOpen onClose={onClose} title={t('player.shortcuts')}>
      <dl className="grid grid-cols-[auto_1fr] items-center gap-x-6 gap-y-2.5 text-sm">
        {SHORTCUT_HELP.map(({ keys, name }) => (
          <div key={name} className="contents">
            <dt className="flex gap-1.5">
              {keys.map((key) => (
                <kbd
                  key={key}
                  className="rounded-small border border-line-strong bg-sunken px-2 py-0.5 font-mono text-xs"
                >
                  {key === 'Space' ? t('player.space') : key}
                </kbd>
              ))}
            </dt>
            <dd>{t(`player.${name}`)}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}
