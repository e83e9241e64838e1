/**
 * The WebTorrent tracker protocol: JSON over WebSocket, hashes and ids as strings of 20 latin-1 characters. One message
 * type on the wire ("announce") means five things; here each has its own type. Invariant: whatever comes from the other
 * side is `unknown` until it is validated here, and a decoder throws InvalidInput and nothing else.
 *
 * Our extension, trickle ICE: a peer that says `"trickle": true` when it announces, offers or answers takes candidates
 * one by one, as {"action":"announce", info_hash, peer_id, offer_id, candidate: {candidate, sdpMid}} with `to_peer_id`
 * once it is known. Before the answer the tracker routes them by offer_id. Peers that did not say so never see one.
 */
import { fromHex, fromLatin1, toLatin1 } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import { swarmKeyFromBytes, type SwarmKey } from '../base/ids.ts';
import { MAX_SCRAPE_KEYS, parseAnnounceEvent, type AnnounceEvent, type SwarmCounts } from './announce.ts';

/** Longest frame either side takes, in characters. */
export const MAX_WS_FRAME_LENGTH = 64 * 1024;
/** Most offers taken from one announce. */
export const MAX_WS_OFFERS = 10;
const MAX_SDP_LENGTH = 16 * 1024;
const MAX_CANDIDATE_LENGTH = 1_024;
const MAX_OFFER_ID_LENGTH = 64;

/** Peer id or offer id: one latin-1 character a byte. */
export type LatinId = string & { readonly brand: 'LatinId' };

/** Makes an id from bytes. */
export function latinIdOf(bytes: Uint8Array): LatinId {
  return toLatin1(bytes) as LatinId;
}

/** One ICE candidate (RFC 8839); an empty `candidate` says that no more follow. */
export interface IceCandidate {
  readonly candidate: string;
  readonly sdpMid: string;
}

/** An offer that the tracker hands to some peer. */
export interface WsOffer {
  readonly offerId: LatinId;
  readonly sdp: string;
}

/** What a peer sends to the tracker. */
export type WsClientMessage =
  | {
      readonly type: 'announce';
      readonly swarmKey: SwarmKey;
      readonly peerId: LatinId;
      readonly event: AnnounceEvent;
      readonly uploadedBytes: number;
      readonly downloadedBytes: number;
      /** Absent when the peer does not know. */
      readonly leftBytes?: number;
      readonly offers: readonly WsOffer[];
      readonly trickle: boolean;
    }
  | (Signal & { readonly type: 'answer'; readonly toPeerId: LatinId; readonly sdp: string })
  | (Signal & { readonly type: 'candidate'; readonly toPeerId?: LatinId; readonly candidate: IceCandidate })
  | { readonly type: 'scrape'; readonly swarmKeys: readonly SwarmKey[] };

interface Signal {
  readonly swarmKey: SwarmKey;
  /** Who sends it. */
  readonly peerId: LatinId;
  readonly offerId: LatinId;
}

/** What the tracker sends to a peer. */
export type WsServerMessage =
  | {
      readonly type: 'announced';
      readonly swarmKey: SwarmKey;
      readonly intervalSec: number;
      readonly seeders: number;
      readonly leechers: number;
    }
  | (Signal & { readonly type: 'offer'; readonly sdp: string; readonly trickle: boolean })
  | (Signal & { readonly type: 'answer'; readonly sdp: string; readonly trickle: boolean })
  | (Signal & { readonly type: 'candidate'; readonly candidate: IceCandidate })
  | { readonly type: 'scraped'; readonly files: ReadonlyMap<SwarmKey, SwarmCounts> }
  | { readonly type: 'failed'; readonly reason: string; readonly swarmKey?: SwarmKey };

type Json = Readonly<Record<string, unknown>>;

function parseFrame(text: string): Json {
  if (text.length > MAX_WS_FRAME_LENGTH) throw new InvalidInput('message too long', { length: text.length });
  const value = parseJson(text);
  if (!isObject(value)) throw new InvalidInput('not a JSON object');
  return value;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidInput('not JSON', {}, { cause: error });
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown, name: string, maxLength: number): string {
  if (typeof value !== 'string' || value.length > maxLength) throw new InvalidInput(`invalid ${name}`);
  return value;
}

function isLatin1(value: string): boolean {
  for (let at = 0; at < value.length; at++) if (value.charCodeAt(at) > 0xff) return false;
  return true;
}

function peerIdOf(value: unknown, name: string): LatinId {
  if (typeof value !== 'string' || value.length !== 20 || !isLatin1(value)) throw new InvalidInput(`invalid ${name}`);
  return value as LatinId;
}

function offerIdOf(value: unknown): LatinId {
  const id = textOf(value, 'offer_id', MAX_OFFER_ID_LENGTH);
  if (id === '' || !isLatin1(id)) throw new InvalidInput('invalid offer_id');
  return id as LatinId;
}

function swarmKeyOfLatin(value: unknown): SwarmKey {
  return swarmKeyFromBytes(fromLatin1(peerIdOf(value, 'info_hash')));
}

function latinOfSwarmKey(key: SwarmKey): string {
  return toLatin1(fromHex(key));
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function sdpOf(value: unknown, type: 'offer' | 'answer'): string {
  if (!isObject(value) || value['type'] !== type) throw new InvalidInput(`invalid ${type}`);
  return textOf(value['sdp'], type, MAX_SDP_LENGTH);
}

function candidateOf(value: unknown): IceCandidate {
  if (!isObject(value)) throw new InvalidInput('invalid candidate');
  return {
    candidate: textOf(value['candidate'], 'candidate', MAX_CANDIDATE_LENGTH),
    // A description with one data channel has one section, and browsers name it "0".
    sdpMid: textOf(value['sdpMid'] ?? '0', 'sdpMid', 64),
  };
}

/** Reads what a peer sent. @throws InvalidInput. */
export function decodeWsClientMessage(frame: string): WsClientMessage {
  const json = parseFrame(frame);
  if (json['action'] === 'scrape') return { type: 'scrape', swarmKeys: scrapeKeys(json['info_hash']) };
  if (json['action'] !== 'announce') throw new InvalidInput('invalid action');
  const swarmKey = swarmKeyOfLatin(json['info_hash']);
  const peerId = peerIdOf(json['peer_id'], 'peer_id');
  if (isGiven(json['answer']))
    return { type: 'answer', ...addressed(json, swarmKey, peerId), sdp: sdpOf(json['answer'], 'answer') };
  if (isGiven(json['candidate'])) return decodeCandidate(json, swarmKey, peerId);
  const leftBytes = count(json['left']);
  return {
    type: 'announce',
    swarmKey,
    peerId,
    event: eventOf(json['event']),
    uploadedBytes: count(json['uploaded']) ?? 0,
    downloadedBytes: count(json['downloaded']) ?? 0,
    ...(leftBytes !== undefined && { leftBytes }),
    offers: offersOf(json['offers']),
    trickle: json['trickle'] === true,
  };
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function addressed(json: Json, swarmKey: SwarmKey, peerId: LatinId): Signal & { readonly toPeerId: LatinId } {
  return {
    swarmKey,
    peerId,
    offerId: offerIdOf(json['offer_id']),
    toPeerId: peerIdOf(json['to_peer_id'], 'to_peer_id'),
  };
}

function decodeCandidate(json: Json, swarmKey: SwarmKey, peerId: LatinId): WsClientMessage {
  const signal = { swarmKey, peerId, offerId: offerIdOf(json['offer_id']) };
  const toPeerId = isGiven(json['to_peer_id']) ? peerIdOf(json['to_peer_id'], 'to_peer_id') : undefined;
  return {
    type: 'candidate',
    ...signal,
    ...(toPeerId !== undefined && { toPeerId }),
    candidate: candidateOf(json['candidate']),
  };
}

function eventOf(value: unknown): AnnounceEvent {
  const event = isGiven(value) ? parseAnnounceEvent(textOf(value, 'event', 20)) : 'update';
  if (event === undefined) throw new InvalidInput('invalid event');
  return event;
}

function offersOf(value: unknown): WsOffer[] {
  if (!isGiven(value)) return [];
  if (!Array.isArray(value)) throw new InvalidInput('invalid offers');
  return value.slice(0, MAX_WS_OFFERS).map((offer: unknown) => {
    if (!isObject(offer)) throw new InvalidInput('invalid offers');
    return { offerId: offerIdOf(offer['offer_id']), sdp: sdpOf(offer['offer'], 'offer') };
  });
}

function scrapeKeys(value: unknown): SwarmKey[] {
  const hashes: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (hashes.length === 0 || hashes.length > MAX_SCRAPE_KEYS) throw new InvalidInput('a scrape names 1 to 74 torrents');
  return hashes.map(swarmKeyOfLatin);
}

/** Writes what a peer sends. */
export function encodeWsClientMessage(message: WsClientMessage): string {
  if (message.type === 'scrape')
    return JSON.stringify({ action: 'scrape', info_hash: message.swarmKeys.map(latinOfSwarmKey) });
  const head = { action: 'announce', info_hash: latinOfSwarmKey(message.swarmKey), peer_id: message.peerId };
  if (message.type === 'announce') return JSON.stringify({ ...head, ...announceFields(message) });
  const signal = { ...head, to_peer_id: message.toPeerId, offer_id: message.offerId };
  if (message.type === 'candidate') return JSON.stringify({ ...signal, candidate: message.candidate });
  return JSON.stringify({ ...signal, answer: { type: 'answer', sdp: message.sdp } });
}

function announceFields(message: Extract<WsClientMessage, { type: 'announce' }>): Json {
  return {
    numwant: message.offers.length,
    uploaded: message.uploadedBytes,
    downloaded: message.downloadedBytes,
    left: message.leftBytes ?? null,
    event: message.event === 'update' ? undefined : message.event,
    offers: message.offers.map(({ offerId, sdp }) => ({ offer_id: offerId, offer: { type: 'offer', sdp } })),
    trickle: message.trickle || undefined,
  };
}

/** Writes what the tracker sends. A failure always names an action, because stock clients reconnect without one. */
export function encodeWsServerMessage(message: WsServerMessage): string {
  switch (message.type) {
    case 'announced':
      return JSON.stringify({
        action: 'announce',
        info_hash: latinOfSwarmKey(message.swarmKey),
        interval: message.intervalSec,
        complete: message.seeders,
        incomplete: message.leechers,
      });
    case 'scraped':
      return JSON.stringify({ action: 'scrape', files: Object.fromEntries([...message.files].map(scrapeEntry)) });
    case 'failed':
      return JSON.stringify({
        action: 'announce',
        'failure reason': message.reason,
        info_hash: message.swarmKey && latinOfSwarmKey(message.swarmKey),
      });
    case 'candidate':
      return JSON.stringify({ ...relayHead(message), candidate: message.candidate });
    case 'offer':
    case 'answer':
      return JSON.stringify({
        ...relayHead(message),
        [message.type]: { type: message.type, sdp: message.sdp },
        trickle: message.trickle || undefined,
      });
  }
  throw new InvalidInput('unknown message');
}

function scrapeEntry([key, counts]: readonly [SwarmKey, SwarmCounts]): [string, Json] {
  const { seeders, leechers, completed } = counts;
  return [latinOfSwarmKey(key), { complete: seeders, incomplete: leechers, downloaded: completed }];
}

function relayHead(signal: Signal): Json {
  return {
    action: 'announce',
    info_hash: latinOfSwarmKey(signal.swarmKey),
    peer_id: signal.peerId,
    offer_id: signal.offerId,
  };
}

/** Reads what a tracker sent; undefined for messages that mean nothing to us. @throws InvalidInput. */
export function decodeWsServerMessage(frame: string): WsServerMessage | undefined {
  const json = parseFrame(frame);
  if (isGiven(json['failure reason'])) return decodeFailed(json);
  if (json['action'] === 'scrape') return { type: 'scraped', files: decodeFiles(json['files']) };
  if (json['action'] !== 'announce') return undefined;
  const swarmKey = swarmKeyOfLatin(json['info_hash']);
  if (isGiven(json['offer'])) return { type: 'offer', ...relayed(json, swarmKey), ...description(json, 'offer') };
  if (isGiven(json['answer'])) return { type: 'answer', ...relayed(json, swarmKey), ...description(json, 'answer') };
  if (isGiven(json['candidate']))
    return { type: 'candidate', ...relayed(json, swarmKey), candidate: candidateOf(json['candidate']) };
  return {
    type: 'announced',
    swarmKey,
    intervalSec: count(json['interval']) ?? 0,
    seeders: count(json['complete']) ?? 0,
    leechers: count(json['incomplete']) ?? 0,
  };
}

function decodeFailed(json: Json): WsServerMessage {
  const reason = textOf(json['failure reason'], 'failure reason', 1_024);
  const swarmKey = isGiven(json['info_hash']) ? swarmKeyOfLatin(json['info_hash']) : undefined;
  return { type: 'failed', reason, ...(swarmKey !== undefined && { swarmKey }) };
}

function relayed(json: Json, swarmKey: SwarmKey): Signal {
  return { swarmKey, peerId: peerIdOf(json['peer_id'], 'peer_id'), offerId: offerIdOf(json['offer_id']) };
}

function description(json: Json, type: 'offer' | 'answer'): { readonly sdp: string; readonly trickle: boolean } {
  return { sdp: sdpOf(json[type], type), trickle: json['trickle'] === true };
}

function decodeFiles(value: unknown): ReadonlyMap<SwarmKey, SwarmCounts> {
  if (!isObject(value)) throw new InvalidInput('invalid files');
  const files = new Map<SwarmKey, SwarmCounts>();
  for (const [hash, counts] of Object.entries(value).slice(0, MAX_SCRAPE_KEYS)) {
    if (!isObject(counts)) throw new InvalidInput('invalid files');
    files.set(swarmKeyOfLatin(hash), {
      seeders: count(counts['complete']) ?? 0,
      leechers: count(counts['incomplete']) ?? 0,
      completed: count(counts['downloaded']) ?? 0,
    });
  }
  return files;
}
