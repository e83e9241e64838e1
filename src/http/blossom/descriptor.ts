/** The blob descriptor of Blossom (BUD-02), with our torrent fields and the tags of BUD-08 (NIP-94). */
import type { Sha256 } from '../../base/ids.ts';
import { SECOND_MS } from '../../base/units.ts';
import { blobUrl, magnetOf, torrentUrl, type PublicUrls } from '../describe.ts';
import type { Medium } from '../../media/medium.ts';

export interface BlobDescriptor {
  readonly url: string;
  readonly sha256: Sha256;
  readonly size: number;
  readonly type: string;
  /** Seconds since 1970. */
  readonly uploaded: number;
  readonly infohash?: string;
  readonly magnet?: string;
  /** URL of the .torrent. */
  readonly torrent?: string;
  readonly nip94: readonly (readonly [string, string])[];
}

export function describeBlob(medium: Medium, urls: PublicUrls): BlobDescriptor {
  const url = blobUrl(urls, medium);
  const magnet = magnetOf(urls, medium);
  const { sha256, sizeBytes, type, infoHash } = medium;
  const core = { url, sha256, size: sizeBytes, type, uploaded: Math.floor(medium.createdAtMs / SECOND_MS) };
  const tags: [string, string][] = [
    ['url', url],
    ['m', type],
    ['x', sha256],
    ['ox', sha256],
    ['size', String(sizeBytes)],
  ];
  if (infoHash === undefined || magnet === undefined) return { ...core, nip94: tags };
  tags.push(['magnet', magnet], ['i', infoHash]);
  return { ...core, infohash: infoHash, magnet, torrent: torrentUrl(urls, infoHash), nip94: tags };
}
