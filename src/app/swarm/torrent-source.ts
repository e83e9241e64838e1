/**
 * What a person may name to `get`: a magnet link, a .torrent file or URL, a page or file of a Seedbed. All come out as
 * one thing: hashes, perhaps the metadata, and where to look.
 */
import { readFile, stat } from 'node:fs/promises';
import { guardedFetch, type Fetched } from '../../adapters/guard/fetch.ts';
import { FetchFailed } from '../../adapters/guard/fetch-failed.ts';
import type { Guard } from '../../adapters/guard/guard.ts';
import { scopeOf } from '../../base/address-scope.ts';
import type { AddressSource } from '../../base/address-policy.ts';
import type { MediumInfo } from '../../base/api.ts';
import { AppError, InvalidInput, NotFound, ProtocolError, Unavailable } from '../../base/errors.ts';
import { isSha256, type Sha256 } from '../../base/ids.ts';
import { MIB } from '../../base/units.ts';
import { canonicalSha256Of } from '../../codec/canonical.ts';
import { displayName } from '../../codec/display-name.ts';
import { MAX_METAINFO_BYTES } from '../../codec/metainfo.ts';
import { readTorrentSource, type TorrentSource } from '../../codec/torrent-source.ts';

const MAX_JSON_BYTES = MIB;
/** More of a magnet link's are not asked. */
const MAX_METAINFO_URLS = 3;

/** How a source may ask the network. */
export interface WayOut {
  readonly guard: Guard;
  readonly signal: AbortSignal;
}

/**
 * A URL that a person typed may lie anywhere, and is trusted from then on as what it is: an address that strangers may
 * name too. What a magnet link or a .torrent names is a stranger's word.
 * @throws InvalidInput for what is none of these, NotFound, Unavailable, ProtocolError, Cancelled
 */
export async function readSource(text: string, out: WayOut): Promise<TorrentSource> {
  if (/^magnet:/i.test(text)) return fromMagnet(text, out);
  const url = /^https?:\/\//i.test(text) ? URL.parse(text) : null;
  if (url !== null) return fromUrl(url, out);
  const found = await stat(text).catch(() => undefined); // absent and unreadable are the same to the caller
  if (found?.isFile() !== true) throw new InvalidInput(`not a magnet link, a URL or a .torrent file: ${text}`);
  if (found.size > MAX_METAINFO_BYTES) throw new InvalidInput(`too large for a .torrent file: ${text}`);
  return readTorrentSource(await readFile(text));
}

async function fromMagnet(link: string, out: WayOut): Promise<TorrentSource> {
  const magnet = await readTorrentSource(link);
  const known = await firstMetainfo(magnet, out);
  if (known?.info === undefined) return magnet;
  const { info, pieceLayers } = known;
  return {
    ...magnet,
    info,
    ...(pieceLayers && { pieceLayers }),
    trackers: [...magnet.trackers, ...known.trackers],
    webSeeds: [...new Set([...magnet.webSeeds, ...known.webSeeds])],
  };
}

/** The metadata over HTTP (`xs`), where a URL delivers just what was asked for; peers do otherwise. */
async function firstMetainfo({ hashes, metainfoUrls }: TorrentSource, out: WayOut): Promise<TorrentSource | undefined> {
  for (const url of metainfoUrls.slice(0, MAX_METAINFO_URLS)) {
    try {
      const source = await readTorrentSource((await download(out, url, 'told', MAX_METAINFO_BYTES)).bytes);
      if (source.hashes.v1 === hashes.v1 || (hashes.v2 !== undefined && source.hashes.v2 === hashes.v2)) return source;
    } catch (error) {
      if (!(error instanceof AppError) || out.signal.aborted) throw error;
    }
  }
  return undefined;
}

async function fromUrl(url: URL, out: WayOut): Promise<TorrentSource> {
  const sha256 = seedbedHash(url);
  const first = sha256 === undefined ? url : new URL(`/api/v1/media/${sha256}`, url);
  const maxBytes = sha256 === undefined ? MAX_METAINFO_BYTES : MAX_JSON_BYTES;
  const { bytes, address, addresses } = await download(out, first.href, 'judged', maxBytes);
  // `localhost` has two; a name with public and inner ones leads only to the kind that answered.
  for (const found of addresses) if (scopeOf(found) === scopeOf(address)) out.guard.policy.trust(found);
  return sha256 === undefined ? readTorrentSource(bytes) : fromMedium(parseMedium(bytes), sha256, out);
}

async function fromMedium(medium: MediumParts, sha256: Sha256, out: WayOut): Promise<TorrentSource> {
  if (medium.torrent === undefined) throw new InvalidInput('an empty file has no torrent', { sha256 });
  const { bytes } = await download(out, medium.torrent.torrentUrl, 'told', MAX_METAINFO_BYTES);
  const source = await readTorrentSource(bytes);
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

/** Words for the person who asked: the guard's one error is meant for strangers. */
async function download(out: WayOut, url: string, source: AddressSource, maxBytes: number): Promise<Fetched> {
  try {
    return await guardedFetch(out.guard, url, { source, maxBytes, signal: out.signal });
  } catch (error) {
    if (!(error instanceof FetchFailed)) throw error;
    const { reason, statusCode } = error;
    const host = URL.parse(url)?.host ?? url;
    if (statusCode === 404) throw new NotFound(`there is nothing at ${url}`);
    if (reason === 'status') throw new Unavailable(`${host} answered ${statusCode}`, { statusCode });
    if (reason === 'size') throw new InvalidInput(`this is no .torrent file: ${url}`);
    throw new Unavailable(`${host} cannot be reached`, { url, reason }, { cause: error });
  }
}
