/**
 * Magnet links (BEP 9, 53, x.pe; btmh of BEP 52). A magnet is a stranger's text: parsing resolves and contacts nothing,
 * broken parameters are dropped, and `withoutContacts` leaves only what cannot name a host.
 */
import { formatIp, parseIp, type PeerAddress } from '../base/address.ts';
import { toHex } from '../base/bytes.ts';
import { AppError, InvalidInput } from '../base/errors.ts';
import { parseInfoHashV1, parseInfoHashV2, type InfoHashV1, type InfoHashV2 } from '../base/ids.ts';
import { KIB } from '../base/units.ts';
import { displayName } from './display-name.ts';

const MAX_MAGNET_LENGTH = 8 * KIB;
const MAX_PARAMETERS = 200;
/** File indices above this are not taken from `so`. */
const MAX_SELECTED_FILE = 10_000;

/** File indices, both ends included. */
export interface FileRange {
  readonly first: number;
  readonly last: number;
}

/** What a magnet link says. All addresses in it are a stranger's words. */
export interface Magnet {
  /** `xt=urn:btih`, from hex or base32. */
  readonly v1?: InfoHashV1;
  /** `xt=urn:btmh` (BEP 52). */
  readonly v2?: InfoHashV2;
  /** `dn`, for display. */
  readonly name?: string;
  /** `xl`. */
  readonly sizeBytes?: number;
  /** `tr`: http, https, ws, wss or udp URLs. */
  readonly trackers: readonly string[];
  /** `ws`: http or https URLs (BEP 19). */
  readonly webSeeds: readonly string[];
  /** `xs` and `as`: http or https URLs of the .torrent. */
  readonly metainfoUrls: readonly string[];
  /** `x.pe`, where the host is an IP literal. */
  readonly peers: readonly PeerAddress[];
  /** `so`, kept as ranges (BEP 53). */
  readonly selectedFiles: readonly FileRange[];
}

/** How strictly a magnet link is read. */
export interface MagnetOptions {
  /** What happens to broken and unknown parameters: `drop` (default) or `refuse`. */
  readonly broken?: 'drop' | 'refuse';
}

type Draft = { -readonly [Key in keyof Magnet]: Magnet[Key] extends readonly (infer Item)[] ? Item[] : Magnet[Key] };

/**
 * Reads a magnet link. @throws InvalidInput when it is no magnet, too long, without hash, or with two hashes of one
 * version.
 */
export function parseMagnet(text: string, options: MagnetOptions = {}): Magnet {
  if (text.length > MAX_MAGNET_LENGTH) throw new InvalidInput('magnet too long', { length: text.length });
  if (!/^magnet:\?/i.test(text)) throw new InvalidInput('not a magnet link');
  const parameters = text.slice('magnet:?'.length).split('&');
  if (parameters.length > MAX_PARAMETERS) throw new InvalidInput('too many parameters in the magnet');
  const draft: Draft = { trackers: [], webSeeds: [], metainfoUrls: [], peers: [], selectedFiles: [] };
  for (const parameter of parameters) {
    const isTaken = parameter === '' || takeParameter(draft, parameter);
    if (!isTaken && options.broken === 'refuse') throw new InvalidInput('broken or unknown parameter in the magnet');
  }
  if (draft.v1 === undefined && draft.v2 === undefined) throw new InvalidInput('magnet without an info hash');
  return draft;
}

/** Only hashes, name, size and file selection: nothing that could make us contact anybody. */
export function withoutContacts(magnet: Magnet): Magnet {
  return { ...magnet, trackers: [], webSeeds: [], metainfoUrls: [], peers: [] };
}

/** False when the parameter is dropped. */
function takeParameter(draft: Draft, parameter: string): boolean {
  const equals = parameter.indexOf('=');
  if (equals <= 0) return false;
  // Numbered forms (`xt.1`, `tr.2`) mean the same; `x.pe` is no number.
  const key = parameter
    .slice(0, equals)
    .toLowerCase()
    .replace(/\.\d+$/, '');
  const raw = parameter.slice(equals + 1);
  const value = decode(key === 'dn' ? raw.replaceAll('+', ' ') : raw);
  return value !== undefined && takeValue(draft, key, value);
}

function takeValue(draft: Draft, key: string, value: string): boolean {
  switch (key) {
    case 'xt':
      return takeTopic(draft, value);
    case 'dn':
      return takeName(draft, value);
    case 'xl':
      return takeSize(draft, value);
    case 'tr':
      return takeUrl(draft.trackers, value, /^(https?|wss?|udp):$/);
    case 'ws':
      return takeUrl(draft.webSeeds, value, /^https?:$/);
    case 'xs':
    case 'as':
      return takeUrl(draft.metainfoUrls, value, /^https?:$/);
    case 'x.pe':
      return takePeer(draft, value);
    case 'so':
      return takeSelection(draft, value);
    default:
      return false;
  }
}

function decode(value: string): string | undefined {
  try {
    return decodeURIComponent(value);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

function takeTopic(draft: Draft, value: string): boolean {
  const [, kind = '', hash = ''] = /^urn:(btih|btmh):(.*)$/i.exec(value) ?? [];
  if (kind.toLowerCase() === 'btih') {
    const v1 = parseBtih(hash);
    if (draft.v1 !== undefined && draft.v1 !== v1) throw new InvalidInput('magnet with two v1 info hashes');
    draft.v1 = v1;
  } else if (kind !== '') {
    const v2 = parseBtmh(hash);
    if (draft.v2 !== undefined && draft.v2 !== v2) throw new InvalidInput('magnet with two v2 info hashes');
    draft.v2 = v2;
  }
  return kind !== '';
}

function parseBtih(hash: string): InfoHashV1 {
  return parseInfoHashV1(hash.length === 32 ? toHex(decodeBase32(hash)) : hash);
}

/** A multihash: 0x12 = SHA-256, 0x20 = 32 bytes. */
function parseBtmh(hash: string): InfoHashV2 {
  if (!hash.startsWith('1220')) throw new InvalidInput('a btmh topic is 1220 and 64 hex digits');
  return parseInfoHashV2(hash.slice(4));
}

/** RFC 4648 base32 without padding. */
function decodeBase32(text: string): Uint8Array {
  if (!/^[A-Za-z2-7]*$/.test(text)) throw new InvalidInput('not a base32 info hash');
  const bytes = new Uint8Array((text.length * 5) >> 3);
  let [buffer, bits, at] = [0, 0, 0];
  for (const letter of text.toUpperCase()) {
    buffer = ((buffer << 5) | 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = buffer >> bits;
  }
  return bytes;
}

function takeName(draft: Draft, value: string): boolean {
  if (value.trim() === '') return false;
  draft.name ??= displayName(value);
  return true;
}

function takeSize(draft: Draft, value: string): boolean {
  const sizeBytes = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(sizeBytes)) return false;
  draft.sizeBytes ??= sizeBytes;
  return true;
}

function takeUrl(urls: string[], value: string, protocols: RegExp): boolean {
  const url = URL.parse(value);
  if (url === null || !protocols.test(url.protocol) || url.hostname === '') return false;
  if (!urls.includes(value)) urls.push(value);
  return true;
}

function takePeer(draft: Draft, value: string): boolean {
  const [, v6, v4, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(value) ?? [];
  const host = ipOrUndefined(v6 ?? v4 ?? '');
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) return false;
  draft.peers.push({ host, port: Number(port) });
  return true;
}

function ipOrUndefined(text: string): string | undefined {
  try {
    return formatIp(parseIp(text));
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}

function takeSelection(draft: Draft, value: string): boolean {
  const ranges = value.split(',').map((part): FileRange | undefined => {
    const [, first, last] = /^(\d{1,6})(?:-(\d{1,8}))?$/.exec(part) ?? [];
    const range = { first: Number(first), last: Number(last ?? first) };
    return range.first <= range.last && range.last <= MAX_SELECTED_FILE ? range : undefined;
  });
  const good = ranges.filter((range) => range !== undefined);
  draft.selectedFiles.push(...good);
  return good.length === ranges.length;
}

/** Writes a magnet link; hashes first, then name, size and contacts. @throws InvalidInput without a hash. */
export function formatMagnet(magnet: Partial<Magnet>): string {
  if (magnet.v1 === undefined && magnet.v2 === undefined) throw new InvalidInput('magnet without an info hash');
  const parts: string[] = [];
  if (magnet.v1 !== undefined) parts.push(`xt=urn:btih:${magnet.v1}`);
  if (magnet.v2 !== undefined) parts.push(`xt=urn:btmh:1220${magnet.v2}`);
  const add = (key: string, values: readonly string[]): void => {
    for (const value of values) parts.push(`${key}=${encodeURIComponent(value)}`);
  };
  add('dn', magnet.name === undefined ? [] : [magnet.name]);
  add('xl', magnet.sizeBytes === undefined ? [] : [String(magnet.sizeBytes)]);
  add('tr', magnet.trackers ?? []);
  add('ws', magnet.webSeeds ?? []);
  add('xs', magnet.metainfoUrls ?? []);
  for (const peer of magnet.peers ?? []) parts.push(`x.pe=${formatPeer(peer)}`);
  if (magnet.selectedFiles?.length) parts.push(`so=${magnet.selectedFiles.map(formatRange).join(',')}`);
  return `magnet:?${parts.join('&')}`;
}

function formatPeer(peer: PeerAddress): string {
  return peer.host.includes(':') ? `[${peer.host}]:${peer.port}` : `${peer.host}:${peer.port}`;
}

function formatRange(range: FileRange): string {
  return range.first === range.last ? String(range.first) : `${range.first}-${range.last}`;
}
