/** The live panel of a medium: peers and the split of bytes at a glance; speeds, pieces and a small chart a click away. */
import { ChevronDown } from 'lucide-react';
import { useEffect, useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { MediumInfo } from '../../../src/base/api.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { formatBytes } from '../../../src/base/units.ts';
import { mediumQuery, queryClient } from '../api/queries.ts';
import { announce } from '../app/announcer.ts';
import { inBackground } from '../app/problems.ts';
import { useSwarmSettings, useSwarmStats, useSwarmStatus } from '../app/swarm.ts';
import { Progress } from '../components/progress.tsx';
import { Toggle } from '../components/toggle.tsx';
import { formatSpeed, percentOf } from '../lib/format.ts';
import { othersInSwarm } from '../lib/peers.ts';
import { countPieces } from '../lib/pieces.ts';
import type { SpeedPoint } from '../lib/sparkline.ts';
import type { SwarmStats } from '../swarm/index.ts';
import { PiecesBar } from './pieces-bar.tsx';
import { SpeedChart, useSpeedHistory } from './speed-chart.tsx';

interface FigureProps {
  readonly label: string;
  readonly testId?: string;
  /** The raw number for programs. */
  readonly value: number;
  readonly children: ReactNode;
  readonly isAlive?: boolean;
}

function Figure({ label, testId, value, children, isAlive = false }: FigureProps) {
  return (
    <div className="min-w-0">
      <dt className="truncate text-xs text-muted">{label}</dt>
      <dd
        data-testid={testId}
        data-value={value}
        className={`numeric mt-0.5 truncate text-lg font-semibold ${isAlive ? 'text-alive' : ''}`}
      >
        {children}
      </dd>
    </div>
  );
}

/** Our tracker hears of comings and goings a moment after this browser does. */
const COUNTS_LAG_MS = 1_500;

/** Asks for the swarm's counts again when this browser sees a change, beside the slow poll. */
function useFreshCounts(medium: MediumInfo, stats: SwarmStats | undefined): void {
  const { sha256 } = medium;
  const { state, peers } = stats ?? {};
  useEffect(() => {
    if (state === undefined || peers === undefined) return undefined;
    const { queryKey } = mediumQuery(sha256);
    return systemClock.after(COUNTS_LAG_MS, () => inBackground(queryClient.invalidateQueries({ queryKey })));
  }, [sha256, state, peers]);
}

/** Says peers and progress to screen readers as they change. */
function useSpokenSwarm(stats: SwarmStats | undefined, peers: number): void {
  const { t } = useTranslation();
  const percent = stats === undefined ? 0 : percentOf(stats.haveBytes, stats.sizeBytes);
  const isKnown = stats !== undefined;
  useEffect(() => {
    if (isKnown) announce(t('panel.spoken', { peers: t('media.peers', { count: peers }), percent }));
  }, [isKnown, peers, percent, t]);
}

function SplitBar({ fromPeers, fromHttp }: { readonly fromPeers: number; readonly fromHttp: number }) {
  const total = fromPeers + fromHttp;
  if (total === 0) return <div aria-hidden className="h-1.5 rounded-full bg-line" />;
  return (
    <div aria-hidden className="flex h-1.5 gap-0.5 overflow-hidden rounded-full">
      <div className="rounded-full bg-alive" style={{ flexGrow: fromPeers }} />
      <div className="rounded-full bg-line-strong" style={{ flexGrow: fromHttp }} />
    </div>
  );
}

interface DetailsProps {
  readonly stats: SwarmStats;
  readonly history: readonly SpeedPoint[];
  readonly medium: MediumInfo;
}

function Details({ stats, history, medium }: DetailsProps) {
  const { t } = useTranslation();
  const have = countPieces(stats.pieces, stats.pieceCount);
  const percent = percentOf(stats.haveBytes, stats.sizeBytes);
  return (
    <div className="flex flex-col gap-5">
      <SpeedChart stats={stats} history={history} />
      <dl className="grid grid-cols-2 gap-4">
        <Figure label={t('panel.download')} value={stats.fromPeersBytesPerSec + stats.fromHttpBytesPerSec}>
          {formatSpeed(stats.fromPeersBytesPerSec + stats.fromHttpBytesPerSec)}
        </Figure>
        <Figure label={t('panel.upload')} value={stats.uploadBytesPerSec}>
          {formatSpeed(stats.uploadBytesPerSec)}
        </Figure>
        <Figure label={t('panel.seeders')} value={medium.swarm.seeders}>
          {medium.swarm.seeders}
        </Figure>
        <Figure label={t('panel.connected')} value={stats.peers}>
          {stats.peers}
        </Figure>
      </dl>
      <div>
        <div className="mb-1.5 flex justify-between text-xs text-muted">
          <span>{t('panel.have')}</span>
          <span className="numeric">{percent} %</span>
        </div>
        <Progress
          label={t('panel.have')}
          value={stats.haveBytes}
          max={stats.sizeBytes}
          text={`${percent} %`}
          tone="alive"
        />
      </div>
      <PiecesBar
        label={t('panel.piecesHave', { have, total: stats.pieceCount })}
        pieces={stats.pieces}
        pieceCount={stats.pieceCount}
      />
    </div>
  );
}

function HttpOnlyToggle() {
  const { t } = useTranslation();
  const { settings, change } = useSwarmSettings();
  return (
    <Toggle
      label={t('panel.httpOnly')}
      hint={t('panel.httpOnlyHint')}
      isOn={settings?.httpOnly ?? false}
      isDisabled={settings === undefined}
      onChange={(httpOnly) => change({ httpOnly })}
    />
  );
}

/** How the swarm stands, in one sentence. */
function useStateText(stats: SwarmStats | undefined): { readonly isAlive: boolean; readonly text: string } {
  const { t } = useTranslation();
  const status = useSwarmStatus();
  if (status?.state === 'off') return { isAlive: false, text: t('panel.state.off') };
  const state = stats?.state ?? 'starting';
  return { isAlive: stats !== undefined && state !== 'http-only', text: t(`panel.state.${state}`) };
}

/** Peers and the split of bytes: what everyone may want to know at a glance. */
function Totals({ stats, peers }: { readonly stats: SwarmStats | undefined; readonly peers: number }) {
  const { t } = useTranslation();
  const { fromPeersBytes = 0, fromHttpBytes = 0, uploadedBytes = 0 } = stats ?? {};
  return (
    <>
      <dl className="mt-4 mb-3 grid grid-cols-2 gap-4">
        <Figure label={t('panel.peers')} testId="peer-count" value={peers} isAlive={peers > 0}>
          {peers}
        </Figure>
        <Figure label={t('panel.uploaded')} testId="uploaded-bytes" value={uploadedBytes} isAlive={uploadedBytes > 0}>
          {formatBytes(uploadedBytes)}
        </Figure>
        <Figure label={t('panel.fromPeers')} testId="p2p-bytes" value={fromPeersBytes} isAlive={fromPeersBytes > 0}>
          {formatBytes(fromPeersBytes)}
        </Figure>
        <Figure label={t('panel.fromHttp')} testId="http-bytes" value={fromHttpBytes}>
          {formatBytes(fromHttpBytes)}
        </Figure>
      </dl>
      <SplitBar fromPeers={fromPeersBytes} fromHttp={fromHttpBytes} />
    </>
  );
}

function Disclosure({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <button
        type="button"
        aria-expanded={isOpen}
        aria-controls="live-details"
        onClick={() => setOpen(!isOpen)}
        className="mt-3 -ms-2 flex min-h-9 items-center gap-1.5 rounded-control px-2 text-sm font-medium text-muted hover:text-ink"
      >
        {title}
        <ChevronDown
          aria-hidden
          size={16}
          className={`transition-transform duration-150 ${isOpen ? 'rotate-180' : ''}`}
        />
      </button>
      <div id="live-details" hidden={!isOpen} className="mt-3">
        {isOpen && children}
      </div>
    </>
  );
}

export function LivePanel({ medium }: { readonly medium: MediumInfo }) {
  const { t } = useTranslation();
  const stats = useSwarmStats(medium.torrent?.infoHash);
  const history = useSpeedHistory(stats);
  const { isAlive, text } = useStateText(stats);
  const peers = othersInSwarm(stats, medium.swarm);
  useFreshCounts(medium, stats);
  useSpokenSwarm(stats, peers);
  const isMoving = (stats?.fromPeersBytesPerSec ?? 0) + (stats?.uploadBytesPerSec ?? 0) > 0;
  return (
    <section aria-labelledby="live" className="rounded-card border border-line bg-surface p-5 shadow-card">
      <h2 id="live" className="flex items-center gap-2.5 text-base font-semibold">
        {isAlive && <span className="alive-dot" data-moving={isMoving} />}
        {t(isAlive || stats === undefined ? 'panel.title' : 'panel.titleOff')}
      </h2>
      <p className="mt-1 text-sm text-muted">{text}</p>
      <Totals stats={stats} peers={peers} />
      {stats !== undefined && (
        <Disclosure title={t('panel.details')}>
          <Details stats={stats} history={history} medium={medium} />
        </Disclosure>
      )}
      <div className="mt-4 border-t border-line pt-4">
        <HttpOnlyToggle />
      </div>
    </section>
  );
}
