/** Stock BitTorrent clients as peers on the other host: how each is told to fetch and to seed, and nothing else. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { findProgram, type Need } from '../support/peers.ts';
import type { Program } from '../support/program.ts';
import type { OtherHost } from './network.ts';

const PEERS = path.resolve(import.meta.dirname, 'peers');
/** Any port: each host is its client's own. */
const PORT = '6881';

export interface StockClient {
  readonly name: string;
  readonly needs: readonly Need[];
  /** Which trackers of ours it can use. */
  readonly trackers: 'http and udp' | 'websocket';
  /** Fetches a .torrent file or magnet into the folder; ready when the bytes are there. */
  leech(host: OtherHost, source: string, folder: string): Promise<Program>;
  /** Serves the file that lies in the folder; announces by itself. */
  seed(host: OtherHost, torrentFile: string, folder: string): Promise<Program>;
}

const ARIA2_ALONE = [
  '--no-conf',
  '--enable-dht=false',
  '--enable-dht6=false',
  '--enable-peer-exchange=false',
  '--bt-enable-lpd=false',
  '--file-allocation=none',
  `--listen-port=${PORT}`,
];

const aria2: StockClient = {
  name: 'aria2',
  needs: ['aria2c'],
  trackers: 'http and udp',
  leech: (host, source, folder) =>
    Promise.resolve(host.start(programOf('aria2c'), [...ARIA2_ALONE, '--seed-time=0', '-d', folder, source])),
  seed: (host, torrentFile, folder) =>
    Promise.resolve(
      host.start(programOf('aria2c'), [
        ...ARIA2_ALONE,
        '--seed-ratio=0.0',
        '--check-integrity=true',
        '-d',
        folder,
        torrentFile,
      ]),
    ),
};

const transmission: StockClient = {
  name: 'Transmission',
  needs: ['transmission-cli'],
  trackers: 'http and udp',
  leech: startTransmission,
  seed: startTransmission,
};

async function startTransmission(host: OtherHost, source: string, folder: string): Promise<Program> {
  const config = path.join(folder, '.config');
  await mkdir(config, { recursive: true });
  const alone = { 'dht-enabled': false, 'pex-enabled': false, 'lpd-enabled': false };
  await writeFile(path.join(config, 'settings.json'), JSON.stringify({ ...alone, 'port-forwarding-enabled': false }));
  return host.start(programOf('transmission-cli'), ['-g', config, '-w', folder, '-M', '-p', PORT, source]);
}

function scripted(name: string, program: string, script: string, needs: readonly Need[]): StockClient {
  const start = (mode: string) => (host: OtherHost, source: string, folder: string) => {
    const listen = script.endsWith('.py') ? `${host.there}:${PORT}` : PORT;
    return Promise.resolve(host.start(program, [path.join(PEERS, script), mode, source, folder, listen]));
  };
  return { name, needs, trackers: 'http and udp', leech: start('leech'), seed: start('seed') };
}

const webTorrent = scripted('WebTorrent over TCP', process.execPath, 'webtorrent.mjs', []);

export const STOCK_CLIENTS: readonly StockClient[] = [
  aria2,
  transmission,
  scripted('libtorrent', '/usr/bin/python3', 'libtorrent_peer.py', ['libtorrent']),
  webTorrent,
  { ...webTorrent, name: 'WebTorrent over WebRTC', trackers: 'websocket' },
];

function programOf(name: string): string {
  return findProgram(name) ?? name;
}
