/** The `get` use case: reads the source, starts a peer, downloads, and takes everything apart again. */
import { formatIp, parseIp } from '../../base/address.ts';
import { InvalidInput } from '../../base/errors.ts';
import { type Log, silentLog } from '../../base/log.ts';
import type { PeerAddress } from '../../torrent/index.ts';
import { Download, type DownloadProgress, type DownloadResult } from './download.ts';
import { SwarmNode } from '../../kit/node/swarm-node.ts';
import { readSource } from './torrent-source.ts';

export interface FetchOptions {
  /** Magnet link, .torrent file, or URL. */
  readonly source: string;
  readonly target: string | undefined;
  /** `host:port` with an IP literal. */
  readonly peers: readonly string[];
  /** 0 = any. */
  readonly port: number;
  readonly useWebSeeds: boolean;
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
  const { source, target, port, useWebSeeds, signal, log = silentLog } = options;
  const peers = options.peers.map(parsePeer);
  const resolved = await readSource(source, signal);
  const node = await SwarmNode.open({ port, log });
  const wanted = { source: resolved, peers, useWebSeeds, log };
  const download = new Download(node, target === undefined ? wanted : { ...wanted, target });
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

/** `192.0.2.7:6881` or `[2001:db8::1]:6881`. @throws InvalidInput */
function parsePeer(text: string): PeerAddress {
  const [, v6, v4, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw new InvalidInput(`a peer is an IP address and a port, such as 192.0.2.7:6881, not ${text}`);
  return { host: formatIp(parseIp(v6 ?? v4 ?? '')), port: Number(port) };
}
