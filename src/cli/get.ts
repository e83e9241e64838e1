/** `seedbed get`: fetches a torrent and ends. */
import process from 'node:process';
import type { FileFilter } from '../app/swarm/file-filter.ts';
import { formatBytes, formatDuration } from '../base/units.ts';
import { type Command, complain, EXIT, readArguments, readNumber, stopOnSignal, WrongUsage } from './command.ts';
import { showProgress } from './progress.ts';
import { readSwarm, SWARM_HELP, SWARM_OPTIONS, type SwarmWish } from './swarm-options.ts';

const HELP = `Usage: seedbed get <magnet | file.torrent | url> [options]

Downloads a torrent, checks every byte and ends. Interrupted, it keeps what it has; the same command goes on.
A link that selects files (so=) fetches just those, unless --files or --select says otherwise.
The URL may be that of a .torrent file, or of a file or page of a Seedbed.

Options:
  -o, --output <path>  File (or folder, for several files) to make; default: the torrent's name, here
      --files <0,2-4>  Only these files of the torrent, counted from 0
      --select <name>  Only files of this name; * and ? stand for any text (may be given several times)
      --peer <host:port>  Also ask this peer (may be given several times)
      --no-web-seeds   From peers only, not over HTTP
      --local          Also contact private addresses (of this machine, your network) that the source names
      --timeout <seconds>  Give up after so long; what came is kept
${SWARM_HELP}
      --json           One JSON object a line on standard output instead of a progress bar
  -h, --help           Show this, and end

Exit codes: 0 complete and verified, 1 failed, 2 wrong usage or input, 3 stopped before the end.
`;

const OPTIONS = {
  output: { type: 'string', short: 'o' },
  files: { type: 'string' },
  select: { type: 'string', multiple: true },
  peer: { type: 'string', multiple: true },
  'no-web-seeds': { type: 'boolean' },
  local: { type: 'boolean' },
  timeout: { type: 'string' },
  ...SWARM_OPTIONS,
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

export const getCommand: Command = {
  summary: 'download by magnet link, .torrent file or URL',
  help: HELP,
  async run(args) {
    const { values, positionals } = readArguments(args, OPTIONS);
    if (values.help === true) {
      process.stdout.write(HELP);
      return EXIT.done;
    }
    const [source, ...rest] = positionals;
    if (source === undefined || rest.length > 0) throw new WrongUsage('name one magnet link, .torrent file or URL');
    const timeoutMs = values.timeout === undefined ? undefined : readNumber('timeout', values.timeout, 1, 1e7) * 1000;
    const stopped = stopOnSignal();
    return get({
      source,
      target: values.output,
      files: await readFilter(values.files, values.select),
      peers: values.peer ?? [],
      ...readSwarm(values),
      useWebSeeds: values['no-web-seeds'] !== true,
      allowPrivate: values.local === true,
      json: values.json ?? false,
      signal: timeoutMs === undefined ? stopped : AbortSignal.any([stopped, AbortSignal.timeout(timeoutMs)]),
    });
  },
};

/** @throws InvalidInput for ranges that are none */
async function readFilter(files: string | undefined, select: readonly string[] = []): Promise<FileFilter | undefined> {
  if (files === undefined && select.length === 0) return undefined;
  const { parseFileRanges } = await import('../app/swarm/file-filter.ts');
  return { ranges: files === undefined ? [] : parseFileRanges(files), patterns: select };
}

interface GetOptions extends SwarmWish {
  readonly source: string;
  readonly target: string | undefined;
  readonly files: FileFilter | undefined;
  readonly peers: readonly string[];
  readonly useWebSeeds: boolean;
  readonly allowPrivate: boolean;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

async function get(options: GetOptions): Promise<number> {
  const { json, signal } = options;
  const { fetchTorrent } = await import('../app/swarm/fetch-torrent.ts');
  const startedAtMs = performance.now();
  try {
    await using fetching = await fetchTorrent({ ...options, leftOut: (host) => sayLeftOut(host, json) });
    using _shown = showProgress(json, () => {
      const { phase, name, ...progress } = fetching.progress();
      return { label: [phase, name ?? ''].join(' ').trim(), ...progress };
    });
    const result = await fetching.done;
    const tookMs = performance.now() - startedAtMs;
    if (json) process.stdout.write(`${JSON.stringify({ event: 'done', ...result, tookMs: Math.round(tookMs) })}\n`);
    else
      process.stdout.write(
        `${result.path}\n${formatBytes(result.sizeBytes)} in ${formatDuration(tookMs)}: ` +
          `${formatBytes(result.bytesFromPeers)} from peers, ${formatBytes(result.bytesFromHttp)} over HTTP. Verified.\n`,
      );
    return EXIT.done;
  } catch (error) {
    if (!signal.aborted) return complain(error, json);
    const note = 'stopped; the same command goes on where it was';
    process.stderr.write(json ? `${JSON.stringify({ event: 'stopped' })}\n` : `seedbed: ${note}\n`);
    return EXIT.stopped;
  }
}

/** Why a download may find nobody: said when it happens, on standard error. */
function sayLeftOut(host: string, json: boolean): void {
  const words = `\r\u001B[Kseedbed: ${host} is a private address; it was left out (--local contacts it)`;
  process.stderr.write(`${json ? JSON.stringify({ event: 'left_out', host }) : words}\n`);
}
