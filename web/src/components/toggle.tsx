/** A labelled on/off switch with a word of explanation. */
import { Switch } from 'radix-ui';
import { useId } from 'react';

interface ToggleProps {
  readonly label: string;
  readonly hint?: string;
  readonly isOn: boolean;
  readonly onChange: (isOn: boolean) => void;
  readonly isDisabled?: boolean;
}

export function Toggle({ label, hint, isOn, onChange, isDisabled = false }: ToggleProps) {
  const id = useId();
  return (
    <div className="flex items-start justify-between gap-4">
      <div className="min-w-0">
        <label htmlFor={id} className="text-sm font-medium">
          {label}
        </label>
        {hint !== undefined && (
          <p id={`${id}-hint`} className="mt-0.5 text-sm text-muted">
            {hint}
          </p>
        )}
      </div>
      <Switch.Root
        id={id}
        checked={isOn}
        disabled={isDisabled}
        onCheckedChange={onChange}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        className="relative h-6 w-11 flex-none rounded-full border border-line-strong bg-sunken transition-colors duration-150 disabled:opacity-50 data-[state=checked]:border-action data-[state=checked]:bg-action"
      >
        <Switch.Thumb className="block size-4 translate-x-1 rounded-full bg-line-strong transition-transform duration-150 data-[state=checked]:translate-x-5.5 data-[state=checked]:bg-on-action rtl:-translate-x-1 rtl:data-[state=checked]:-translate-x-5.5" />
      </Switch.Root>
    </div>
  );
}
