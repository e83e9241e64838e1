/** Tracker messages over HTTP (BEP 3, 7, 23, 31, 48): queries with raw bytes in percent escapes, answers in bencode. */
import { formatIp, parseIp, type PeerAddress } from '../base/address.ts';
import { fromHex, fromLatin1, fromUtf8 } from '../base/bytes.ts';
import { AppError, InvalidInput } from '../base/errors.ts';
import { swarmKeyFromBytes, type SwarmKey } from '../base/ids.ts';
import {
  MAX_ANSWER_PEERS,
  MAX_SCRAPE_KEYS,
  parseAnnounceEvent,
  type Announce,
  type AnnounceAnswer,
  type SwarmCounts,
  type TrackerFailure,
} from './announce.ts';
import { BencodeDict, decodeBencodeDict, encodeBencode, isBencodeList, type BencodeInput } from './bencode.ts';
import { COMPACT_BYTES, decodeCompactPeers } from './compact-peers.ts';
import { PEER_ID_BYTES } from './peer-id.ts';

const MAX_QUERY_LENGTH = 8_192;
const MAX_REASON_BYTES = 1_024;
/** 1,000 peers as dictionaries, and some slack. */
const ANSWER_LIMITS = { maxDepth: 8, maxValues: 20_000 };

/** An announce over HTTP. */
export interface HttpAnnounce extends Announce {
  /** The client takes compact peer lists (BEP 23); the default. */
  readonly compact: boolean;
  /** In dictionary form the client does without peer ids. */
  readonly noPeerId: boolean;
}

const PERCENT = 0x25;

/** Decodes `%41b` to bytes; anything outside escapes stands for itself. @throws InvalidInput on a broken escape or above U+00FF. */
export function percentDecode(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  let size = 0;
  for (let at = 0; at < text.length; at++) {
    let code = text.charCodeAt(at);
    if (code === PERCENT) {
      code = (hexDigit(text.charCodeAt(at + 1)) << 4) | hexDigit(text.charCodeAt(at + 2));
      at += 2;
    } else if (code > 0xff) throw new InvalidInput('a query holds bytes only');
    bytes[size++] = code;
  }
  return bytes.slice(0, size);
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const folded = code | 0x20;
  if (folded >= 0x61 && folded <= 0x66) return folded - 0x57;
  throw new InvalidInput('broken percent escape');
}

/** Every byte but RFC 3986's unreserved characters as `%XX`. */
export function percentEncode(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    text += /[A-Za-z0-9._~-]/.test(character) ? character : `%${byte.toString(16).padStart(2, '0').toUpperCase()}`;
  }
  return text;
}

/** Parameters in order; the values still in percent escapes. */
function* parameters(query: string): Generator<readonly [string, string]> {
  if (query.length > MAX_QUERY_LENGTH) throw new InvalidInput('query too long', { length: query.length });
  for (const part of query.split('&')) {
    const equals = part.indexOf('=');
    if (equals > 0) yield [part.slice(0, equals), part.slice(equals + 1)];
  }
}

function parseKey(value: string | undefined): SwarmKey {
  const bytes = percentDecode(value ?? '');
  if (bytes.length !== 20) throw new InvalidInput('info_hash has 20 bytes', { length: bytes.length });
  return swarmKeyFromBytes(bytes);
}

function wholeNumber(value: string | undefined): number | undefined {
  const number = value !== undefined && /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}

/** Reads the query of an announce, without `?`. An `ip` parameter is ignored. @throws InvalidInput. */
export function parseHttpAnnounce(query: string): HttpAnnounce {
  const values = new Map(parameters(query));
  const peerId = percentDecode(values.get('peer_id') ?? '');
  if (peerId.length !== PEER_ID_BYTES) throw new InvalidInput('peer_id has 20 bytes', { length: peerId.length });
  const port = wholeNumber(values.get('port')) ?? 0;
  if (port < 1 || port > 65_535) throw new InvalidInput('port is 1 to 65535', { port });
  const event = parseAnnounceEvent(values.get('event') ?? '');
  if (event === undefined) throw new InvalidInput('unknown event');
  const leftBytes = wholeNumber(values.get('left'));
  const numWant = wholeNumber(values.get('numwant'));
  return {
    swarmKey: parseKey(values.get('info_hash')),
    peerId,
    port,
    uploadedBytes: wholeNumber(values.get('uploaded')) ?? 0,
    downloadedBytes: wholeNumber(values.get('downloaded')) ?? 0,
    ...(leftBytes !== undefined && { leftBytes }),
    event,
    ...(numWant !== undefined && { numWant }),
    compact: values.get('compact') !== '0',
    noPeerId: values.get('no_peer_id') === '1',
  };
}

/** The URL that announces; parameters already in the tracker's URL stay. @throws InvalidInput for a broken URL. */
export function formatHttpAnnounce(trackerUrl: string, announce: HttpAnnounce): string {
  const fields: readonly (readonly [string, string | number | undefined])[] = [
    ['info_hash', percentEncode(fromHex(announce.swarmKey))],
    ['peer_id', percentEncode(announce.peerId)],
    ['port', announce.port],
    ['uploaded', announce.uploadedBytes],
    ['downloaded', announce.downloadedBytes],
    ['left', announce.leftBytes],
    ['event', announce.event === 'update' ? undefined : announce.event],
    ['numwant', announce.numWant],
    ['compact', Number(announce.compact)],
    ['no_peer_id', announce.noPeerId ? 1 : undefined],
  ];
  const query = fields.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]));
  return withQuery(trackerUrl, query);
}

function withQuery(trackerUrl: string, query: readonly string[]): string {
  const url = URL.parse(trackerUrl);
  if (url === null) throw new InvalidInput('not a tracker URL');
  url.hash = '';
  return `${url.href}${url.search === '' ? '?' : '&'}${query.join('&')}`;
}

/** The info hashes of a scrape (BEP 48). @throws InvalidInput for none, more than 74, or broken ones. */
export function parseHttpScrape(query: string): SwarmKey[] {
  const keys: SwarmKey[] = [];
  for (const [key, value] of parameters(query)) if (key === 'info_hash') keys.push(parseKey(value));
  if (keys.length === 0 || keys.length > MAX_SCRAPE_KEYS)
    throw new InvalidInput('a scrape names 1 to 74 torrents', { torrents: keys.length });
  return keys;
}

/** The URL that scrapes; undefined where the tracker's URL has no scrape twin (BEP 48). @throws InvalidInput for a broken URL. */
export function formatHttpScrape(trackerUrl: string, keys: readonly SwarmKey[]): string | undefined {
  const [path = '', ...query] = trackerUrl.split('?');
  const slash = path.lastIndexOf('/');
  if (!path.startsWith('announce', slash + 1)) return undefined;
  const scrapeUrl = [`${path.slice(0, slash)}/scrape${path.slice(slash + '/announce'.length)}`, ...query].join('?');
  return withQuery(
    scrapeUrl,
    keys.map((key) => `info_hash=${percentEncode(fromHex(key))}`),
  );
}

/** What an answer over HTTP says besides the peers. */
export interface HttpAnswerHead extends Omit<SwarmCounts, 'completed'> {
  readonly intervalSec: number;
  readonly minIntervalSec?: number;
}

function answerFields(head: HttpAnswerHead): Record<string, BencodeInput | undefined> {
  return {
    complete: head.seeders,
    incomplete: head.leechers,
    interval: head.intervalSec,
    'min interval': head.minIntervalSec,
  };
}

/** An answer with compact peers of both families (BEP 7, 23). */
export function encodeCompactAnswer(head: HttpAnswerHead, v4: Uint8Array, v6: Uint8Array): Uint8Array<ArrayBuffer> {
  return encodeBencode({ ...answerFields(head), peers: v4, peers6: v6.length > 0 ? v6 : undefined });
}

/** A peer as dictionary answers list it (BEP 3). */
export interface TrackerPeer {
  readonly address: PeerAddress;
  /** 20 bytes. */
  readonly peerId?: Uint8Array;
}

/** An answer in BEP 3's first form, a dictionary a peer. */
export function encodeDictionaryAnswer(head: HttpAnswerHead, peers: readonly TrackerPeer[]): Uint8Array<ArrayBuffer> {
  const list = peers.map(({ address, peerId }) => ({ ip: address.host, 'peer id': peerId, port: address.port }));
  return encodeBencode({ ...answerFields(head), peers: list });
}

/** The answer to a bad or unwelcome request. */
export function encodeHttpFailure(reason: string): Uint8Array<ArrayBuffer> {
  return encodeBencode({ 'failure reason': reason });
}

/** Reads a tracker's answer; odd fields are left out, odd peers skipped. @throws InvalidInput for broken bencode. */
export function decodeHttpAnswer(bytes: Uint8Array): AnnounceAnswer | TrackerFailure {
  const dict = decodeBencodeDict(bytes, ANSWER_LIMITS);
  const failure = decodeFailure(dict);
  if (failure !== undefined) return failure;
  const number = (key: string): number | undefined => {
    const value = dict.get(key);
    return typeof value === 'number' && value >= 0 ? value : undefined;
  };
  const [minIntervalSec, seeders, leechers] = [number('min interval'), number('complete'), number('incomplete')];
  const warning = dict.get('warning message');
  return {
    kind: 'answer',
    intervalSec: number('interval') ?? 0,
    ...(minIntervalSec !== undefined && { minIntervalSec }),
    ...(seeders !== undefined && { seeders }),
    ...(leechers !== undefined && { leechers }),
    ...(warning instanceof Uint8Array && { warning: fromUtf8(warning.subarray(0, MAX_REASON_BYTES)) }),
    peers: [...decodePeers(dict, 'peers', 'v4'), ...decodePeers(dict, 'peers6', 'v6')].slice(0, MAX_ANSWER_PEERS),
  };
}

function decodeFailure(dict: BencodeDict): TrackerFailure | undefined {
  const reason = dict.get('failure reason');
  if (!(reason instanceof Uint8Array)) return undefined;
  const retry = dict.get('retry in');
  const isNever = retry instanceof Uint8Array && fromUtf8(retry) === 'never';
  const minutes = retry instanceof Uint8Array ? wholeNumber(fromUtf8(retry.subarray(0, 16))) : retry;
  return {
    kind: 'failure',
    reason: fromUtf8(reason.subarray(0, MAX_REASON_BYTES)),
    ...(isNever && { retryInMinutes: 'never' as const }),
    ...(typeof minutes === 'number' && minutes >= 0 && { retryInMinutes: minutes }),
  };
}

function decodePeers(dict: BencodeDict, key: string, family: 'v4' | 'v6'): PeerAddress[] {
  const value = dict.get(key);
  if (value instanceof Uint8Array) {
    const whole = value.subarray(0, Math.min(MAX_ANSWER_PEERS * COMPACT_BYTES[family], value.length));
    return decodeCompactPeers(whole, family).filter((peer) => peer.port !== 0);
  }
  if (value === undefined || !isBencodeList(value)) return [];
  return value.slice(0, MAX_ANSWER_PEERS).flatMap((peer) => (peer instanceof BencodeDict ? decodePeer(peer) : []));
}

function decodePeer(dict: BencodeDict): PeerAddress[] {
  const [ip, port] = [dict.get('ip'), dict.get('port')];
  if (!(ip instanceof Uint8Array) || typeof port !== 'number' || port < 1 || port > 65_535) return [];
  try {
    return [{ host: formatIp(parseIp(fromUtf8(ip))), port }];
  } catch (error) {
    // A host name: nothing here resolves.
    if (error instanceof AppError) return [];
    throw error;
  }
}

/** Answers a scrape (BEP 48). */
export function encodeHttpScrape(files: ReadonlyMap<SwarmKey, SwarmCounts>): Uint8Array<ArrayBuffer> {
  const dict: Record<string, BencodeInput> = {};
  for (const [key, counts] of files)
    dict[String.fromCharCode(...fromHex(key))] = {
      complete: counts.seeders,
      downloaded: counts.completed,
      incomplete: counts.leechers,
    };
  return encodeBencode({ files: dict });
}

/** Reads a scrape's answer. @throws InvalidInput. */
export function decodeHttpScrape(bytes: Uint8Array): ReadonlyMap<SwarmKey, SwarmCounts> | TrackerFailure {
  const dict = decodeBencodeDict(bytes, ANSWER_LIMITS);
  const failure = decodeFailure(dict);
  if (failure !== undefined) return failure;
  const files = new Map<SwarmKey, SwarmCounts>();
  const given = dict.dict('files');
  for (const key of given?.keys() ?? []) {
    const counts = given?.dict(key);
    if (counts === undefined || key.length !== 20) continue;
    files.set(swarmKeyFromBytes(fromLatin1(key)), {
      seeders: counts.integer('complete') ?? 0,
      leechers: counts.integer('incomplete') ?? 0,
      completed: counts.integer('downloaded') ?? 0,
    });
  }
  return files;
}
