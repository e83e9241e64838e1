/** The invitation to publish: a drop zone for those who may, else what is needed to. */
import { useQuery } from '@tanstack/react-query';
import { Upload } from 'lucide-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { ServerInfo, SessionInfo } from '../../../src/base/api.ts';
import { formatBytes } from '../../../src/base/units.ts';
import { serverQuery, sessionQuery } from '../api/queries.ts';
import { inBackground } from '../app/problems.ts';
import { Button } from '../components/button.tsx';
import { CopyField } from '../components/copy.tsx';
import { ErrorNotice } from '../components/notice.tsx';
import { useNpub } from '../identity/npub.ts';
import { SignInButton } from '../identity/identity-button.tsx';

function Box({
  title,
  lead,
  children,
}: {
  readonly title: string;
  readonly lead: string;
  readonly children?: ReactNode;
}) {
  return (
    <section className="flex flex-col items-center rounded-card border border-dashed border-line-strong bg-surface px-5 py-8 text-center sm:py-11">
      <h1 className="text-2xl font-semibold sm:text-3xl">{title}</h1>
      <p className="mt-2 max-w-lg text-muted">{lead}</p>
      {children}
    </section>
  );
}

const PASTE_KEYS = /Mac|iPhone|iPad/.test(navigator.userAgent) ? '⌘V' : 'Ctrl+V';

function DropZone({ maxUploadBytes }: { readonly maxUploadBytes: number }) {
  const { t } = useTranslation();
  const choose = async (): Promise<void> => {
    const { pickAndUpload } = await import('./store.ts');
    await pickAndUpload();
  };
  const take = async (files: readonly File[]): Promise<void> => {
    const { uploads } = await import('./store.ts');
    uploads.add(files.map((file) => ({ file })));
  };
  return (
    <Box title={t('drop.title')} lead={t('drop.lead')}>
      <Button
        weight="primary"
        icon={Upload}
        className="mt-6 px-6 text-base"
        data-testid="choose-files"
        onClick={() => inBackground(choose())}
      >
        {t('drop.choose')}
      </Button>
      {/* For programs that fill in forms: extensions, automation, assistive tools. People have the button and the page. */}
      <input
        type="file"
        multiple
        tabIndex={-1}
        aria-label={t('drop.choose')}
        className="sr-only"
        data-testid="file-input"
        onChange={({ currentTarget }) => {
          const files = [...(currentTarget.files ?? [])];
          currentTarget.value = '';
          inBackground(take(files));
        }}
      />
      <p className="mt-3 text-sm text-muted">
        <span className="hidden sm:inline">{t('drop.hint', { keys: PASTE_KEYS })} · </span>
        {t('drop.limit', { size: formatBytes(maxUploadBytes) })}
      </p>
    </Box>
  );
}

function NotYet({ server, session }: { readonly server: ServerInfo; readonly session: SessionInfo }) {
  const { t } = useTranslation();
  const npub = useNpub(session.pubkey);
  if (session.pubkey === undefined) {
    return (
      <Box title={t('drop.guestTitle')} lead={t(server.hasOwner ? 'drop.guestLead' : 'drop.noOwner')}>
        {server.hasOwner && (
          <div className="mt-6">
            <SignInButton label={t('drop.signIn')} weight="primary" />
          </div>
        )}
      </Box>
    );
  }
  const who = t(server.uploads === 'owner' ? 'drop.whoOwner' : 'drop.whoMembers');
  return (
    <Box title={t('drop.notMemberTitle')} lead={t('drop.notMemberLead', { who })}>
      {npub !== undefined && (
        <div className="mt-6 w-full max-w-lg text-start">
          <CopyField text={npub} what={t('settings.pubkey')} />
        </div>
      )}
    </Box>
  );
}

export function PublishBox() {
  const { t } = useTranslation();
  const server = useQuery(serverQuery);
  const session = useQuery(sessionQuery);
  const error = server.error ?? session.error;
  const retry = (): void => inBackground(Promise.all([server.refetch(), session.refetch()]));
  if (error !== null)
    return <ErrorNotice error={error} action={<Button onClick={retry}>{t('app.tryAgain')}</Button>} />;
  if (server.data === undefined || session.data === undefined)
    return <div aria-hidden className="h-64 rounded-card border border-line bg-surface" />;
  if (session.data.mayUpload) return <DropZone maxUploadBytes={server.data.maxUploadBytes} />;
  return <NotYet server={server.data} session={session.data} />;
}
