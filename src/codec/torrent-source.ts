/**
 * What somebody hands over to have a torrent: a magnet link, or the bytes of a .torrent file. Both come out as one thing.
 * Reading contacts nothing, and all addresses in it are strangers' words, for the guard to judge.
 */
import type { PeerAddress } from '../base/address.ts';
import { InvalidInput } from '../base/errors.ts';
import { canonicalSha256Of } from './canonical.ts';
import { displayName } from './display-name.ts';
import { type FileRange, parseMagnet } from './magnet.ts';
import { type InfoHashes, infoHashesOf, parseMetainfo } from './metainfo.ts';
import { type VerifiedLayers, verifyPieceLayers } from './piece-layers.ts';
import type { TorrentInfo } from './torrent-info.ts';

/** What a magnet link or a .torrent file says of a torrent. */
export interface TorrentSource {
  readonly hashes: InfoHashes;
  /** Absent for a magnet link: peers deliver it (BEP 9). */
  readonly info?: TorrentInfo;
  /** With `info`, where that is v2 or hybrid; folded to their roots. */
  readonly pieceLayers?: VerifiedLayers;
  /** What a person calls it, for display. */
  readonly name?: string;
  /** Tiers of tracker URLs (BEP 12); each of a magnet link's is a tier of its own. */
  readonly trackers: readonly (readonly string[])[];
  /** HTTP URLs of the content (BEP 19). */
  readonly webSeeds: readonly string[];
  /** HTTP URLs of the .torrent file. */
  readonly metainfoUrls: readonly string[];
  readonly peers: readonly PeerAddress[];
  /** Files that a magnet link selects (BEP 53); none: all. */
  readonly selectedFiles: readonly FileRange[];
}

/** Reads a magnet link (text) or a .torrent file (bytes). @throws InvalidInput for what is neither, or breaks its format */
export async function readTorrentSource(source: string | Uint8Array): Promise<TorrentSource> {
  if (typeof source === 'string') return fromMagnet(source);
  if (source instanceof Uint8Array) return fromMetainfo(source);
  throw new InvalidInput('a torrent is a magnet link (text) or the bytes of a .torrent file (Uint8Array)');
}

function fromMagnet(link: string): TorrentSource {
  const { v1, v2, name, trackers, ...rest } = parseMagnet(link);
  const { webSeeds, metainfoUrls, peers, selectedFiles } = rest;
  return {
    hashes: { ...(v1 && { v1 }), ...(v2 && { v2 }) },
    ...(name === undefined ? {} : { name }),
    trackers: trackers.map((url) => [url]),
    webSeeds,
    metainfoUrls,
    peers,
    selectedFiles,
  };
}

async function fromMetainfo(bytes: Uint8Array): Promise<TorrentSource> {
  const { info, pieceLayers, trackers, webSeeds, comment } = parseMetainfo(bytes);
  // A canonical torrent is named by its hash; what people call it stands in the comment.
  const name = canonicalSha256Of(info) === undefined ? info.name : comment;
  return {
    hashes: await infoHashesOf(info),
    info,
    ...(info.version === 'v1' ? {} : { pieceLayers: await verifyPieceLayers(info, pieceLayers) }),
    ...(name === undefined || name === '' ? {} : { name: displayName(name) }),
    trackers,
    webSeeds,
    metainfoUrls: [],
    peers: [],
    selectedFiles: [],
  };
}
