/** Settings of the swarm: seeding, hiding, space, upload limit. They hold in every tab of this browser, at once. */
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { formatBytes, GIB, KIB, MIB } from '../../../src/base/units.ts';
import { useSwarm, useSwarmSettings, useSwarmStatus } from '../app/swarm.ts';
import { Choice } from '../components/choice.tsx';
import { Notice } from '../components/notice.tsx';
import { Section } from '../components/page.tsx';
import { Progress } from '../components/progress.tsx';
import { Toggle } from '../components/toggle.tsx';
import type { SwarmUsage } from '../swarm/index.ts';

const QUOTAS = [256 * MIB, 512 * MIB, GIB, 2 * GIB, 5 * GIB, 10 * GIB, 25 * GIB, 50 * GIB];
const UPLOAD_LIMITS = [0, 128 * KIB, 256 * KIB, 512 * KIB, MIB, 2 * MIB, 5 * MIB, 10 * MIB];

interface SizeOption {
  readonly value: number;
  readonly label: string;
}

/** The usual steps, and the present value among them where it is none of them. */
export function sizeOptions(steps: readonly number[], present: number, label: (value: number) => string): SizeOption[] {
  const values = steps.includes(present) ? steps : [...steps, present].sort((a, b) => a - b);
  return values.map((value) => ({ value, label: label(value) }));
}

function useUsage(quotaBytes: number | undefined): SwarmUsage | undefined {
  const client = useSwarm();
  const { data } = useQuery({
    queryKey: ['usage', quotaBytes],
    enabled: client !== undefined,
    queryFn: async () => (await client?.library.usage()) ?? null,
  });
  return data ?? undefined;
}

function UsageBar({ usage }: { readonly usage: SwarmUsage }) {
  const { t } = useTranslation();
  const text = t('settings.usage', { used: formatBytes(usage.usedBytes), quota: formatBytes(usage.quotaBytes) });
  return (
    <div>
      <Progress label={t('settings.quota')} value={usage.usedBytes} max={usage.quotaBytes} text={text} />
      <p className="numeric mt-1.5 text-xs text-muted">{text}</p>
    </div>
  );
}

export function SwarmSection() {
  const { t } = useTranslation();
  const { settings, change } = useSwarmSettings();
  const status = useSwarmStatus();
  const usage = useUsage(settings?.quotaBytes);
  if (status?.state === 'off') {
    return (
      <Section title={t('settings.sharing')}>
        <Notice>{t('settings.swarmMissing')}</Notice>
      </Section>
    );
  }
  const isLoading = settings === undefined;
  const { seedWhileWatching = true, httpOnly = false, quotaBytes = 0, uploadLimitBytesPerSec = 0 } = settings ?? {};
  const limitLabel = (value: number): string => (value === 0 ? t('settings.unlimited') : `${formatBytes(value)}/s`);
  return (
    <Section title={t('settings.sharing')}>
      <Toggle
        label={t('settings.seed')}
        hint={t('settings.seedHint')}
        isOn={seedWhileWatching}
        isDisabled={isLoading}
        onChange={(isOn) => change({ seedWhileWatching: isOn })}
      />
      <Toggle
        label={t('settings.httpOnly')}
        hint={t('settings.httpOnlyHint')}
        isOn={httpOnly}
        isDisabled={isLoading}
        onChange={(isOn) => change({ httpOnly: isOn })}
      />
      <Choice
        label={t('settings.uploadLimit')}
        hint={t('settings.uploadLimitHint')}
        value={uploadLimitBytesPerSec}
        options={sizeOptions(UPLOAD_LIMITS, uploadLimitBytesPerSec, limitLabel)}
        isDisabled={isLoading}
        onChange={(value) => change({ uploadLimitBytesPerSec: value })}
      />
      <Choice
        label={t('settings.quota')}
        hint={t('settings.quotaHint')}
        value={quotaBytes}
        options={sizeOptions(QUOTAS, quotaBytes, formatBytes)}
        isDisabled={isLoading}
        onChange={(value) => change({ quotaBytes: value })}
      />
      {usage !== undefined && <UsageBar usage={usage} />}
    </Section>
  );
}
