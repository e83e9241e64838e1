/**
 * Our engine as a peer over TCP, alone: no tracker, no discovery. Encrypted handshakes are offered, as in the product.
 *
 *     seed <torrent> <folder> <host:port>      prints READY
 *     leech <torrent> <folder> <host:port of the seeder>
 *                                              prints READY, waits for a line, prints DONE <s> <s to the first byte>
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { createEngine, fileStorage, parseAddress, readTorrent } from '../support/engine.ts';

const [mode = '', torrentFile = '', folder = '', address = ''] = process.argv.slice(2);
const { info, hashes } = await readTorrent(torrentFile);
const { engine, listen } = createEngine();

async function seed(): Promise<void> {
  engine.add({ ...hashes, info, storage: fileStorage(info, folder, 'read'), have: 'all' });
  await listen(parseAddress(address));
  console.log('READY');
}

async function leech(): Promise<void> {
  const target = fileStorage(info, folder, 'write');
  await target.prepare();
  const torrent = engine.add({ ...hashes, info, storage: target, have: 'none' });
  console.log('READY');
  await once(createInterface(process.stdin), 'line');
  const startedAtMs = performance.now();
  const seconds = (): string => ((performance.now() - startedAtMs) / 1000).toFixed(4);
  // From the connection on: a little before the first byte, so never in our favour.
  let first = '';
  torrent.events.on('peer', () => (first ||= seconds()));
  torrent.events.on('done', () => console.log(`DONE ${seconds()} ${first}`));
  torrent.addPeers([parseAddress(address)]);
}

process.once('SIGTERM', () => process.exit(0));
await (mode === 'seed' ? seed() : leech());
