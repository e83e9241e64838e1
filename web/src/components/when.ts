/** Moments in words, as of when the component appeared: they need not tick. */
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { formatWhen } from '../lib/format.ts';

export function useWhen(atMs: number): string {
  const { i18n } = useTranslation();
  const [nowMs] = useState(() => Date.now());
  return formatWhen(atMs, nowMs, i18n.language);
}
