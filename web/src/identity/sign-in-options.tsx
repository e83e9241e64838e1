/** The ways to enter: a new key, an extension, a key of one's own. Used by the sign-in dialog and the set-up page. */
import { KeyRound, Puzzle, Sprout, type LucideIcon } from 'lucide-react';
import { useId, useState, type FormEvent, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Button } from '../components/button.tsx';
import { ErrorNotice } from '../components/notice.tsx';
import { findExtension } from './signer.ts';
import type { NewIdentity } from './store.ts';

interface OptionProps {
  readonly icon: LucideIcon;
  readonly title: string;
  readonly hint: string;
  readonly isDisabled?: boolean;
  readonly onChoose: () => void;
}

/** One way to enter, as a wide button with a word of explanation. */
export function EntryOption({ icon: Icon, title, hint, isDisabled = false, onChoose }: OptionProps) {
  return (
    <button
      type="button"
      disabled={isDisabled}
      onClick={onChoose}
      className="flex w-full items-center gap-4 rounded-control border border-line bg-surface p-4 text-start transition-colors duration-150 enabled:hover:border-line-strong enabled:hover:bg-hover disabled:cursor-not-allowed disabled:opacity-60"
    >
      <span className="flex size-10 flex-none items-center justify-center rounded-full bg-sunken text-ink">
        <Icon aria-hidden size={19} />
      </span>
      <span className="min-w-0">
        <span className="block text-sm font-medium">{title}</span>
        <span className="block text-sm wrap-anywhere text-muted">{hint}</span>
      </span>
    </button>
  );
}

function SecretForm({ isBusy, onSubmit }: { readonly isBusy: boolean; readonly onSubmit: (secret: string) => void }) {
  const { t } = useTranslation();
  const id = useId();
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const secret = new FormData(event.currentTarget).get('secret');
    if (typeof secret === 'string') onSubmit(secret);
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-3 rounded-control border border-line p-4">
      <label htmlFor={id} className="text-sm font-medium">
        {t('signIn.secret')}
      </label>
      <p id={`${id}-hint`} className="-mt-2 text-sm text-muted">
        {t('signIn.importHint')}
      </p>
      <input
        id={id}
        name="secret"
        type="password"
        required
        autoComplete="off"
        aria-describedby={`${id}-hint`}
        dir="ltr"
        className="min-h-10 rounded-control border border-line-strong bg-surface px-3 font-mono text-sm"
      />
      <Button type="submit" weight="primary" disabled={isBusy}>
        {t('signIn.importYes')}
      </Button>
    </form>
  );
}

interface SignInOptionsProps {
  /** Enters with the chosen identity; a rejection is shown here. */
  readonly onChoose: (wanted: NewIdentity) => Promise<void>;
  /** Further options, shown first. */
  readonly children?: ReactNode;
}

export function SignInOptions({ onChoose, children }: SignInOptionsProps) {
  const { t } = useTranslation();
  const [state, setState] = useState<{ readonly isBusy: boolean; readonly error?: unknown }>({ isBusy: false });
  const [showsImport, setShowsImport] = useState(false);
  const hasExtension = findExtension() !== undefined;
  const choose = (wanted: NewIdentity): void => {
    setState({ isBusy: true });
    onChoose(wanted).then(
      () => setState({ isBusy: false }),
      (error: unknown) => setState({ isBusy: false, error }),
    );
  };
  return (
    <div className="flex flex-col gap-3" aria-busy={state.isBusy}>
      {state.error !== undefined && <ErrorNotice error={state.error} />}
      {children}
      <EntryOption
        icon={Sprout}
        title={t('signIn.create')}
        hint={t('signIn.createHint')}
        isDisabled={state.isBusy}
        onChoose={() => choose({ from: 'new' })}
      />
      <EntryOption
        icon={Puzzle}
        title={t('signIn.extension')}
        hint={t(hasExtension ? 'signIn.extensionHint' : 'signIn.extensionMissing')}
        isDisabled={state.isBusy || !hasExtension}
        onChoose={() => choose({ from: 'extension' })}
      />
      {showsImport ? (
        <SecretForm isBusy={state.isBusy} onSubmit={(text) => choose({ from: 'secret', text })} />
      ) : (
        <EntryOption
          icon={KeyRound}
          title={t('signIn.import')}
          hint={t('signIn.importHint')}
          isDisabled={state.isBusy}
          onChoose={() => setShowsImport(true)}
        />
      )}
    </div>
  );
}
