/** How fast it plays: one button that goes through the usual speeds. */
import { useEffect, useState, type RefObject } from 'react';
import { useTranslation } from 'react-i18next';
import { playAt } from './playback.ts';

const RATES = [1, 1.25, 1.5, 2, 0.75];

/** The speed after this one; a speed of other origin goes back to normal. */
export function nextRate(rate: number): number {
  return RATES[(RATES.indexOf(rate) + 1) % RATES.length] ?? 1;
}

export function RateButton({ media }: { readonly media: RefObject<HTMLMediaElement | null> }) {
  const { t } = useTranslation();
  const [rate, setRate] = useState(1);
  useEffect(() => {
    const element = media.current;
    const read = (): void => setRate(element?.playbackRate ?? 1);
    element?.addEventListener('ratechange', read);
    return () => element?.removeEventListener('ratechange', read);
  }, [media]);
  const step = (): void => playAt(media.current, nextRate(rate));
  return (
    <button
      type="button"
      aria-label={t('player.rate', { rate })}
      onClick={step}
      className="player-extra min-w-11 self-stretch px-2 text-sm font-medium text-on-stage hover:bg-on-stage/15"
    >
      {rate}×
    </button>
  );
}
