/**
 * Two faces of one log: JSON lines by pino for machines, and, on a terminal, short lines for a person. Field names
 * that could carry a secret are redacted in both, as a last resort; callers never pass secrets in the first place.
 */
import { destination, pino, stdTimeFunctions } from 'pino';
import { AppError } from '../base/errors.ts';
import type { Log, LogFields } from '../base/log.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

const SECRET_FIELDS = [
  'authorization',
  'cookie',
  'token',
  'password',
  'secret',
  'secretKey',
  'credential',
  'setupToken',
];
const ORDER: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** Lines that wait for a reader that has stopped reading: beyond this many bytes new ones are dropped. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;
/** How long the end waits for that reader. */
const CLOSE_TIMEOUT_MS = 2_000;

export interface ClosableLog extends Log {
  /**
   * Resolves once every line is with the system, in the order in which they were logged; also when nobody reads them
   * any more. Later lines are dropped.
   */
  close(): Promise<void>;
}

/** JSON lines on the given file descriptor (1 = standard output), which `close` closes unless it is a standard one. */
export function jsonLog(level: LogLevel, descriptor = 1): ClosableLog {
  let hasReader = true;
  let isClosed = false;
  const sink = destination({
    dest: descriptor,
    sync: false,
    maxLength: MAX_WAITING_BYTES,
    retryEAGAIN: () => hasReader,
  });
  // A log that can't be written, on a full disk or into a closed pipe, is no reason to end the server.
  sink.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') hasReader = false;
  });
  const close = (): Promise<void> => {
    if (isClosed || !hasReader) return Promise.resolve();
    isClosed = true;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        hasReader = false;
        resolve();
      }, CLOSE_TIMEOUT_MS);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      sink.once('close', done).once('error', done);
      // Not the synchronous flush, which overtakes a write that is under way.
      sink.end();
    });
  };
  const logger = pino(
    {
      level,
      base: {},
      messageKey: 'event',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]), censor: '[redacted]' },
      serializers: { error: describeError },
    },
    sink,
  );
  const at =
    (name: LogLevel) =>
    (event: string, fields: LogFields = {}): void => {
      if (!isClosed) logger[name](fields, event);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), close };
}

/** Lines for a person: time, level, event, fields. */
export function terminalLog(level: LogLevel, write: (line: string) => void): ClosableLog {
  const at =
    (name: LogLevel) =>
    (event: string, fields: LogFields = {}): void => {
      if (ORDER.indexOf(name) < ORDER.indexOf(level)) return;
      const shown = Object.entries(fields).map(([key, value]) => `${key}=${showField(key, value)}`);
      write(`${new Date().toTimeString().slice(0, 8)} ${name.padEnd(5)} ${[event, ...shown].join('  ')}\n`);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), close: () => Promise.resolve() };
}

function showField(key: string, value: unknown): string {
  if (SECRET_FIELDS.includes(key)) return '[redacted]';
  if (value instanceof Error) return value.message;
  return typeof value === 'string' ? value : JSON.stringify(value, hideSecrets);
}

function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code = error instanceof AppError ? { code: error.code, facts: error.facts } : {};
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) };
  return { name: error.name, message: error.message, ...code, stack: error.stack, ...cause };
}

function hideSecrets(key: string, value: unknown): unknown {
  return SECRET_FIELDS.includes(key) ? '[redacted]' : value;
}
