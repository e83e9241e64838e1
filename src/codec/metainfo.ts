/**
 * Reading and writing .torrent files (BEP 3, 12, 19, 52). The info dictionary passes through untouched: it is read and
 * written as the raw slice that was hashed.
 */
import { fromUtf8, toHex } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import { parseInfoHashV1, parseInfoHashV2, type InfoHashV1, type InfoHashV2 } from '../base/ids.ts';
import { MIB } from '../base/units.ts';
import {
  decodeBencodeDict,
  encodeBencode,
  isBencodeList,
  RawBencode,
  type BencodeDict,
  type BencodeInput,
  type BencodeValue,
} from './bencode.ts';
import { parsePieceLayers, type PieceLayers } from './piece-layers.ts';
import { readTorrentInfo, type TorrentInfo } from './torrent-info.ts';

/** Larger .torrent files are refused. */
export const MAX_METAINFO_BYTES = 8 * MIB;
const MAX_TRACKERS = 100;
const MAX_WEB_SEEDS = 100;
const MAX_TEXT_BYTES = 4_096;

/** What a .torrent file says. */
export interface Metainfo {
  readonly info: TorrentInfo;
  /** Tiers of tracker URLs (BEP 12), as found: strangers' addresses, for the guard to judge. */
  readonly trackers: readonly (readonly string[])[];
  /** HTTP sources (BEP 19), as found: for the guard to judge. */
  readonly webSeeds: readonly string[];
  readonly comment?: string;
  /** Present and of the right size, but not hashed: see `verifyPieceLayers`. */
  readonly pieceLayers: PieceLayers;
}

/** Reads a .torrent file. @throws InvalidInput for whatever breaks the format or a limit. */
export function parseMetainfo(bytes: Uint8Array): Metainfo {
  if (bytes.length > MAX_METAINFO_BYTES) throw new InvalidInput('torrent file too large', { length: bytes.length });
  const dict = decodeBencodeDict(bytes);
  const [rawInfo, infoDict] = [dict.rawOf('info'), dict.dict('info')];
  if (rawInfo === undefined || infoDict === undefined) throw new InvalidInput('torrent without "info"');
  const info = readTorrentInfo(infoDict, rawInfo);
  const comment = dict.get('comment');
  return {
    info,
    trackers: parseTrackers(dict),
    webSeeds: texts(dict.get('url-list')).slice(0, MAX_WEB_SEEDS),
    ...(comment instanceof Uint8Array && { comment: fromUtf8(comment.subarray(0, MAX_TEXT_BYTES)) }),
    pieceLayers: parsePieceLayers(info, info.version === 'v1' ? undefined : dict.dict('piece layers')),
  };
}

/** `announce-list` wins over `announce` (BEP 12). */
function parseTrackers(dict: BencodeDict): string[][] {
  const list = dict.get('announce-list');
  const tiers = list !== undefined && isBencodeList(list) ? list.slice(0, MAX_TRACKERS).map(texts) : [];
  const named = tiers.filter((tier) => tier.length > 0).map((tier) => tier.slice(0, MAX_TRACKERS));
  if (named.length > 0) return named;
  const announce = texts(dict.get('announce'));
  return announce.length > 0 ? [announce] : [];
}

/** The non-empty strings of a list, or one string alone; anything else is left out, as stock clients do. */
function texts(value: BencodeValue | undefined): string[] {
  if (value === undefined) return [];
  const values = isBencodeList(value) ? value : [value];
  return values.flatMap((text) =>
    text instanceof Uint8Array && text.length > 0 && text.length <= MAX_TEXT_BYTES ? [fromUtf8(text)] : [],
  );
}

/** What a .torrent file is written from. */
export interface MetainfoParts {
  /** Written as it is. */
  readonly rawInfo: Uint8Array;
  /** Tiers of tracker URLs. */
  readonly trackers?: readonly (readonly string[])[];
  readonly webSeeds?: readonly string[];
  readonly comment?: string;
  readonly createdBy?: string;
  /** Seconds since 1970. */
  readonly createdAtSec?: number;
  /** Needed for v2 and hybrid torrents, also when empty. */
  readonly pieceLayers?: PieceLayers;
}

/** Writes a .torrent around a raw info dictionary. @throws InvalidInput. */
export function writeMetainfo(parts: MetainfoParts): Uint8Array<ArrayBuffer> {
  const tiers = (parts.trackers ?? []).filter((tier) => tier.length > 0);
  const hasList = tiers.length > 1 || (tiers[0]?.length ?? 0) > 1;
  return encodeBencode({
    announce: tiers[0]?.[0],
    'announce-list': hasList ? tiers : undefined,
    comment: parts.comment,
    'created by': parts.createdBy,
    'creation date': parts.createdAtSec,
    info: new RawBencode(parts.rawInfo),
    'piece layers': parts.pieceLayers && encodeLayers(parts.pieceLayers),
    'url-list': parts.webSeeds?.length ? parts.webSeeds : undefined,
  });
}

function encodeLayers(layers: PieceLayers): Record<string, BencodeInput> {
  const dict: Record<string, BencodeInput> = {};
  for (const [rootHex, layer] of layers) dict[rootKey(rootHex)] = layer;
  return dict;
}

function rootKey(rootHex: string): string {
  return rootHex.replaceAll(/../g, (byte) => String.fromCharCode(Number.parseInt(byte, 16)));
}

/** v1 info hash of a raw info dictionary: its SHA-1, by WebCrypto. */
export async function infoHashV1Of(rawInfo: Uint8Array): Promise<InfoHashV1> {
  return parseInfoHashV1(await digest('SHA-1', rawInfo));
}

/** v2 info hash of a raw info dictionary: its SHA-256, by WebCrypto. */
export async function infoHashV2Of(rawInfo: Uint8Array): Promise<InfoHashV2> {
  return parseInfoHashV2(await digest('SHA-256', rawInfo));
}

/** The identities of a torrent: one, or both for a hybrid. */
export interface InfoHashes {
  /** Absent for v2-only torrents. */
  readonly v1?: InfoHashV1;
  /** Absent for v1-only torrents. */
  readonly v2?: InfoHashV2;
}

/** The identities of a torrent: v1, v2, or both for hybrids. */
export async function infoHashesOf(info: Pick<TorrentInfo, 'version' | 'rawInfo'>): Promise<InfoHashes> {
  return {
    ...(info.version !== 'v2' && { v1: await infoHashV1Of(info.rawInfo) }),
    ...(info.version !== 'v1' && { v2: await infoHashV2Of(info.rawInfo) }),
  };
}

async function digest(algorithm: 'SHA-1' | 'SHA-256', bytes: Uint8Array): Promise<string> {
  // WebCrypto refuses views of shared memory; the copy is small and taken only then.
  const own = bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : bytes.slice();
  return toHex(new Uint8Array(await globalThis.crypto.subtle.digest(algorithm, own)));
}
