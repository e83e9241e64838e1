/** Tracker messages over UDP (BEP 15), with the options of BEP 41. Requests and answers, both ways. */
import type { PeerAddress } from '../base/address.ts';
import {
  concatBytes,
  equalBytes,
  fromHex,
  fromUtf8,
  readUint16,
  readUint32,
  utf8,
  writeUint16,
  writeUint32,
} from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import { swarmKeyFromBytes, type SwarmKey } from '../base/ids.ts';
import {
  MAX_ANSWER_PEERS,
  MAX_SCRAPE_KEYS,
  type Announce,
  type AnnounceAnswer,
  type AnnounceEvent,
  type SwarmCounts,
  type TrackerFailure,
} from './announce.ts';
import { COMPACT_BYTES, decodeCompactPeers } from './compact-peers.ts';
import { PEER_ID_BYTES } from './peer-id.ts';

const ACTION = { connect: 0, announce: 1, scrape: 2, error: 3 } as const;
/** By number; 4 is BEP 21. */
const EVENTS: readonly AnnounceEvent[] = ['update', 'completed', 'started', 'stopped', 'paused'];
const PROTOCOL_ID = fromHex('0000041727101980');
const CONNECT_BYTES = 16;
/** Bytes of an announce without options. */
const ANNOUNCE_BYTES = 98;
const HEADER_BYTES = 16;
const OPTION = { end: 0, nop: 1, urlData: 2 } as const;
const MAX_URL_DATA_BYTES = 1_024;
const UNKNOWN_NUM_WANT = 0xffffffff;

/** An announce over UDP (BEP 15). */
export interface UdpAnnounce extends Announce {
  /** Random number by which a tracker may know a peer again after its address changed. */
  readonly key: number;
  /** Path and query of the tracker's URL (BEP 41); empty when the client sent none. */
  readonly urlData: string;
}

/** `connectionId` has 8 bytes and comes from the answer to `connect`. */
export type UdpRequest =
  | { readonly type: 'connect'; readonly transactionId: number }
  | ({ readonly type: 'announce'; readonly transactionId: number; readonly connectionId: Uint8Array } & UdpAnnounce)
  | {
      readonly type: 'scrape';
      readonly transactionId: number;
      readonly connectionId: Uint8Array;
      readonly swarmKeys: readonly SwarmKey[];
    };

/** Reads what a client sent. A port of 0 is kept: BEP 15 lets the tracker use the packet's. @throws InvalidInput. */
export function decodeUdpRequest(bytes: Uint8Array): UdpRequest {
  if (bytes.length < HEADER_BYTES) throw new InvalidInput('packet too short', { length: bytes.length });
  const action = readUint32(bytes, 8);
  const transactionId = readUint32(bytes, 12);
  const connectionId = bytes.slice(0, 8);
  switch (action) {
    case ACTION.connect:
      if (!equalBytes(connectionId, PROTOCOL_ID)) throw new InvalidInput('not a tracker connect');
      return { type: 'connect', transactionId };
    case ACTION.announce:
      return { type: 'announce', transactionId, connectionId, ...decodeAnnounce(bytes) };
    case ACTION.scrape:
      return { type: 'scrape', transactionId, connectionId, swarmKeys: decodeScrapeKeys(bytes) };
    default:
      throw new InvalidInput('unknown action', { action });
  }
}

function decodeAnnounce(bytes: Uint8Array): UdpAnnounce {
  if (bytes.length < ANNOUNCE_BYTES) throw new InvalidInput('announce too short', { length: bytes.length });
  const event = EVENTS[readUint32(bytes, 80)];
  if (event === undefined) throw new InvalidInput('unknown event');
  const leftBytes = readUint64(bytes, 64);
  const numWant = readUint32(bytes, 92);
  return {
    swarmKey: swarmKeyFromBytes(bytes.subarray(16, 36)),
    peerId: bytes.slice(36, 56),
    downloadedBytes: readUint64(bytes, 56) ?? Number.MAX_SAFE_INTEGER,
    ...(leftBytes !== undefined && { leftBytes }),
    uploadedBytes: readUint64(bytes, 72) ?? Number.MAX_SAFE_INTEGER,
    event,
    key: readUint32(bytes, 88),
    ...(numWant < 0x80000000 && { numWant }),
    port: readUint16(bytes, 96),
    urlData: decodeUrlData(bytes.subarray(ANNOUNCE_BYTES)),
  };
}

function decodeScrapeKeys(bytes: Uint8Array): SwarmKey[] {
  const count = (bytes.length - HEADER_BYTES) / 20;
  if (!Number.isInteger(count) || count < 1 || count > MAX_SCRAPE_KEYS)
    throw new InvalidInput('a scrape names 1 to 74 torrents', { length: bytes.length });
  return Array.from({ length: count }, (_, at) => {
    const start = HEADER_BYTES + at * 20;
    return swarmKeyFromBytes(bytes.subarray(start, start + 20));
  });
}

/** BEP 41: type, length, bytes; unknown types are skipped and what is cut short ends the list. */
function decodeUrlData(options: Uint8Array): string {
  if (options.length === 0) return '';
  const parts: Uint8Array[] = [];
  let at = 0;
  while (at < options.length && options[at] !== OPTION.end) {
    if (options[at] === OPTION.nop) at++;
    else {
      const end = at + 2 + (options[at + 1] ?? 0);
      if (at + 1 >= options.length || end > options.length) break;
      if (options[at] === OPTION.urlData) parts.push(options.subarray(at + 2, end));
      at = end;
    }
  }
  return fromUtf8(concatBytes(parts).subarray(0, MAX_URL_DATA_BYTES));
}

/** Undefined above the safe integers, which is how clients say "unknown". */
function readUint64(bytes: Uint8Array, at: number): number | undefined {
  const value = readUint32(bytes, at) * 2 ** 32 + readUint32(bytes, at + 4);
  return Number.isSafeInteger(value) ? value : undefined;
}

function writeUint64(bytes: Uint8Array, at: number, value: number): void {
  writeUint32(bytes, at, Math.floor(value / 2 ** 32));
  writeUint32(bytes, at + 4, value % 2 ** 32);
}

/** Writes what a client sends. @throws InvalidInput for ids of the wrong length or more than 74 torrents. */
export function encodeUdpRequest(request: UdpRequest): Uint8Array<ArrayBuffer> {
  switch (request.type) {
    case 'connect':
      return header(CONNECT_BYTES, PROTOCOL_ID, ACTION.connect, request.transactionId);
    case 'announce':
      return encodeAnnounce(request);
    case 'scrape': {
      if (request.swarmKeys.length > MAX_SCRAPE_KEYS) throw new InvalidInput('too many torrents for one scrape');
      const size = HEADER_BYTES + 20 * request.swarmKeys.length;
      const bytes = header(size, request.connectionId, ACTION.scrape, request.transactionId);
      for (const [at, key] of request.swarmKeys.entries()) bytes.set(fromHex(key), HEADER_BYTES + 20 * at);
      return bytes;
    }
  }
  throw new InvalidInput('unknown request');
}

function header(
  size: number,
  connectionId: Uint8Array,
  action: number,
  transactionId: number,
): Uint8Array<ArrayBuffer> {
  if (connectionId.length !== 8) throw new InvalidInput('a connection id has 8 bytes');
  const bytes = new Uint8Array(size);
  bytes.set(connectionId);
  writeUint32(bytes, 8, action);
  writeUint32(bytes, 12, transactionId);
  return bytes;
}

function encodeAnnounce(request: Extract<UdpRequest, { type: 'announce' }>): Uint8Array<ArrayBuffer> {
  if (request.peerId.length !== PEER_ID_BYTES) throw new InvalidInput('a peer id has 20 bytes');
  const options = encodeUrlData(request.urlData);
  const size = ANNOUNCE_BYTES + options.length;
  const bytes = header(size, request.connectionId, ACTION.announce, request.transactionId);
  bytes.set(fromHex(request.swarmKey), 16);
  bytes.set(request.peerId, 36);
  writeUint64(bytes, 56, request.downloadedBytes);
  if (request.leftBytes === undefined) bytes.fill(0xff, 64, 72);
  else writeUint64(bytes, 64, request.leftBytes);
  writeUint64(bytes, 72, request.uploadedBytes);
  writeUint32(bytes, 80, EVENTS.indexOf(request.event));
  writeUint32(bytes, 88, request.key);
  writeUint32(bytes, 92, request.numWant ?? UNKNOWN_NUM_WANT);
  writeUint16(bytes, 96, request.port);
  bytes.set(options, ANNOUNCE_BYTES);
  return bytes;
}

function encodeUrlData(urlData: string): Uint8Array {
  const bytes = utf8(urlData);
  if (bytes.length > MAX_URL_DATA_BYTES) throw new InvalidInput('tracker URL too long', { length: bytes.length });
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 255) {
    const part = bytes.subarray(at, at + 255);
    parts.push(Uint8Array.of(OPTION.urlData, part.length), part);
  }
  if (parts.length > 0) parts.push(Uint8Array.of(OPTION.end));
  return concatBytes(parts);
}

/** A tracker's answer as it goes out; `peers` are compact, of the family the packet travels in. */
export type UdpAnswer =
  | { readonly type: 'connect'; readonly transactionId: number; readonly connectionId: Uint8Array }
  | {
      readonly type: 'announce';
      readonly transactionId: number;
      readonly intervalSec: number;
      readonly seeders: number;
      readonly leechers: number;
      readonly peers: Uint8Array;
    }
  | { readonly type: 'scrape'; readonly transactionId: number; readonly counts: readonly SwarmCounts[] }
  | { readonly type: 'error'; readonly transactionId: number; readonly reason: string };

/** Writes an answer (BEP 15), one datagram. */
export function encodeUdpAnswer(answer: UdpAnswer): Uint8Array<ArrayBuffer> {
  switch (answer.type) {
    case 'connect':
      return answerBytes(answer, [], answer.connectionId);
    case 'announce':
      return answerBytes(answer, [answer.intervalSec, answer.leechers, answer.seeders], answer.peers);
    case 'scrape': {
      const numbers = answer.counts.flatMap((count) => [count.seeders, count.completed, count.leechers]);
      return answerBytes(answer, numbers, new Uint8Array(0));
    }
    case 'error':
      return answerBytes(answer, [], utf8(answer.reason));
  }
  throw new InvalidInput('unknown answer');
}

function answerBytes(answer: UdpAnswer, numbers: readonly number[], tail: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8 + 4 * numbers.length + tail.length);
  writeUint32(bytes, 0, ACTION[answer.type]);
  writeUint32(bytes, 4, answer.transactionId);
  for (let at = 0; at < numbers.length; at++) writeUint32(bytes, 8 + 4 * at, numbers[at] ?? 0);
  bytes.set(tail, 8 + 4 * numbers.length);
  return bytes;
}

/** The transaction a packet answers; undefined when it is too short. Look up the request by it, then decode. */
export function udpTransactionOf(bytes: Uint8Array): number | undefined {
  return bytes.length < 8 ? undefined : readUint32(bytes, 4);
}

function expectAction(bytes: Uint8Array, action: keyof typeof ACTION, minBytes: number): TrackerFailure | undefined {
  if (bytes.length < 8) throw new InvalidInput('packet too short', { length: bytes.length });
  const found = readUint32(bytes, 0);
  if (found === ACTION.error) return { kind: 'failure', reason: fromUtf8(bytes.subarray(8, 1_032)) };
  if (found !== ACTION[action] || bytes.length < minBytes)
    throw new InvalidInput(`not an answer to ${action}`, { action: found, length: bytes.length });
  return undefined;
}

/** The connection id (8 bytes) a tracker gave. @throws InvalidInput. */
export function decodeUdpConnectAnswer(
  bytes: Uint8Array,
): { kind: 'answer'; connectionId: Uint8Array } | TrackerFailure {
  return expectAction(bytes, 'connect', 16) ?? { kind: 'answer', connectionId: bytes.slice(8, 16) };
}

/** `family` is that of the tracker's address. @throws InvalidInput. */
export function decodeUdpAnnounceAnswer(bytes: Uint8Array, family: 'v4' | 'v6'): AnnounceAnswer | TrackerFailure {
  const failure = expectAction(bytes, 'announce', 20);
  if (failure !== undefined) return failure;
  const peers = bytes.subarray(20, 20 + MAX_ANSWER_PEERS * COMPACT_BYTES[family]);
  return {
    kind: 'answer',
    intervalSec: readUint32(bytes, 8),
    leechers: readUint32(bytes, 12),
    seeders: readUint32(bytes, 16),
    peers: decodeCompactPeers(peers, family).filter((peer: PeerAddress) => peer.port !== 0),
  };
}

/** Counts in the order the torrents were asked for. @throws InvalidInput. */
export function decodeUdpScrapeAnswer(
  bytes: Uint8Array,
): { readonly kind: 'answer'; readonly counts: readonly SwarmCounts[] } | TrackerFailure {
  const failure = expectAction(bytes, 'scrape', 8);
  if (failure !== undefined) return failure;
  const count = Math.min(MAX_SCRAPE_KEYS, Math.floor((bytes.length - 8) / 12));
  const counts = Array.from({ length: count }, (_, at) => ({
    seeders: readUint32(bytes, 8 + 12 * at),
    completed: readUint32(bytes, 12 + 12 * at),
    leechers: readUint32(bytes, 16 + 12 * at),
  }));
  return { kind: 'answer', counts };
}
