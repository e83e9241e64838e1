/** The HTTP sources of a torrent: each request of theirs goes through the guard. */
import { HttpRangeSource } from '../../adapters/webseed/http-source.ts';
import type { AddressSource } from '../../base/address-policy.ts';
import { AppError } from '../../base/errors.ts';
import { type Log, silentLog } from '../../base/log.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';
import type { Torrent } from '../../torrent/index.ts';
import type { SwarmNode } from './swarm-node.ts';

/** Who named the URLs. */
export interface WebSeedOptions {
  /** Default `told`, by strangers, who may not name hosts inside your network; `judged` for URLs of your own. */
  readonly source?: AddressSource;
  /** Default: nothing is logged. */
  readonly log?: Log;
}

/**
 * Has the torrent also fetch from these URLs (BEP 19) once its metadata is known; only single-file torrents can. URLs that
 * are none are left out, and the log has one `web_seed.refused` for each.
 */
export function addWebSeeds(
  { guard }: Pick<SwarmNode, 'guard'>,
  torrent: Torrent,
  urls: readonly string[],
  { source = 'told', log = silentLog }: WebSeedOptions = {},
): void {
  const add = (info: TorrentInfo): void => {
    if (!info.isSingleFile) return;
    for (const url of urls) {
      try {
        const { totalBytes: sizeBytes, name: torrentName } = info;
        torrent.addWebSeed(new HttpRangeSource({ url, torrentName, sizeBytes, guard, source }));
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        log.info('web_seed.refused', { url, code: error.code });
      }
    }
  };
  if (torrent.info !== undefined) add(torrent.info);
  else torrent.events.on('metadata', add);
}
