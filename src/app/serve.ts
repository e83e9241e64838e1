/** `seedbed serve`: settings in, a server until a signal ends it, an exit code out. */
import process from 'node:process';
import { AppError } from '../base/errors.ts';
import { SECOND_MS } from '../base/units.ts';
import { banner } from './banner.ts';
import { describeConfig, readConfig, type Config } from './config.ts';
import { jsonLog, terminalLog } from './log.ts';
import { startServer } from './server.ts';
import { VERSION } from './version.ts';

const EXIT_OK = 0;
const EXIT_FAILED = 1;
const EXIT_BAD_SETTING = 2;
const FORCED = 130;
const SAME_REQUEST_MS = 2 * SECOND_MS;

export const SERVE_HELP = `Usage: seedbed serve [--print-config] [--json] [--help]

Runs the server until Ctrl+C (or SIGTERM). Settings come from the environment:

${describeConfig(readConfig({}))
  .map(
    ({ key, meaning, expects, fallback }) =>
      `  ${key.padEnd(28)}${meaning}\n${' '.repeat(30)}${expects}; default ${fallback === '' ? 'none' : fallback}`,
  )
  .join('\n')}

Options:
  --print-config  Show every setting with its value, and end
  --json          Log JSON lines even on a terminal (and with --print-config)
  --help          Show this, and end

Exit codes: 0 ended as asked, 1 could not run, 2 a setting is wrong.
`;

export interface ServeFlags {
  readonly printConfig: boolean;
  readonly json: boolean;
}

/** Resolves with the exit code. */
export async function serve(flags: ServeFlags): Promise<number> {
  const startedAtMs = performance.now();
  let config: Config;
  try {
    config = readConfig(process.env);
  } catch (error) {
    return complain(error, EXIT_BAD_SETTING, flags.json);
  }
  if (flags.printConfig) {
    printConfig(config, flags.json);
    return EXIT_OK;
  }
  const isTerminal = process.stdout.isTTY && !flags.json;
  const log = isTerminal
    ? terminalLog(config.logLevel === 'info' ? 'warn' : config.logLevel, (line) => process.stderr.write(line))
    : jsonLog(config.logLevel);
  try {
    // Before the start: whoever sees that the server is ready may already ask it to stop.
    const asked = stopSignal();
    const server = await startServer(config, log);
    const startedInMs = performance.now() - startedAtMs;
    const { setupUrl, torrents } = server;
    if (isTerminal) {
      process.stdout.write(
        banner({ config, version: VERSION, startedInMs, torrents, ...(setupUrl === undefined ? {} : { setupUrl }) }),
      );
    } else {
      // The link's secret is for the owner's eyes: it is in the data folder, not in a log that others collect.
      log.info('server.ready', {
        url: config.publicUrl,
        version: VERSION,
        startedInMs: Math.round(startedInMs),
        torrents,
      });
      if (setupUrl !== undefined)
        log.info('owner.missing', { open: `${config.publicUrl}/setup#<the text of setup-token in the data folder>` });
    }
    const signal = await asked;
    log.info('server.stopping', { signal });
    await server.stop();
    log.info('server.stopped', {});
    return EXIT_OK;
  } catch (error) {
    return complain(error, EXIT_FAILED, flags.json);
  } finally {
    await log.close();
  }
}

function printConfig(config: Config, json: boolean): void {
  const lines = describeConfig(config);
  if (json) {
    process.stdout.write(
      `${JSON.stringify(Object.fromEntries(lines.map(({ key, value }) => [key, value])), null, 2)}\n`,
    );
    return;
  }
  for (const { key, value, meaning } of lines) process.stdout.write(`# ${meaning}\n${key}=${value}\n\n`);
}

/** On standard error, as words or as the one JSON line that every command has for it. */
function complain(error: unknown, code: number, json: boolean): number {
  if (!(error instanceof AppError)) throw error;
  if (json) {
    const { message, facts } = error;
    process.stderr.write(`${JSON.stringify({ event: 'error', code: error.code, message, facts })}\n`);
    return code;
  }
  const facts = Object.entries(error.facts).filter(([, value]) => value !== undefined);
  const shown = facts.length === 0 ? '' : ` (${facts.map(([name, value]) => `${name} ${value}`).join(', ')})`;
  process.stderr.write(`seedbed: ${error.message}${shown}\n`);
  return code;
}

/**
 * Resolves at the first signal. Whoever asks again does not want to wait: the process ends, and recovery at the next
 * start completes what was acknowledged. A repetition at once is the same request: a terminal signals the whole process
 * group, and npm and the bootstrap pass signals on as well.
 */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let askedAtMs: number | undefined;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => {
        askedAtMs ??= performance.now();
        if (performance.now() - askedAtMs >= SAME_REQUEST_MS) process.exit(FORCED);
        resolve(signal);
      });
  });
}
