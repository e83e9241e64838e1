/** What all commands share: exit codes, arguments, the way errors reach a person. */
import process from 'node:process';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { AppError } from '../base/errors.ts';

/** 0 done · 1 failed · 2 wrong usage or input · 3 stopped before the end; the same command goes on. */
export const EXIT = { done: 0, failed: 1, usage: 2, stopped: 3 } as const;

export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  readonly help: string;
  /** Resolves with the exit code. */
  run(args: readonly string[]): Promise<number>;
}

/** The arguments themselves are wrong. */
export class WrongUsage extends AppError {
  override readonly code = 'wrong_usage';
}

/** Options and positionals. @throws WrongUsage for unknown options and missing values */
export function readArguments<Options extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: Options,
): ReturnType<typeof parseArgs<{ options: Options; allowPositionals: true; strict: true }>> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new WrongUsage(error.message.replace(/\. To specify a positional.*$/s, ''), {}, { cause: error });
  }
}

/** A whole number of a range. @throws WrongUsage naming the option */
export function readNumber(option: string, text: string, min: number, max: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw new WrongUsage(`--${option} is a number from ${min} to ${max}`);
  return value;
}

/** One of a few words. @throws WrongUsage naming the option and the words */
export function readChoice<Choice extends string>(option: string, text: string, choices: readonly Choice[]): Choice {
  const choice = choices.find((one) => one === text);
  if (choice === undefined) throw new WrongUsage(`--${option} is one of ${choices.join(', ')}`);
  return choice;
}

/** What went wrong, on standard error, as words or as one JSON line; resolves to the exit code it means. */
export function complain(error: unknown, json: boolean): number {
  if (!(error instanceof AppError)) throw error;
  if (error.code === 'cancelled') return EXIT.stopped;
  const { code, message, facts } = error;
  process.stderr.write(
    json ? `${JSON.stringify({ event: 'error', code, message, facts })}\n` : `seedbed: ${message}\n`,
  );
  return code === 'wrong_usage' || code === 'invalid_input' || code === 'bad_setting' ? EXIT.usage : EXIT.failed;
}

/** Aborts at the first Ctrl+C or SIGTERM; the second one ends the process at once. */
export function stopOnSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.stopped);
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return controller.signal;
}
