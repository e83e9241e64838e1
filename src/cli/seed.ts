/** `seedbed seed`: offers files of the user's, as they lie, until stopped. */
import process from 'node:process';
import { formatBytes } from '../base/units.ts';
import { type Command, complain, EXIT, readArguments, readChoice, stopOnSignal, WrongUsage } from './command.ts';
import { rateMeter, showProgress } from './progress.ts';
import { readSwarm, SWARM_HELP, SWARM_OPTIONS, type SwarmWish } from './swarm-options.ts';

const HELP = `Usage: seedbed seed <file or folder>… [options]

Makes the canonical torrent of each file (the same on every machine), prints its magnet link and serves it until
Ctrl+C. Nothing is copied. Without a tracker, peers find you by the address printed.

Options:
      --format <format>  v1, hybrid or v2: a torrent of this format under the file's or folder's own name, instead of the
                       canonical one (v1 of a single file stays canonical)
  -t, --tracker <url>  Announce to this tracker: http, https, udp, ws or wss (may be given several times)
  -o, --output <path>  Write the .torrent here; with several files, a folder for all of them
      --host <address>  Listen on this address only
${SWARM_HELP}
      --json           One JSON object a line on standard output
  -h, --help           Show this, and end

Exit codes: 0 stopped as asked, 1 failed, 2 wrong usage or input.
`;

const FORMATS = ['v1', 'hybrid', 'v2'] as const;

const OPTIONS = {
  format: { type: 'string' },
  tracker: { type: 'string', short: 't', multiple: true },
  output: { type: 'string', short: 'o' },
  host: { type: 'string' },
  ...SWARM_OPTIONS,
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

export const seedCommand: Command = {
  summary: 'offer files to peers, straight from where they lie',
  help: HELP,
  async run(args) {
    const { values, positionals } = readArguments(args, OPTIONS);
    if (values.help === true) {
      process.stdout.write(HELP);
      return EXIT.done;
    }
    if (positionals.length === 0) throw new WrongUsage('name at least one file');
    const json = values.json ?? false;
    try {
      return await seed({
        files: positionals,
        format: values.format === undefined ? undefined : readChoice('format', values.format, FORMATS),
        trackers: values.tracker ?? [],
        output: values.output,
        host: values.host,
        ...readSwarm(values),
        json,
        signal: stopOnSignal(),
      });
    } catch (error) {
      return complain(error, json);
    }
  },
};

interface SeedOptions extends SwarmWish {
  readonly files: readonly string[];
  readonly format: (typeof FORMATS)[number] | undefined;
  readonly trackers: readonly string[];
  readonly output: string | undefined;
  readonly host: string | undefined;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

async function seed(options: SeedOptions): Promise<number> {
  const { offerFiles } = await import('../app/swarm/offer-files.ts');
  const { json, signal } = options;
  const meter = rateMeter(() => performance.now());
  let hashing = { label: 'hashing', doneBytes: 0, totalBytes: 0 };
  using shown = showProgress(json, () => ({ ...hashing, bytesPerSecond: meter(hashing.doneBytes) }));
  await using offer = await offerFiles(options, (file, doneBytes, totalBytes) => {
    hashing = { label: `hashing ${file}`, doneBytes, totalBytes };
  });
  shown[Symbol.dispose]();
  for (const file of offer.files) {
    if (json) process.stdout.write(`${JSON.stringify({ event: 'seeding', ...file, peerAddress: offer.address })}\n`);
    else process.stdout.write(`${file.name}  ${formatBytes(file.sizeBytes)}\n  ${file.magnet}\n`);
  }
  if (!json) process.stdout.write(`Peers reach you at ${offer.address}. Stop with Ctrl+C.\n`);
  using _traffic = showProgress(json, () => ({ label: 'seeding', totalBytes: undefined, ...offer.traffic() }));
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  return EXIT.done;
}
