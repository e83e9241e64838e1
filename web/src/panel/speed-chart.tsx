/** The last minute's download speed: peers (violet) and server (grey), stacked; one reading a second. */
import { useEffect, useEffectEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { formatSpeed } from '../lib/format.ts';
import { addPoint, sparkPaths, type SpeedPoint } from '../lib/sparkline.ts';
import type { SwarmStats } from '../swarm/index.ts';

const WIDTH = 300;
const HEIGHT = 56;
const READ_EVERY_MS = 1_000;

/** Follows the speeds from the moment the page is open, so that the chart has a past when it is looked at. */
export function useSpeedHistory(stats: SwarmStats | undefined): readonly SpeedPoint[] {
  const [history, setHistory] = useState<readonly SpeedPoint[]>([]);
  const read = useEffectEvent(() => {
    const { fromPeersBytesPerSec = 0, fromHttpBytesPerSec = 0 } = stats ?? {};
    setHistory((old) => addPoint(old, { fromPeers: fromPeersBytesPerSec, fromHttp: fromHttpBytesPerSec }));
  });
  useEffect(() => {
    const timer = setInterval(() => read(), READ_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return history;
}

interface SpeedChartProps {
  readonly stats: SwarmStats;
  readonly history: readonly SpeedPoint[];
}

export function SpeedChart({ stats, history }: SpeedChartProps) {
  const { t } = useTranslation();
  const paths = sparkPaths(history, WIDTH, HEIGHT);
  const label = t('panel.chart', {
    peers: formatSpeed(stats.fromPeersBytesPerSec),
    http: formatSpeed(stats.fromHttpBytesPerSec),
  });
  return (
    <figure>
      <svg
        role="img"
        aria-label={label}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        className="h-14 w-full rounded-small bg-sunken"
      >
        <path d={paths.http} fill="var(--color-line-strong)" opacity={0.7} />
        <path d={paths.peers} fill="var(--color-alive)" />
      </svg>
      <figcaption aria-hidden className="mt-1.5 flex gap-4 text-xs text-muted">
        <span className="flex items-center gap-1.5">
          <span className="size-2 rounded-full bg-alive" />
          {t('panel.fromPeers')}
        </span>
        <span className="flex items-center gap-1.5">
          <span className="size-2 rounded-full bg-line-strong" />
          {t('panel.fromHttp')}
        </span>
      </figcaption>
    </figure>
  );
}
