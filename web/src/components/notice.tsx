/** Messages inside a page: what happened, and what helps. Never by colour alone: each has its icon and words. */
import { CircleAlert, Info, Sprout, type LucideIcon } from 'lucide-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { codeOf } from '../api/http.ts';
import { en } from '../i18n/en.ts';

type Tone = 'info' | 'caution' | 'danger';

const LOOKS: Readonly<Record<Tone, { readonly icon: LucideIcon; readonly tone: string }>> = {
  info: { icon: Info, tone: 'bg-sunken text-ink' },
  caution: { icon: CircleAlert, tone: 'bg-caution-soft text-caution' },
  danger: { icon: CircleAlert, tone: 'bg-danger-soft text-danger' },
};

interface NoticeProps {
  readonly tone?: Tone;
  readonly children: ReactNode;
  readonly action?: ReactNode;
}

export function Notice({ tone = 'info', children, action }: NoticeProps) {
  const { icon: Icon, tone: toneClass } = LOOKS[tone];
  return (
    <div className={`flex items-start gap-3 rounded-control px-4 py-3 text-sm ${toneClass}`}>
      <Icon aria-hidden size={18} className="mt-px flex-none" />
      <div className="min-w-0 flex-1">{children}</div>
      {action}
    </div>
  );
}

type KnownCode = Exclude<keyof typeof en.errors, 'unknown' | 'other'>;

/** The words for an error's code; what has none shows the error's own message. */
export function useErrorText(): (code: string, detail: string) => string {
  const { t } = useTranslation();
  return (code, detail) => {
    if (code in en.errors && code !== 'unknown') return t(`errors.${code as KnownCode}`);
    return t(code === 'unknown' ? 'errors.unknown' : 'errors.other', { detail });
  };
}

/** A failure in words; read out when it appears. */
export function ErrorNotice({ error, action }: { readonly error: unknown; readonly action?: ReactNode }) {
  const words = useErrorText();
  const detail = error instanceof Error ? error.message : String(error);
  return (
    <div role="alert">
      <Notice tone="danger" action={action}>
        {words(codeOf(error), detail)}
      </Notice>
    </div>
  );
}

interface EmptyProps {
  readonly icon?: LucideIcon;
  readonly title: string;
  readonly lead: string;
  readonly children?: ReactNode;
  /** Of its heading: 1 where the empty state is the whole page. */
  readonly level?: 1 | 2 | 3;
}

/** What a place says while there is nothing in it: what belongs here and what to do next. */
export function EmptyState({ icon: Icon = Sprout, title, lead, children, level = 3 }: EmptyProps) {
  const Heading = `h${level}` as const;
  return (
    <div className="flex flex-col items-center px-6 py-14 text-center">
      <span className="flex size-14 items-center justify-center rounded-full bg-sunken text-muted">
        <Icon aria-hidden size={26} strokeWidth={1.6} />
      </span>
      <Heading className={`mt-5 font-semibold ${level === 1 ? 'text-2xl' : 'text-lg'}`}>{title}</Heading>
      <p className="mt-2 max-w-md text-muted">{lead}</p>
      {children !== undefined && <div className="mt-6 flex flex-wrap justify-center gap-3">{children}</div>}
    </div>
  );
}
