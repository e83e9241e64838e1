/** Copying: a button that says it worked, and a read-only field that has one. */
import { Check, Copy } from 'lucide-react';
import { useEffect, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Unavailable } from '../../../src/base/errors.ts';
import { announce } from '../app/announcer.ts';
import { reportProblem } from '../app/problems.ts';
import { Button, IconButton } from './button.tsx';

const FEEDBACK_MS = 2_000;

interface CopyState {
  readonly isCopied: boolean;
  readonly copy: () => void;
}

/** Copies `text`; `isCopied` holds for two seconds. `what` names it for screen readers. */
export function useCopy(text: string, what: string): CopyState {
  const { t } = useTranslation();
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return undefined;
    const timer = setTimeout(() => setCopied(false), FEEDBACK_MS);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => {
        setCopied(true);
        announce(t('copy.copiedOf', { what }));
      },
      (cause: unknown) => reportProblem(new Unavailable(t('copy.failed'), {}, { cause })),
    );
  };
  return { isCopied, copy };
}

interface CopyProps {
  readonly text: string;
  readonly what: string;
}

export function CopyButton({ text, what, weight = 'quiet' }: CopyProps & { readonly weight?: 'primary' | 'quiet' }) {
  const { t } = useTranslation();
  const { isCopied, copy } = useCopy(text, what);
  return (
    <Button weight={weight} icon={isCopied ? Check : Copy} onClick={copy} aria-label={t('copy.copyOf', { what })}>
      {isCopied ? t('copy.copied') : t('copy.copy')}
    </Button>
  );
}

/** A labelled line of text to copy; the field itself can be selected. */
export function CopyField({ text, what, testId }: CopyProps & { readonly testId?: string }) {
  const { t } = useTranslation();
  const { isCopied, copy } = useCopy(text, what);
  const id = useId();
  return (
    <div className="min-w-0">
      <label htmlFor={id} className="text-sm text-muted">
        {what}
      </label>
      <div className="mt-1 flex items-center rounded-control border border-line bg-sunken ps-3">
        <input
          id={id}
          readOnly
          value={text}
          dir="ltr"
          data-testid={testId}
          data-value={text}
          onFocus={(event) => event.currentTarget.select()}
          className="min-w-0 flex-1 truncate bg-transparent py-2 font-mono text-xs text-ink"
        />
        <IconButton label={t('copy.copyOf', { what })} icon={isCopied ? Check : Copy} onClick={copy} />
      </div>
    </div>
  );
}
