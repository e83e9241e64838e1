/** Settings of the identity: who is signed in, the key and its back-up, space used, leaving. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { SessionInfo } from '../../../src/base/api.ts';
import { formatBytes } from '../../../src/base/units.ts';
import { sessionQuery } from '../api/queries.ts';
import { inBackground } from '../app/problems.ts';
import { Button } from '../components/button.tsx';
import { CopyField } from '../components/copy.tsx';
import { Confirm, Modal } from '../components/dialog.tsx';
import { Notice } from '../components/notice.tsx';
import { Section } from '../components/page.tsx';
import { Progress } from '../components/progress.tsx';
import { useNpub } from './npub.ts';
import { BackUp } from './back-up.tsx';
import { SignInButton } from './identity-button.tsx';
import { leave, leaveForGood, signInAgain, useIdentity } from './store.ts';
import type { Identity, LocalIdentity } from './vault.ts';

function BackUpButton({ identity }: { readonly identity: LocalIdentity }) {
  const { t } = useTranslation();
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Button weight={identity.backedUp ? 'quiet' : 'primary'} aria-haspopup="dialog" onClick={() => setOpen(true)}>
        {t('settings.backUp')}
      </Button>
      <Modal isOpen={isOpen} onClose={() => setOpen(false)} title={t('backUp.title')} lead={t('backUp.lead')}>
        <BackUp identity={identity} onDone={() => setOpen(false)} />
      </Modal>
    </>
  );
}

function ForgetButton() {
  const { t } = useTranslation();
  const [asks, setAsks] = useState(false);
  return (
    <>
      <Button weight="danger" onClick={() => setAsks(true)}>
        {t('settings.forget')}
      </Button>
      <Confirm
        isOpen={asks}
        onClose={() => setAsks(false)}
        onConfirm={() => inBackground(leaveForGood())}
        title={t('settings.forgetTitle')}
        body={t('settings.forgetBody')}
        yes={t('settings.forgetYes')}
        no={t('settings.forgetNo')}
      />
    </>
  );
}

function ServerSpace({ session }: { readonly session: SessionInfo }) {
  const { t } = useTranslation();
  const text = t('settings.spaceUsed', {
    used: formatBytes(session.usedBytes),
    quota: formatBytes(session.quotaBytes),
  });
  return (
    <div>
      <p className="mb-2 text-sm font-medium">{t('settings.space')}</p>
      <Progress label={t('settings.space')} value={session.usedBytes} max={session.quotaBytes} text={text} />
      <p className="numeric mt-1.5 text-xs text-muted">{text}</p>
    </div>
  );
}

function KnownIdentity({ identity, session }: { readonly identity: Identity; readonly session: SessionInfo }) {
  const { t } = useTranslation();
  const npub = useNpub(identity.pubkey);
  const isSignedIn = session.pubkey !== undefined;
  const mustBackUp = identity.kind === 'local' && !identity.backedUp;
  return (
    <>
      <p className="text-sm">
        {isSignedIn ? `${t('settings.signedInAs')} · ${t(`settings.role.${session.role}`)}` : t('settings.signedOut')}
        <span className="block text-muted">
          {t(identity.kind === 'local' ? 'settings.keyHere' : 'settings.keyExtension')}
        </span>
      </p>
      {npub !== undefined && <CopyField text={npub} what={t('settings.pubkey')} />}
      {mustBackUp && <Notice tone="caution">{t('settings.backUpNow')}</Notice>}
      {isSignedIn && session.mayUpload && <ServerSpace session={session} />}
      <div className="flex flex-wrap gap-3">
        {identity.kind === 'local' && <BackUpButton identity={identity} />}
        {isSignedIn ? (
          <Button onClick={() => inBackground(leave())}>{t('settings.signOut')}</Button>
        ) : (
          <Button onClick={() => inBackground(signInAgain())}>{t('settings.signInAgain')}</Button>
        )}
        <ForgetButton />
      </div>
    </>
  );
}

export function IdentitySection() {
  const { t } = useTranslation();
  const identity = useIdentity((state) => state.identity);
  const { data: session } = useQuery(sessionQuery);
  return (
    <Section title={t('settings.identity')}>
      {identity !== undefined && session !== undefined && <KnownIdentity identity={identity} session={session} />}
      {identity === undefined && (
        <>
          <p className="text-sm text-muted">{t('settings.identityNone')}</p>
          <div>
            <SignInButton label={t('settings.signIn')} weight="primary" />
          </div>
        </>
      )}
    </Section>
  );
}
