/**
 * `GET /torrent/<infohash>.torrent`: the canonical torrent of a stored blob, with our trackers and its URL as web seed
 * (BEP 19). Written on request from the row: trackers and URLs follow the settings, the info dictionary never changes.
 */
import { NotFound } from '../../base/errors.ts';
import { parseInfoHash, swarmKeyOf } from '../../base/ids.ts';
import { SECOND_MS } from '../../base/units.ts';
import { canonicalInfo } from '../../codec/canonical.ts';
import { writeMetainfo } from '../../codec/metainfo.ts';
import type { Medium, TorrentRow } from '../../media/medium.ts';
import { BLOSSOM_CORS } from '../cors.ts';
import { contentDisposition, fileName } from '../delivery/disposition.ts';
import type { Exchange } from '../delivery/sender.ts';
import { blobUrl, type PublicUrls } from '../describe.ts';
import { MethodNotAllowed } from '../errors.ts';
import type { StoredMedia, StoredTorrents } from '../ports.ts';
import { weakEtag } from '../web/assets.ts';

export interface MetainfoDeps {
  readonly media: Pick<StoredMedia, 'find'> & StoredTorrents;
  readonly urls: PublicUrls;
}

/** @throws NotFound, MethodNotAllowed */
export function answerMetainfo({ media, urls }: MetainfoDeps, { request, response }: Exchange, infoHash: string): void {
  if (request.method !== 'GET' && request.method !== 'HEAD')
    throw new MethodNotAllowed(request.method, ['GET', 'HEAD']);
  const hash = parseInfoHash(infoHash);
  const row = media.torrentByKey(swarmKeyOf(hash));
  const medium = row?.infoHash === hash ? media.find(row.sha256) : undefined;
  if (row === undefined || medium === undefined) throw new NotFound('this server has no such torrent');
  const bytes = metainfoOf(row, medium, urls);
  const etag = weakEtag(bytes);
  const headers = {
    ...BLOSSOM_CORS,
    etag,
    'cache-control': 'public, max-age=300',
    'x-content-type-options': 'nosniff',
  };
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, {
    ...headers,
    'content-type': 'application/x-bittorrent',
    'content-disposition': contentDisposition(
      'attachment',
      `${fileName(medium.name, medium.sha256)}.torrent`,
      'torrent',
    ),
    'content-length': bytes.length,
  });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

/** Each tracker is a tier of its own, so that clients announce to all of them (BEP 12). */
function metainfoOf(row: TorrentRow, medium: Medium, urls: PublicUrls): Uint8Array {
  return writeMetainfo({
    rawInfo: canonicalInfo(row),
    trackers: urls.trackers.map((tracker) => [tracker]),
    webSeeds: [blobUrl(urls, medium)],
    comment: medium.name,
    createdBy: 'Seedbed',
    createdAtSec: Math.floor(medium.createdAtMs / SECOND_MS),
  });
}
