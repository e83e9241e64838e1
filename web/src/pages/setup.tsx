/** `/setup#<token>`: the set-up link of a new server. The key chosen here becomes its owner. */
import { useQuery } from '@tanstack/react-query';
import { KeyRound, Link2Off, UserCheck } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { serverQuery } from '../api/queries.ts';
import { ButtonLink } from '../components/button.tsx';
import { EmptyState } from '../components/notice.tsx';
import { Page, Section } from '../components/page.tsx';
import { BackUp } from '../identity/back-up.tsx';
import { EntryOption, SignInOptions } from '../identity/sign-in-options.tsx';
import { becomeOwnerWith, useIdentity, type NewIdentity } from '../identity/store.ts';
import { shortId } from '../lib/format.ts';
import { inBackground } from '../app/problems.ts';

/** The token after the `#`, taken out of the address bar so that it is not copied along by chance. */
function useSetupToken(): string {
  const [token] = useState(() => location.hash.slice(1));
  useEffect(() => {
    if (token !== '') history.replaceState(history.state, '', location.pathname);
  }, [token]);
  return token;
}

function Choose({ token, onOwned }: { readonly token: string; readonly onOwned: () => void }) {
  const { t } = useTranslation();
  const present = useIdentity((state) => state.identity);
  const own = async (wanted: NewIdentity | { readonly from: 'present' }): Promise<void> => {
    await becomeOwnerWith(wanted, token);
    onOwned();
  };
  return (
    <Page title={t('setup.title')} lead={t('setup.lead')}>
      <SignInOptions onChoose={own}>
        {present !== undefined && (
          <EntryOption
            icon={KeyRound}
            title={t('setup.present')}
            hint={t('setup.presentHint', { key: shortId(present.pubkey) })}
            onChoose={() => inBackground(own({ from: 'present' }))}
          />
        )}
      </SignInOptions>
    </Page>
  );
}

function Owned() {
  const { t } = useTranslation();
  const identity = useIdentity((state) => state.identity);
  const [isKept, setKept] = useState(false);
  const mustBackUp = identity?.kind === 'local' && !identity.backedUp && !isKept;
  return (
    <Page title={t('setup.doneTitle')} lead={t(mustBackUp ? 'setup.doneLead' : 'setup.doneReady')}>
      {mustBackUp ? (
        <Section title={t('backUp.title')}>
          <p className="text-sm text-muted">{t('backUp.lead')}</p>
          <BackUp identity={identity} onDone={() => setKept(true)} />
        </Section>
      ) : (
        <div>
          <ButtonLink to="/" weight="primary">
            {t('setup.start')}
          </ButtonLink>
        </div>
      )}
    </Page>
  );
}

export function SetupPage() {
  const { t } = useTranslation();
  const token = useSetupToken();
  const { data: server } = useQuery(serverQuery);
  const [isOwned, setOwned] = useState(false);
  if (isOwned) return <Owned />;
  if (server?.hasOwner === true) {
    return (
      <EmptyState level={1} icon={UserCheck} title={t('setup.takenTitle')} lead={t('setup.takenLead')}>
        <ButtonLink to="/settings" weight="primary">
          {t('settings.signIn')}
        </ButtonLink>
      </EmptyState>
    );
  }
  if (token === '') {
    return <EmptyState level={1} icon={Link2Off} title={t('setup.missingTitle')} lead={t('setup.missingLead')} />;
  }
  return <Choose token={token} onOwned={() => setOwned(true)} />;
}
