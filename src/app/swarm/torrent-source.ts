/**
 * What a person may name to `get`: a magnet link, a .torrent file or URL, a page or file of a Seedbed. All come out as
 * one thing: hashes, perhaps the metadata, and where to look.
 */
import { readFile, stat } from 'node:fs/promises';
import type { MediumInfo } from '../../base/api.ts';
import { concatBytes } from '../../base/bytes.ts';
import { AppError, InvalidInput, NotFound, ProtocolError, Unavailable } from '../../base/errors.ts';
import { isSha256, type Sha256 } from '../../base/ids.ts';
import { MIB, SECOND_MS } from '../../base/units.ts';
import { canonicalSha256Of } from '../../codec/canonical.ts';
import { displayName } from '../../codec/display-name.ts';
import { parseMagnet } from '../../codec/magnet.ts';
import { infoHashesOf, type InfoHashes, MAX_METAINFO_BYTES, parseMetainfo } from '../../codec/metainfo.ts';
import { type VerifiedLayers, verifyPieceLayers } from '../../codec/piece-layers.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';
import type { PeerAddress } from '../../torrent/index.ts';

const FETCH_TIMEOUT_MS = 20 * SECOND_MS;
const MAX_JSON_BYTES = MIB;

export interface TorrentSource {
  readonly hashes: InfoHashes;
  /** Absent for a magnet: peers, or a URL below, deliver it. */
  readonly info?: TorrentInfo;
  /** With `info`, where that is v2 or hybrid. */
  readonly pieceLayers?: VerifiedLayers;
  /** What a person calls it. */
  readonly name?: string;
  readonly trackers: readonly (readonly string[])[];
  readonly webSeeds: readonly string[];
  readonly peers: readonly PeerAddress[];
}

/** @throws InvalidInput for what is none of these, NotFound, Unavailable, ProtocolError, Cancelled */
export async function readSource(text: string, signal: AbortSignal): Promise<TorrentSource> {
  if (/^magnet:/i.test(text)) return fromMagnet(text, signal);
  const url = /^https?:\/\//i.test(text) ? URL.parse(text) : null;
  if (url !== null) return fromUrl(url, signal);
  const found = await stat(text).catch(() => undefined); // absent and unreadable are the same to the caller
  if (found?.isFile() !== true) throw new InvalidInput(`not a magnet link, a URL or a .torrent file: ${text}`);
  if (found.size > MAX_METAINFO_BYTES) throw new InvalidInput(`too large for a .torrent file: ${text}`);
  return fromMetainfo(await readFile(text));
}

async function fromMagnet(text: string, signal: AbortSignal): Promise<TorrentSource> {
  const { v1, v2, name, trackers, webSeeds, metainfoUrls, peers } = parseMagnet(text);
  const known = await firstMetainfo({ ...(v1 && { v1 }), ...(v2 && { v2 }) }, metainfoUrls, signal);
  return {
    hashes: { ...(v1 && { v1 }), ...(v2 && { v2 }) },
    ...(known?.info && { info: known.info }),
    ...(known?.pieceLayers && { pieceLayers: known.pieceLayers }),
    ...(name === undefined ? {} : { name }),
    trackers: [...trackers.map((url) => [url]), ...(known?.trackers ?? [])],
    webSeeds: [...new Set([...webSeeds, ...(known?.webSeeds ?? [])])],
    peers,
  };
}

/** The metadata over HTTP (`xs`), where a URL delivers just what was asked for; peers do otherwise. */
async function firstMetainfo(
  hashes: InfoHashes,
  urls: readonly string[],
  signal: AbortSignal,
): Promise<TorrentSource | undefined> {
  for (const url of urls.slice(0, 3)) {
    try {
      const source = await fromMetainfo(await download(new URL(url), MAX_METAINFO_BYTES, signal));
      if (source.hashes.v1 === hashes.v1 || (hashes.v2 !== undefined && source.hashes.v2 === hashes.v2)) return source;
    } catch (error) {
      if (!(error instanceof AppError) || signal.aborted) throw error;
    }
  }
  return undefined;
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
    peers: [],
  };
}

async function fromUrl(url: URL, signal: AbortSignal): Promise<TorrentSource> {
  const sha256 = seedbedHash(url);
  if (sha256 === undefined) return fromMetainfo(await download(url, MAX_METAINFO_BYTES, signal));
  const about = new URL(`/api/v1/media/${sha256}`, url);
  const medium = parseMedium(await download(about, MAX_JSON_BYTES, signal));
  if (medium.torrent === undefined) throw new InvalidInput('an empty file has no torrent', { sha256 });
  const source = await fromMetainfo(await download(new URL(medium.torrent.torrentUrl), MAX_METAINFO_BYTES, signal));
  if (source.info === undefined || canonicalSha256Of(source.info) !== sha256)
    throw new ProtocolError('the server answered with another file', { sha256 });
  return { ...source, name: displayName(medium.name), webSeeds: [...new Set([...source.webSeeds, medium.url])] };
}

/** The hash in `/m/<sha256>` and `/<sha256>[.ext]`. */
function seedbedHash(url: URL): Sha256 | undefined {
  const hash = /^\/(?:m\/)?([0-9a-f]{64})(?:\.[A-Za-z0-9]{1,10})?\/?$/.exec(url.pathname)?.[1] ?? '';
  return isSha256(hash) ? hash : undefined;
}

type MediumParts = Pick<MediumInfo, 'name' | 'url'> & { readonly torrent?: { readonly torrentUrl: string } };

function parseMedium(bytes: Uint8Array): MediumParts {
  const value = parseJson(bytes);
  if (isMedium(value)) return value;
  throw new ProtocolError('this is not a Seedbed, or a newer one');
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new ProtocolError('this is not a Seedbed', {}, { cause: error });
  }
}

function isMedium(value: unknown): value is MediumParts {
  if (typeof value !== 'object' || value === null) return false;
  const { name, url, torrent } = value as Partial<Record<keyof MediumParts, unknown>>;
  const isTorrent = (part: unknown): boolean =>
    typeof part === 'object' && part !== null && 'torrentUrl' in part && URL.canParse(String(part.torrentUrl));
  return typeof name === 'string' && typeof url === 'string' && (torrent === undefined || isTorrent(torrent));
}

async function download(url: URL, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)]) });
    if (response.status === 404) throw new NotFound(`there is nothing at ${url.href}`);
    if (!response.ok) throw new Unavailable(`${url.host} answered ${response.status}`, { statusCode: response.status });
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const chunk of response.body ?? []) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) throw new InvalidInput(`this is no .torrent file: ${url.href}`);
      chunks.push(chunk);
    }
    return concatBytes(chunks);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new Unavailable(`${url.host} cannot be reached`, { url: url.href }, { cause: error });
  }
}
