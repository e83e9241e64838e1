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

function aria2(name: string, options: readonly string[] = []): StockClient {
  const start = (host: OtherHost, folder: string, ...args: readonly string[]): Promise<Program> =>
    Promise.resolve(host.start(programOf('aria2c'), [...ARIA2_ALONE, ...options, '-d', folder, ...args]));
  return {
    name,
    needs: ['aria2c'],
    trackers: 'http and udp',
    leech: (host, source, folder) => start(host, folder, '--seed-time=0', source),
    seed: (host, torrentFile, folder) => start(host, folder, '--seed-ratio=0.0', '--check-integrity=true', torrentFile),
  };
}

const TRANSMISSION_ALONE = {
  'dht-enabled': false,
  'pex-enabled': false,
  'lpd-enabled': false,
  'port-forwarding-enabled': false,
};

function transmission(
  name: string,
  options: readonly string[] = [],
  settings: Readonly<Record<string, unknown>> = {},
): StockClient {
  const start = async (host: OtherHost, source: string, folder: string): Promise<Program> => {
    const config = path.join(folder, '.config');
    await mkdir(config, { recursive: true });
    await writeFile(path.join(config, 'settings.json'), JSON.stringify({ ...TRANSMISSION_ALONE, ...settings }));
    const args = ['-g', config, '-w', folder, '-M', '-p', PORT, ...options, source];
    return host.start(programOf('transmission-cli'), args);
  };
  return { name, needs: ['transmission-cli'], trackers: 'http and udp', leech: start, seed: start };
}

function scripted(
  name: string,
  program: string,
  script: string,
  needs: readonly Need[],
  options: readonly string[] = [],
): StockClient {
  const start = (mode: string) => (host: OtherHost, source: string, folder: string) => {
    const listen = script.endsWith('.py') ? `${host.there}:${PORT}` : PORT;
    return Promise.resolve(host.start(program, [path.join(PEERS, script), mode, source, folder, listen, ...options]));
  };
  return { name, needs, trackers: 'http and udp', leech: start('leech'), seed: start('seed') };
}

const webTorrent = scripted('WebTorrent over TCP', process.execPath, 'webtorrent.mjs', []);

export const STOCK_CLIENTS: readonly StockClient[] = [
  aria2('aria2'),
  transmission('Transmission'),
  scripted('libtorrent', '/usr/bin/python3', 'libtorrent_peer.py', ['libtorrent']),
  webTorrent,
  { ...webTorrent, name: 'WebTorrent over WebRTC', trackers: 'websocket' },
];

/** Clients that speak encrypted only; the stream stays so. */
export const ENCRYPTED_CLIENTS: readonly StockClient[] = [
  aria2('aria2', ['--bt-require-crypto=true', '--bt-min-crypto-level=arc4']),
  // Else it dials by uTP first, and waits long before it tries TCP.
  transmission('Transmission', ['--encryption-required'], { 'utp-enabled': false }),
  scripted('WebTorrent', process.execPath, 'webtorrent.mjs', [], ['2']),
];

function programOf(name: string): string {
  return findProgram(name) ?? name;
}
