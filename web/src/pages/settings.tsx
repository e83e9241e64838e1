/** `/settings`: who I am, what this browser gives to the swarm, how it looks. */
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { serverQuery, sessionQuery } from '../api/queries.ts';
import { THEMES } from '../app/theme-choice.ts';
import { chooseTheme, useTheme } from '../app/theme.ts';
import { Choice } from '../components/choice.tsx';
import { Page, Section } from '../components/page.tsx';
import { IdentitySection } from '../identity/identity-section.tsx';
import { PeopleSection } from '../identity/people-section.tsx';
import { SwarmSection } from '../panel/swarm-section.tsx';

function Appearance() {
  const { t } = useTranslation();
  const theme = useTheme((state) => state.theme);
  const options = THEMES.map((value) => ({ value, label: t(`settings.themes.${value}`) }));
  return (
    <Section title={t('settings.appearance')}>
      <Choice label={t('settings.theme')} value={theme} options={options} onChange={chooseTheme} />
    </Section>
  );
}

export function SettingsPage() {
  const { t } = useTranslation();
  const { data: server } = useQuery(serverQuery);
  const { data: session } = useQuery(sessionQuery);
  return (
    <Page title={t('settings.title')}>
      <IdentitySection />
      {session?.role === 'owner' && server !== undefined && <PeopleSection policy={server.uploads} />}
      <SwarmSection />
      <Appearance />
      {server !== undefined && (
        <p className="text-center text-xs text-faint">{t('settings.version', { version: server.version })}</p>
      )}
    </Page>
  );
}
