/** `/seeding`: what this browser holds and gives to others, and how much space that takes. */
import { Link } from '@tanstack/react-router';
import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { Trash2 } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Unavailable } from '../../../src/base/errors.ts';
import { formatBytes } from '../../../src/base/units.ts';
import { announce } from '../app/announcer.ts';
import { inBackground } from '../app/problems.ts';
import { useSwarm, useSwarmSettings, useSwarmStatus } from '../app/swarm.ts';
import { ButtonLink, IconButton } from '../components/button.tsx';
import { FileName } from '../components/file-name.tsx';
import { EmptyState, ErrorNotice, Notice } from '../components/notice.tsx';
import { Page } from '../components/page.tsx';
import { KindIcon, Poster } from '../components/poster.tsx';
import { Progress } from '../components/progress.tsx';
import { percentOf } from '../lib/format.ts';
import type { HeldMedium, SwarmClient, SwarmUsage } from '../swarm/index.ts';

const REFRESH_MS = 2_000;

interface Held {
  readonly media: readonly HeldMedium[];
  readonly usage: SwarmUsage;
}

/** What is held, read again every two seconds while the page shows it. */
function useHeld(): UseQueryResult<Held> {
  const client = useSwarm();
  return useQuery({
    queryKey: ['held'],
    enabled: client !== undefined,
    refetchInterval: REFRESH_MS,
    queryFn: async () => await readHeld(client),
  });
}

async function readHeld(client: SwarmClient | undefined): Promise<Held> {
  if (client === undefined) throw new Unavailable('the swarm is not there yet');
  const [media, usage] = await Promise.all([client.library.list(), client.library.usage()]);
  return { media, usage };
}

function Totals({ held: { media, usage } }: { readonly held: Held }) {
  const { t } = useTranslation();
  const given = media.reduce((sum, { uploadedBytes }) => sum + uploadedBytes, 0);
  const peers = media.reduce((sum, medium) => sum + medium.peers, 0);
  const space = t('seeding.space', { used: formatBytes(usage.usedBytes), quota: formatBytes(usage.quotaBytes) });
  const figures = [
    { label: t('seeding.files'), text: String(media.length), isAlive: false },
    { label: t('seeding.peers'), text: String(peers), isAlive: peers > 0 },
    { label: t('seeding.given'), text: formatBytes(given), isAlive: given > 0 },
  ];
  return (
    <section className="rounded-card border border-line bg-surface p-5 shadow-card sm:p-6">
      <dl className="grid grid-cols-3 gap-4">
        {figures.map(({ label, text, isAlive }) => (
          <div key={label} className="min-w-0">
            <dt className="truncate text-sm text-muted">{label}</dt>
            <dd className={`numeric mt-1 text-xl font-semibold sm:text-2xl ${isAlive ? 'text-alive' : ''}`}>{text}</dd>
          </div>
        ))}
      </dl>
      <div className="mt-6">
        <Progress label={t('seeding.held')} value={usage.usedBytes} max={usage.quotaBytes} text={space} />
        <p className="numeric mt-2 text-sm text-muted">{space}</p>
      </div>
    </section>
  );
}

function HeldRow({ medium, onRemove }: { readonly medium: HeldMedium; readonly onRemove: () => void }) {
  const { t } = useTranslation();
  const percent = percentOf(medium.haveBytes, medium.sizeBytes);
  const kept =
    medium.kept === 'file' ? t('seeding.keptFile') : medium.kept === 'memory' ? t('seeding.keptMemory') : undefined;
  const facts = [
    percent === 100 ? t('seeding.whole') : t('seeding.partly', { percent }),
    formatBytes(medium.sizeBytes),
    medium.uploadedBytes > 0 ? t('seeding.uploaded', { size: formatBytes(medium.uploadedBytes) }) : undefined,
    kept,
  ];
  return (
    <li className="flex items-center gap-4 py-4">
      <div className="aspect-video w-20 flex-none overflow-hidden rounded-control sm:w-28">
        <Poster sha256={medium.sha256} type={medium.type} />
      </div>
      <div className="min-w-0 flex-1">
        <Link
          to="/m/$sha256"
          params={{ sha256: medium.sha256 }}
          className="flex items-center gap-2 text-sm font-medium hover:underline"
        >
          <span className="text-muted">
            <KindIcon type={medium.type} size={15} />
          </span>
          <FileName name={medium.name} />
        </Link>
        <p className="numeric mt-1 text-xs text-muted">{facts.filter((fact) => fact !== undefined).join(' · ')}</p>
        {medium.peers > 0 && (
          <p className="numeric mt-1 flex items-center gap-1.5 text-xs text-alive">
            <span className="alive-dot" />
            {t('media.peers', { count: medium.peers })}
          </p>
        )}
      </div>
      <IconButton icon={Trash2} label={t('seeding.remove', { name: medium.name })} onClick={onRemove} />
    </li>
  );
}

function HeldList({ held, refresh }: { readonly held: Held; readonly refresh: () => Promise<unknown> }) {
  const { t } = useTranslation();
  const client = useSwarm();
  const remove = async (medium: HeldMedium): Promise<void> => {
    await client?.library.remove(medium.infoHash);
    announce(t('seeding.removed', { name: medium.name }));
    await refresh();
  };
  return (
    <ul className="divide-y divide-line rounded-card border border-line bg-surface px-4 shadow-card sm:px-6">
      {held.media.map((medium) => (
        <HeldRow key={medium.infoHash} medium={medium} onRemove={() => inBackground(remove(medium))} />
      ))}
    </ul>
  );
}

export function SeedingPage() {
  const { t } = useTranslation();
  const { data: held, error, refetch } = useHeld();
  const status = useSwarmStatus();
  const { settings } = useSwarmSettings();
  return (
    <Page title={t('seeding.title')} lead={t('seeding.lead')}>
      {held?.usage.lasting === false && <Notice tone="caution">{t('seeding.notLasting')}</Notice>}
      {settings?.seedWhileWatching === false && (
        <Notice>
          {t('seeding.off')}{' '}
          <Link to="/settings" className="underline underline-offset-4">
            {t('seeding.offLink')}
          </Link>
        </Notice>
      )}
      {error !== null && <ErrorNotice error={error} />}
      {status?.state === 'off' && <Notice>{t('settings.swarmMissing')}</Notice>}
      {held !== undefined && <Totals held={held} />}
      {held !== undefined && held.media.length > 0 && <HeldList held={held} refresh={refetch} />}
      {held?.media.length === 0 && (
        <EmptyState level={2} title={t('seeding.empty')} lead={t('seeding.emptyLead')}>
          <ButtonLink to="/" weight="primary">
            {t('seeding.toHome')}
          </ButtonLink>
        </EmptyState>
      )}
    </Page>
  );
}
