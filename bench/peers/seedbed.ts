/**
 * Our engine as a peer over TCP, alone: no tracker, no discovery.
 *
 *     seed <torrent> <folder> <host:port>      prints READY
 *     leech <torrent> <folder> <host:port of the seeder>
 *                                              prints READY, waits for a line, prints DONE <s> <s to the first byte>
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { nodeHasher } from '../../src/adapters/node-crypto/hasher.ts';
import { nodeDisk } from '../../src/adapters/fs/disk.ts';
import { FilePieceStorage } from '../../src/adapters/fs/piece-storage.ts';
import { placeFiles } from '../../src/adapters/fs/placement.ts';
import { Volume } from '../../src/adapters/fs/volume.ts';
import { TcpDialer } from '../../src/adapters/tcp/dialer.ts';
import { ConnectionLimits } from '../../src/adapters/tcp/limits.ts';
import { TcpListener } from '../../src/adapters/tcp/listener.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { infoHashesOf, parseMetainfo } from '../../src/codec/metainfo.ts';
import { Engine, type PeerAddress } from '../../src/torrent/index.ts';

const [mode = '', torrentFile = '', folder = '', address = ''] = process.argv.slice(2);
const { info } = parseMetainfo(await readFile(torrentFile));
const hashes = await infoHashesOf(info);
const limits = new ConnectionLimits();
const engine = new Engine({
  ports: {
    clock: systemClock,
    hasher: nodeHasher,
    log: silentLog,
    random: Math.random,
    dialers: [new TcpDialer({ limits })],
  },
});

function storage(access: 'read' | 'write'): FilePieceStorage {
  const files = placeFiles(info, path.join(folder, info.name));
  return new FilePieceStorage(new Volume(nodeDisk, silentLog), files, access);
}

function parseAddress(text: string): PeerAddress {
  const at = text.lastIndexOf(':');
  return { host: text.slice(0, at), port: Number(text.slice(at + 1)) };
}

async function seed(): Promise<void> {
  engine.add({ ...hashes, info, storage: storage('read'), have: 'all' });
  await TcpListener.open({
    ...parseAddress(address),
    limits,
    log: silentLog,
    accept: (socket) => engine.accept(socket),
  });
  console.log('READY');
}

async function leech(): Promise<void> {
  const target = storage('write');
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
