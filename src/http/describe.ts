/** A medium as other programs see it: its addresses, its magnet, the API's `MediumInfo`. One place builds them all. */
import type { Claim } from '../accounts/claim.ts';
import { verdict } from '../accounts/authorize.ts';
import type { MediumInfo } from '../base/api.ts';
import { swarmKeyOf, type InfoHashV1, type Pubkey, type Sha256, type SwarmKey } from '../base/ids.ts';
import { canonicalPieceCount, canonicalPieceLength } from '../codec/canonical.ts';
import { formatMagnet } from '../codec/magnet.ts';
import { extensionFor } from './extension.ts';
import type { Medium, Upload } from '../media/medium.ts';

export interface PublicUrls {
  /** Origin of the app. */
  readonly publicUrl: string;
  /** Origin of the blobs. */
  readonly mediaUrl: string;
  /** Announce URLs of our tracker, the WebSocket one first. */
  readonly trackers: readonly string[];
}

/** What our tracker counts for a swarm, the server's own seed not included. */
export interface SwarmCounter {
  counts(key: SwarmKey): { readonly seeders: number; readonly leechers: number };
}

/** What a magnet is made of. */
export type TorrentFacts = Pick<
  Medium,
  'sha256' | 'sizeBytes' | 'type' | 'name' | 'infoHash' | 'pieceLengthBytes' | 'pieceCount'
>;

/** Absolute URL of a blob's bytes, with an extension. */
export function blobUrl(urls: PublicUrls, medium: Pick<Medium, 'sha256' | 'type' | 'name'>): string {
  return `${urls.mediaUrl}/${medium.sha256}.${extensionFor(medium.type, medium.name)}`;
}

/** Absolute URL of a torrent's metainfo. */
export function torrentUrl(urls: PublicUrls, infoHash: InfoHashV1): string {
  return `${urls.publicUrl}/torrent/${infoHash}.torrent`;
}

/** Absolute URL of the page about a medium. */
export function pageUrl(urls: PublicUrls, sha256: Sha256): string {
  return `${urls.publicUrl}/m/${sha256}`;
}

/** Magnet with our trackers, the blob's URL as web seed and the .torrent's URL; undefined for the empty blob. */
export function magnetOf(urls: PublicUrls, medium: TorrentFacts): string | undefined {
  if (medium.infoHash === undefined) return undefined;
  return formatMagnet({
    v1: medium.infoHash,
    name: medium.name,
    sizeBytes: medium.sizeBytes,
    trackers: urls.trackers,
    webSeeds: [blobUrl(urls, medium)],
    metainfoUrls: [torrentUrl(urls, medium.infoHash)],
  });
}

/** Who asks about a medium, and who keeps it. */
export interface Audience {
  readonly claim: Claim;
  /** Everyone who keeps it; undefined stands for visitors without a key. */
  readonly owners: readonly (Pubkey | undefined)[];
}

/** The API's view of a stored medium for one caller. */
export function describeMedium(
  medium: Medium,
  urls: PublicUrls,
  swarms: SwarmCounter,
  { claim, owners }: Audience,
): MediumInfo {
  const { sha256, sizeBytes, type, name, owner, createdAtMs } = medium;
  return {
    sha256,
    sizeBytes,
    type,
    name,
    ...(owner === undefined ? {} : { owner }),
    state: 'stored',
    createdAtMs,
    storedBytes: sizeBytes,
    url: blobUrl(urls, medium),
    pageUrl: pageUrl(urls, sha256),
    ...torrentPart(medium, urls),
    swarm: countsOf(swarms, medium.infoHash),
    mayDelete: verdict(claim, { kind: 'delete', owners }).allowed,
  };
}

/** The API's view of an upload whose browser already seeds it: no URL answers yet, the swarm may. */
export function describePending(upload: Upload, sha256: Sha256, urls: PublicUrls, swarms: SwarmCounter): MediumInfo {
  const { sizeBytes = 0, name, owner, createdAtMs, offsetBytes, infoHash } = upload;
  const type = upload.declaredType ?? 'application/octet-stream';
  const hasTorrent = infoHash !== undefined && sizeBytes > 0;
  const pieces = hasTorrent
    ? { infoHash, pieceLengthBytes: canonicalPieceLength(sizeBytes), pieceCount: canonicalPieceCount(sizeBytes) }
    : {};
  const medium = { sha256, sizeBytes, type, name, ...pieces };
  return {
    sha256,
    sizeBytes,
    type,
    name,
    ...(owner === undefined ? {} : { owner }),
    state: 'uploading',
    createdAtMs,
    storedBytes: offsetBytes,
    url: blobUrl(urls, medium),
    pageUrl: pageUrl(urls, sha256),
    ...torrentPart(medium, urls),
    swarm: countsOf(swarms, infoHash),
    mayDelete: false,
  };
}

function countsOf(swarms: SwarmCounter, infoHash: InfoHashV1 | undefined): MediumInfo['swarm'] {
  if (infoHash === undefined) return { seeders: 0, leechers: 0 };
  const { seeders, leechers } = swarms.counts(swarmKeyOf(infoHash));
  return { seeders, leechers };
}

function torrentPart(medium: TorrentFacts, urls: PublicUrls): Pick<MediumInfo, 'torrent'> {
  const magnet = magnetOf(urls, medium);
  const { infoHash, pieceLengthBytes, pieceCount } = medium;
  if (magnet === undefined || infoHash === undefined) return {};
  if (pieceLengthBytes === undefined || pieceCount === undefined) return {};
  return { torrent: { infoHash, magnet, torrentUrl: torrentUrl(urls, infoHash), pieceLengthBytes, pieceCount } };
}
