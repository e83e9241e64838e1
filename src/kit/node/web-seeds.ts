/** The HTTP sources of a torrent: each request of theirs goes through the guard. */
import { HttpRangeSource } from '../../adapters/webseed/http-source.ts';
import type { AddressSource } from '../../base/address-policy.ts';
import { AppError } from '../../base/errors.ts';
import { type Log, silentLog } from '../../base/log.ts';
import { checkKeys, checkTexts, type OptionKeys } from '../../base/options.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';
import { webSeedOf } from '../../torrent/files-source.ts';
import type { Torrent } from '../../torrent/index.ts';
import { checkAddressSource } from '../../torrent/options-check.ts';
import type { SwarmNode } from './swarm-node.ts';

/** Who named the URLs. */
export interface WebSeedOptions {
  /** Default `told`, by strangers, who may not name hosts inside your network; `judged` for URLs of your own. */
  readonly source?: AddressSource;
  /** Default: nothing is logged. */
  readonly log?: Log;
}

const SEED_KEYS: OptionKeys<WebSeedOptions> = { source: true, log: true };

/**
 * Has the torrent also fetch from these URLs (BEP 19) once its metadata is known: of the file, or of a folder, ending in
 * `/`, that holds the torrent under its name. What cannot serve it is left out, and the log has one `web_seed.refused`,
 * a warning, for each. @throws InvalidInput for what is no list of texts, or an option that is none
 */
export function addWebSeeds(
  { guard }: Pick<SwarmNode, 'guard'>,
  torrent: Torrent,
  urls: readonly string[],
  options: WebSeedOptions = {},
): void {
  checkTexts('urls', urls);
  checkKeys('addWebSeeds', options, SEED_KEYS);
  const { source = 'told', log = silentLog } = options;
  checkAddressSource(source);
  const add = (info: TorrentInfo): void => {
    for (const url of urls) {
      try {
        const openFile = (file: URL, sizeBytes: number) => new HttpRangeSource({ url: file, sizeBytes, guard, source });
        torrent.addWebSeed(webSeedOf(url, info, openFile));
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        log.warn('web_seed.refused', { source: shown(url), code: error.code, reason: error.message });
      }
    }
  };
  if (torrent.info !== undefined) add(torrent.info);
  else torrent.events.on('metadata', add);
}

/** Without query and password, which may be secrets. */
function shown(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? 'no URL' : `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
}
