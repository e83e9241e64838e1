/** The `get` use case: reads the source, starts a peer, downloads, and takes everything apart again. */
import { Guard } from '../../adapters/guard/guard.ts';
import { formatIp, parseIp } from '../../base/address.ts';
import { AddressPolicy } from '../../base/address-policy.ts';
import { InvalidInput } from '../../base/errors.ts';
import { type Log, silentLog } from '../../base/log.ts';
import type { EncryptionPolicy, PeerAddress } from '../../torrent/index.ts';
import { Download, type DownloadProgress, type DownloadResult } from './download.ts';
import { SwarmNode, type SwarmNodeOptions } from '../../kit/node/swarm-node.ts';
import type { FileFilter } from './file-filter.ts';
import { readSource } from './torrent-source.ts';

/** A source that names very many inner hosts is not reported on for ever. */
const MAX_LEFT_OUT = 10;

export interface FetchOptions {
  /** Magnet link, .torrent file, or URL. */
  readonly source: string;
  readonly target: string | undefined;
  /** `host:port` with an IP literal. */
  readonly peers: readonly string[];
  /** 0 = any. */
  readonly port: number;
  readonly useWebSeeds: boolean;
  /** Whether the source, and the peers it leads to, may name addresses of this machine and of private networks. */
  readonly allowPrivate: boolean;
  /** Undefined: the DHT stays off. */
  readonly dht?: SwarmNodeOptions['dht'];
  /** Default false. */
  readonly lsd?: boolean;
  /** Hears once of each host that the source names and that was not contacted because of where it is. */
  readonly leftOut?: (host: string) => void;
  /** Files to fetch; absent: those the link selects, else all. */
  readonly files?: FileFilter | undefined;
  /** Default `prefer`. */
  readonly encryption?: EncryptionPolicy;
  readonly signal: AbortSignal;
  readonly log?: Log;
}

export interface Fetching extends AsyncDisposable {
  progress(): DownloadProgress;
  /** Rejects as `Download.run` does. */
  readonly done: Promise<DownloadResult>;
}

/** @throws InvalidInput, NotFound, Unavailable, Cancelled before anything is written */
export async function fetchTorrent(options: FetchOptions): Promise<Fetching> {
  const {
    source,
    target,
    port,
    useWebSeeds,
    files,
    allowPrivate,
    encryption = 'prefer',
    signal,
    log = silentLog,
  } = options;
  const peers = options.peers.map(parsePeer);
  const policy = new AddressPolicy({ allowPrivate });
  const leftOut = once(options.leftOut ?? (() => undefined));
  const guard = new Guard({ policy, log, leftOut });
  const node = await SwarmNode.open({ port, log, guard, dht: options.dht, lsd: options.lsd, encryption });
  const resolved = await readSource(source, { guard, signal }).catch(async (error: unknown) => {
    await node.stop();
    throw error;
  });
  for (const peer of resolved.peers) if (!policy.allowsPeer(peer, 'told')) leftOut(peer.host);
  const wanted = { source: resolved, peers, useWebSeeds, log };
  const download = new Download(node, { ...wanted, ...(target !== undefined && { target }), ...(files && { files }) });
  const done = download.run(signal);
  return {
    progress: () => download.progress(),
    done,
    [Symbol.asyncDispose]: async () => {
      await Promise.allSettled([done]);
      await node.stop();
    },
  };
}

/** Each word is passed on the first time only. */
function once(hear: (word: string) => void): (word: string) => void {
  const heard = new Set<string>();
  return (word) => {
    if (heard.has(word) || heard.size >= MAX_LEFT_OUT) return;
    heard.add(word);
    hear(word);
  };
}

/** `192.0.2.7:6881` or `[2001:db8::1]:6881`. @throws InvalidInput */
function parsePeer(text: string): PeerAddress {
  const [, v6, v4, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw new InvalidInput(`a peer is an IP address and a port, such as 192.0.2.7:6881, not ${text}`);
  return { host: formatIp(parseIp(v6 ?? v4 ?? '')), port: Number(port) };
}
