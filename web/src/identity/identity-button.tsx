/** In the header: sign in, or who is signed in. The dialog loads when it is opened. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { sessionQuery } from '../api/queries.ts';
import { Button } from '../components/button.tsx';
import { FieldPicture } from '../components/poster.tsx';
import { parseSha256 } from '../../../src/base/ids.ts';
import { shortId } from '../lib/format.ts';
import { closeSignIn, openSignIn, useSignIn } from './sign-in-state.ts';

const SignInDialog = lazy(async () => ({ default: (await import('./sign-in-dialog.tsx')).SignInDialog }));

/** A button that opens the sign-in dialog. */
export function SignInButton({ label, weight }: { readonly label: string; readonly weight?: 'primary' | 'quiet' }) {
  return (
    <Button weight={weight ?? 'quiet'} aria-haspopup="dialog" onClick={openSignIn}>
      {label}
    </Button>
  );
}

/** The dialog itself, once per page. */
export function SignInHost() {
  const isOpen = useSignIn((state) => state.isOpen);
  if (!isOpen) return null;
  return (
    <Suspense>
      <SignInDialog onClose={closeSignIn} />
    </Suspense>
  );
}

export function IdentityButton() {
  const { t } = useTranslation();
  const { data: session } = useQuery(sessionQuery);
  if (session === undefined) return null;
  if (session.pubkey === undefined) return <SignInButton label={t('signIn.title')} />;
  const label = `${t('settings.identity')}: ${shortId(session.pubkey)}`;
  return (
    <Link
      to="/settings"
      aria-label={label}
      title={label}
      className="size-9 flex-none overflow-hidden rounded-full border border-line"
    >
      <FieldPicture sha256={parseSha256(session.pubkey)} />
    </Link>
  );
}
