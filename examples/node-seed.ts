/**
 * Seeds a file from where it lies, until Ctrl+C:
 *
 *     node examples/node-seed.ts film.mp4 --tracker ws://127.0.0.1:24242/announce --torrent film.torrent
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { AppError } from 'seedbed/torrent';
import { hashFile, seedFile, SwarmNode } from 'seedbed/torrent/node';

const HELP = 'node examples/node-seed.ts <file> [--tracker <url>]… [--port <n>] [--torrent <file to write>]';

async function main(stop: AbortSignal): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      tracker: { type: 'string', multiple: true, default: [] },
      port: { type: 'string', default: '0' },
      torrent: { type: 'string' },
    },
  });
  const [file] = positionals;
  if (file === undefined) {
    console.error(HELP);
    process.exitCode = 2;
    return;
  }
  const hashed = await hashFile(file, { signal: stop });
  await using node = await SwarmNode.open({ port: Number(values.port) });
  const { magnet, metainfo, torrent } = await seedFile(node, hashed, values.tracker);
  if (values.torrent !== undefined) await writeFile(values.torrent, metainfo);
  console.log(magnet);
  console.log(`Peers reach it at port ${node.address.port}.`);
  torrent.events.on('peer', ({ peer, change }) => console.log(`${peer.client} ${change}`));
  await new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
}

const stopping = new AbortController();
process.once('SIGINT', () => stopping.abort());
process.once('SIGTERM', () => stopping.abort());
try {
  await main(stopping.signal);
} catch (error) {
  if (!(error instanceof Error)) throw error;
  // A fault of the program keeps its stack; what was typed and missing files are said in words.
  console.error(error instanceof AppError || 'code' in error ? error.message : error);
  process.exitCode = 1;
}
