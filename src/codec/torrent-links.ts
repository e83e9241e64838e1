/** What is handed to others so that they find a torrent: the reverse of `torrent-source.ts`. */
import { formatMagnet } from './magnet.ts';
import { type InfoHashes, writeMetainfo } from './metainfo.ts';
import type { VerifiedLayers } from './piece-layers.ts';
import { contentBytesOf, type TorrentInfo } from './torrent-info.ts';

/** A torrent that is being served, and where to look for its peers. */
export interface TorrentToLink {
  readonly hashes: InfoHashes;
  readonly info: TorrentInfo;
  /** Of v2 and hybrid torrents. */
  readonly pieceLayers?: VerifiedLayers;
  /** What people call it. */
  readonly name: string;
  /** URLs; each a tier of its own (BEP 12). */
  readonly trackers: readonly string[];
  readonly createdAtSec: number;
}

/** A torrent's two forms for passing on. */
export interface TorrentLinks {
  /** With hashes, name, size and trackers. */
  readonly magnet: string;
  /** The .torrent file. */
  readonly metainfo: Uint8Array<ArrayBuffer>;
}

/** Writes the magnet link and the .torrent file. */
export function torrentLinksOf(torrent: TorrentToLink): TorrentLinks {
  const { hashes, info, pieceLayers, name, trackers, createdAtSec } = torrent;
  return {
    magnet: formatMagnet({ ...hashes, name, sizeBytes: contentBytesOf(info), trackers }),
    metainfo: writeMetainfo({
      rawInfo: info.rawInfo,
      ...(pieceLayers && { pieceLayers }),
      trackers: trackers.map((tracker) => [tracker]),
      comment: name,
      createdBy: 'Seedbed',
      createdAtSec,
    }),
  };
}
