/** A bar that fills: for uploads and space (ink), for what is held of a swarm (violet). */
export interface ProgressProps {
  readonly label: string;
  readonly value: number;
  readonly max: number;
  /** What screen readers say for the value. */
  readonly text: string;
  readonly tone?: 'ink' | 'alive';
  readonly testId?: string;
}

const TONES = { ink: 'text-action', alive: 'text-alive' } as const;

/** An empty whole counts as complete. */
export function Progress({ label, value, max, text, tone = 'ink', testId }: ProgressProps) {
  const isEmpty = max <= 0;
  return (
    <progress
      aria-label={label}
      aria-valuetext={text}
      max={isEmpty ? 1 : max}
      value={isEmpty ? 1 : Math.min(value, max)}
      data-testid={testId}
      data-value={value}
      data-max={max}
      className={`bar ${TONES[tone]}`}
    />
  );
}
