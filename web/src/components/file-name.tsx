/** A file's name on one line: a long stem is cut, the extension stays; the whole name is in the tooltip. */
import { useTranslation } from 'react-i18next';
import { splitName } from '../lib/format.ts';

/** Names are other people's text: direction is theirs, and nothing in them is markup. */
export function FileName({ name, className = '' }: { readonly name: string; readonly className?: string }) {
  const { t } = useTranslation();
  const shown = name.trim() === '' ? t('media.untitled') : name;
  const { stem, extension } = splitName(shown);
  return (
    <bdi className={`flex min-w-0 ${className}`} title={shown}>
      <span className="truncate">{stem}</span>
      <span dir="ltr" className="flex-none">
        {extension}
      </span>
    </bdi>
  );
}
