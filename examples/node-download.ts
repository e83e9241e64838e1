/**
 * Streams a torrent, or a part of it, to standard output while it arrives; what came is kept in a folder. Ends when all
 * that was asked for is there.
 *
 *     node examples/node-download.ts 'magnet:?xt=urn:btih:…' | mpv -
 *     node examples/node-download.ts film.torrent --range 0-65535 --peer 192.0.2.7:24244 > beginning.bin
 */
import { readFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { AppError, type PeerAddress, type Torrent } from 'seedbed/torrent';
import { addTorrent, SwarmNode } from 'seedbed/torrent/node';

const HELP = `node examples/node-download.ts <magnet | .torrent file>
  [--folder <where to keep it, default: downloads>] [--range <first byte>-<last byte>] [--peer <ip>:<port>]…
  [--local: also ask trackers and peers at private addresses that the source names]`;
const PROGRESS_MS = 500;

/** What was typed is wrong; shown without a stack. */
class WrongUsage extends Error {}

/** `0-99` is the first hundred bytes; without a range, everything. */
function parseRange(text: string | undefined, totalBytes: number): { start: number; endExclusive: number } {
  const [, first, last] = /^(\d+)-(\d+)$/.exec(text ?? `0-${totalBytes - 1}`) ?? [];
  if (first === undefined || last === undefined) throw new WrongUsage('--range is <first byte>-<last byte>');
  return { start: Number(first), endExclusive: Number(last) + 1 };
}

/** `192.0.2.7:24244`, `[2001:db8::7]:24244` */
function parsePeer(text: string): PeerAddress {
  const [, host, port] = /^\[?([\da-fA-F.:]+)\]?:(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || port === undefined) throw new WrongUsage('--peer is <ip>:<port>');
  return { host, port: Number(port) };
}

function describe(torrent: Torrent): string {
  const { progress, peers, downloadBytesPerSecond } = torrent.stats();
  const megabytesPerSecond = (downloadBytesPerSecond / 1e6).toFixed(1);
  return `${(progress * 100).toFixed(1)} % here, ${peers} peers, ${megabytesPerSecond} MB/s`;
}

async function main(stop: AbortSignal): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      folder: { type: 'string', default: 'downloads' },
      range: { type: 'string' },
      peer: { type: 'string', multiple: true, default: [] },
      local: { type: 'boolean', default: false },
    },
  });
  const [source] = positionals;
  if (source === undefined) {
    console.error(HELP);
    process.exitCode = 2;
    return;
  }
  const peers = values.peer.map(parsePeer);
  if (values.range !== undefined) parseRange(values.range, 1); // told before anything is opened
  await using node = await SwarmNode.open({ allowPrivate: values.local });
  const torrent = await addTorrent(node, source.startsWith('magnet:') ? source : await readFile(source), {
    folder: values.folder,
    mode: 'on-demand', // nothing is fetched but what is read
    peers,
  });
  const info = await torrent.ready(stop);
  const range = parseRange(values.range, info.totalBytes);
  console.error(`${info.name}: bytes ${range.start} to ${range.endExclusive} of ${info.totalBytes}`);
  const timer = setInterval(() => console.error(describe(torrent)), PROGRESS_MS);
  try {
    await pipeline(torrent.read({ ...range, signal: stop }), process.stdout, { end: false });
  } finally {
    clearInterval(timer);
  }
  console.error(describe(torrent));
}

const stopping = new AbortController();
process.once('SIGINT', () => stopping.abort());
process.once('SIGTERM', () => stopping.abort());
try {
  await main(stopping.signal);
} catch (error) {
  if (!(error instanceof Error)) throw error;
  // A fault of the program keeps its stack; what was typed, missing files and what the swarm refuses are said in words.
  const isExpected = error instanceof AppError || error instanceof WrongUsage || 'code' in error;
  console.error(isExpected ? error.message : error);
  process.exitCode = 1;
}
