/** Buttons and links that look like buttons: one shape, four weights. */
import { Link, type LinkProps } from '@tanstack/react-router';
import type { LucideIcon } from 'lucide-react';
import type { ComponentProps, ReactNode } from 'react';

export type ButtonWeight = 'primary' | 'quiet' | 'plain' | 'danger';

const SHAPE =
  'inline-flex min-h-10 items-center justify-center gap-2 rounded-control px-4 py-2 text-sm font-medium select-none ' +
  'transition-colors duration-150 disabled:cursor-not-allowed disabled:opacity-50';

const WEIGHTS: Readonly<Record<ButtonWeight, string>> = {
  primary: 'bg-action text-on-action enabled:hover:bg-action-hover',
  quiet: 'border border-line bg-surface text-ink enabled:hover:bg-hover',
  plain: 'text-ink enabled:hover:bg-hover',
  danger: 'border border-line bg-surface text-danger enabled:hover:bg-danger-soft',
};

/** Class names of a button, for elements that must be something else (a download link). */
export function buttonClass(weight: ButtonWeight = 'quiet'): string {
  return `${SHAPE} ${WEIGHTS[weight].replaceAll('enabled:', '')}`;
}

interface Looks {
  readonly weight?: ButtonWeight;
  readonly icon?: LucideIcon;
}

export function Button({
  weight = 'quiet',
  icon: Icon,
  className = '',
  children,
  ...rest
}: ComponentProps<'button'> & Looks) {
  return (
    <button type="button" className={`${SHAPE} ${WEIGHTS[weight]} ${className}`} {...rest}>
      {Icon && <Icon aria-hidden size={17} className="flex-none" />}
      {children}
    </button>
  );
}

/** A round button that shows an icon only; `label` is its name. */
export function IconButton({
  label,
  icon: Icon,
  className = '',
  ...rest
}: ComponentProps<'button'> & { readonly label: string; readonly icon: LucideIcon }) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={`inline-flex size-10 flex-none items-center justify-center rounded-full text-muted transition-colors duration-150 enabled:hover:bg-hover enabled:hover:text-ink disabled:opacity-50 ${className}`}
      {...rest}
    >
      <Icon aria-hidden size={18} />
    </button>
  );
}

/** A link within the app that looks like a button. */
export function ButtonLink({
  weight = 'quiet',
  icon: Icon,
  children,
  ...link
}: LinkProps & Looks & { readonly children: ReactNode }) {
  return (
    <Link className={buttonClass(weight)} {...link}>
      {Icon && <Icon aria-hidden size={17} className="flex-none" />}
      {children}
    </Link>
  );
}
