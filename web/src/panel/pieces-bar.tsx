/** Which pieces are held, as a bar; each place shows how much of it is here. */
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { pieceRuns } from '../lib/pieces.ts';

const BUCKETS = 240;

interface PiecesBarProps {
  readonly label: string;
  readonly pieces: Uint8Array;
  readonly pieceCount: number;
}

export function PiecesBar({ label, pieces, pieceCount }: PiecesBarProps) {
  const { t } = useTranslation();
  const runs = useMemo(() => pieceRuns(pieces, pieceCount, BUCKETS), [pieces, pieceCount]);
  return (
    <div>
      <div className="mb-1.5 flex justify-between gap-3 text-xs text-muted">
        <span>{t('panel.pieces')}</span>
        <span className="numeric truncate">{label}</span>
      </div>
      <svg
        role="img"
        aria-label={label}
        viewBox="0 0 1 1"
        preserveAspectRatio="none"
        className="h-5 w-full rounded-small bg-line"
      >
        {runs.map(({ start, end, held }) => (
          <rect
            key={start}
            x={start}
            width={end - start}
            height={1}
            fill="var(--color-alive)"
            opacity={0.25 + held * 0.75}
          />
        ))}
      </svg>
    </div>
  );
}
