/** The HTTP sources that a torrent names, as strangers' words: each request of theirs goes through the guard. */
import type { Guard } from '../../adapters/guard/guard.ts';
import { HttpRangeSource } from '../../adapters/webseed/http-source.ts';
import { AppError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';
import type { Torrent } from '../../torrent/index.ts';

/** Has the torrent also fetch from these URLs (BEP 19) once its metadata is known; only single-file torrents can. */
export function addWebSeeds(torrent: Torrent, urls: readonly string[], guard: Guard, log: Log): void {
  const add = (info: TorrentInfo): void => {
    if (!info.isSingleFile) return;
    for (const url of urls) {
      try {
        const { totalBytes: sizeBytes, name: torrentName } = info;
        torrent.addWebSeed(new HttpRangeSource({ url, torrentName, sizeBytes, guard, source: 'told' }));
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        log.info('web_seed.refused', { url, code: error.code });
      }
    }
  };
  if (torrent.info !== undefined) add(torrent.info);
  else torrent.events.on('metadata', add);
}
