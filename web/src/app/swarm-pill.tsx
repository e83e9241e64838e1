/** In the header: whether this browser is in the swarm, and with how many peers. Violet only while it is. */
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { useSwarmSettings, useSwarmStatus } from './swarm.ts';

export function SwarmPill() {
  const { t } = useTranslation();
  const status = useSwarmStatus('idle');
  const { settings } = useSwarmSettings('idle');
  const isReachable = status?.tracker === 'connected' || (status?.connections ?? 0) > 0;
  if (status === undefined || (status.state !== 'off' && settings?.httpOnly !== true && !isReachable)) return null;
  const isAlive = status.state === 'running' && settings?.httpOnly !== true;
  const words = status.connections > 0 ? t('app.sharing', { count: status.connections }) : t('app.sharingIdle');
  return (
    <Link
      to={isAlive ? '/seeding' : '/settings'}
      title={isAlive ? words : t('app.swarmOff')}
      className={`flex min-h-8 items-center gap-2 rounded-full px-2.5 text-xs font-medium ${isAlive ? 'bg-alive-soft text-alive' : 'bg-sunken text-muted'}`}
    >
      {isAlive && <span className="alive-dot" />}
      <span className="numeric sr-only truncate md:not-sr-only">{isAlive ? words : t('app.swarmOff')}</span>
      {isAlive && (
        <span aria-hidden className="numeric md:hidden">
          {status.connections}
        </span>
      )}
    </Link>
  );
}
