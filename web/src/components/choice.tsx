/** A labelled native select: the same on every device, and the keyboard knows it. */
import { ChevronDown } from 'lucide-react';
import { useId } from 'react';

interface ChoiceProps<Value extends string | number> {
  readonly label: string;
  readonly hint?: string;
  readonly value: Value;
  readonly options: readonly { readonly value: Value; readonly label: string }[];
  readonly onChange: (value: Value) => void;
  readonly isDisabled?: boolean;
}

export function Choice<Value extends string | number>({
  label,
  hint,
  value,
  options,
  onChange,
  isDisabled = false,
}: ChoiceProps<Value>) {
  const id = useId();
  const choose = (index: number): void => {
    const option = options[index];
    if (option !== undefined) onChange(option.value);
  };
  return (
    <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
      <div className="min-w-0">
        <label htmlFor={id} className="text-sm font-medium">
          {label}
        </label>
        {hint !== undefined && <p className="mt-0.5 text-sm text-muted">{hint}</p>}
      </div>
      <div className="relative">
        <select
          id={id}
          disabled={isDisabled}
          value={options.findIndex((option) => option.value === value)}
          onChange={(event) => choose(Number(event.currentTarget.value))}
          className="min-h-10 appearance-none rounded-control border border-line-strong bg-surface py-2 ps-3 pe-9 text-sm disabled:opacity-50"
        >
          {options.map((option, index) => (
            <option key={option.value} value={index}>
              {option.label}
            </option>
          ))}
        </select>
        <ChevronDown
          aria-hidden
          size={16}
          className="pointer-events-none absolute inset-y-0 end-3 my-auto text-muted"
        />
      </div>
    </div>
  );
}
