/**
 * Messages between DHT nodes (BEP 5; IPv6 contacts of BEP 32, where the other sees us of BEP 42, read-only nodes of BEP 43).
 * Every field that anybody will
 * use is read and checked here: what comes out has the right types and sizes.
 */
import type { PeerAddress } from '../base/address.ts';
import { concatBytes, fromHex, fromUtf8, toLatin1 } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import { swarmKeyFromBytes, type SwarmKey } from '../base/ids.ts';
import { type BencodeDict, type BencodeInput, decodeBencodeDict, encodeBencode } from './bencode.ts';
import { COMPACT_BYTES, decodeCompactPeer, encodeCompactPeer } from './compact-peers.ts';

export const NODE_ID_BYTES = 20;
/** Larger packets are not looked at. */
export const MAX_KRPC_BYTES = 4_096;
const LIMITS = { maxDepth: 4, maxValues: 500 };
const MAX_TRANSACTION_BYTES = 16;
const MAX_TOKEN_BYTES = 64;
const MAX_CONTACTS = 32;
const MAX_VALUES = 200;
const MAX_REASON_BYTES = 256;
const MAX_WANTS = 8;
const FAMILIES = ['v4', 'v6'] as const;
const WANT_FLAGS = { v4: 'n4', v6: 'n6' } as const;

/** A DHT node and where it listens. */
export interface DhtContact {
  /** 20 bytes. */
  readonly id: Uint8Array;
  readonly address: PeerAddress;
}

export type AddressFamily = 'v4' | 'v6';

/** Whose contacts are asked for (BEP 32); absent: those of the family that carries the packet. */
interface Wanting {
  readonly want?: readonly AddressFamily[];
}

export type KrpcQuestion =
  | { readonly method: 'ping' }
  | ({ readonly method: 'find_node'; readonly target: Uint8Array } & Wanting)
  | ({ readonly method: 'get_peers'; readonly swarmKey: SwarmKey } & Wanting)
  | {
      readonly method: 'announce_peer';
      readonly swarmKey: SwarmKey;
      /** Undefined: the port the packet came from. */
      readonly port: number | undefined;
      readonly token: Uint8Array;
    };

interface Head {
  /** Chosen by the asking side, at most 16 bytes. */
  readonly transactionId: Uint8Array;
}

export type KrpcQuery = Head & {
  readonly kind: 'query';
  readonly senderId: Uint8Array;
  /** It answers nobody: not to be kept as a contact (BEP 43). */
  readonly isReadOnly: boolean;
  readonly question: KrpcQuestion;
};

/** Where the answering side saw the question come from (BEP 42). */
interface Observing {
  readonly observed?: PeerAddress;
}

export interface KrpcAnswer extends Head, Observing {
  readonly kind: 'answer';
  readonly senderId: Uint8Array;
  readonly contacts: readonly DhtContact[];
  readonly peers: readonly PeerAddress[];
  readonly token: Uint8Array | undefined;
}

export interface KrpcError extends Head, Observing {
  readonly kind: 'error';
  readonly code: number;
  readonly reason: string;
}

export type KrpcMessage = KrpcQuery | KrpcAnswer | KrpcError;

/** 203: malformed, or a bad token; 204: nobody here knows this method. */
export const KRPC_ERROR = { protocol: 203, unknownMethod: 204 } as const;

/** Reads one packet; undefined for a query whose method is unknown here. @throws InvalidInput */
export function decodeKrpc(bytes: Uint8Array): KrpcMessage | undefined {
  if (bytes.length > MAX_KRPC_BYTES) throw new InvalidInput('DHT packet too large', { length: bytes.length });
  const dict = decodeBencodeDict(bytes, LIMITS);
  const transactionId = dict.bytes('t');
  if (transactionId === undefined || transactionId.length === 0 || transactionId.length > MAX_TRANSACTION_BYTES)
    throw new InvalidInput('DHT packet without a transaction');
  const head = { transactionId: transactionId.slice() };
  switch (dict.text('y') ?? '') {
    case 'q':
      return decodeQuery(dict, head);
    case 'r':
      return decodeAnswer(dict, head);
    case 'e':
      return decodeError(dict, head);
    default:
      throw new InvalidInput('DHT packet of no known kind');
  }
}

function decodeQuery(dict: BencodeDict, head: Head): KrpcQuery | undefined {
  const body = dict.dict('a');
  if (body === undefined) throw new InvalidInput('DHT query without arguments');
  const question = decodeQuestion(dict.text('q'), body);
  if (question === undefined) return undefined;
  return { ...head, kind: 'query', senderId: idOf(body, 'id'), isReadOnly: dict.get('ro') === 1, question };
}

function decodeQuestion(method: string | undefined, body: BencodeDict): KrpcQuestion | undefined {
  switch (method ?? '') {
    case 'ping':
      return { method: 'ping' };
    case 'find_node':
      return { method: 'find_node', target: idOf(body, 'target'), ...wantOf(body) };
    case 'get_peers':
      return { method: 'get_peers', swarmKey: swarmKeyFromBytes(idOf(body, 'info_hash')), ...wantOf(body) };
    case 'announce_peer': {
      const isImplied = (body.integer('implied_port') ?? 0) !== 0;
      const port = body.integer('port');
      if (!isImplied && (port === undefined || port < 1 || port > 65_535)) throw new InvalidInput('no such port');
      const token = tokenOf(body);
      if (token === undefined) throw new InvalidInput('DHT announce without a token');
      const swarmKey = swarmKeyFromBytes(idOf(body, 'info_hash'));
      return { method: 'announce_peer', swarmKey, port: isImplied ? undefined : port, token };
    }
    default:
      return undefined;
  }
}

function decodeAnswer(dict: BencodeDict, head: Head): KrpcAnswer {
  const body = dict.dict('r');
  if (body === undefined) throw new InvalidInput('DHT answer without a body');
  return {
    ...head,
    kind: 'answer',
    senderId: idOf(body, 'id'),
    contacts: [
      ...decodeContacts(body.bytes('nodes'), 'v4', MAX_CONTACTS),
      ...decodeContacts(body.bytes('nodes6'), 'v6', MAX_CONTACTS),
    ],
    peers: peersOf(body),
    token: tokenOf(body),
    ...observedOf(dict),
  };
}

function decodeError(dict: BencodeDict, head: Head): KrpcError {
  const [code, reason] = dict.list('e') ?? [];
  return {
    ...head,
    kind: 'error',
    code: typeof code === 'number' ? code : 201,
    reason: reason instanceof Uint8Array ? fromUtf8(reason.subarray(0, MAX_REASON_BYTES)) : '',
    ...observedOf(dict),
  };
}

function idOf(body: BencodeDict, key: string): Uint8Array {
  const id = body.bytes(key);
  if (id?.length !== NODE_ID_BYTES) throw new InvalidInput(`DHT packet: "${key}" has 20 bytes`);
  return id.slice();
}

function wantOf(body: BencodeDict): Wanting {
  const flags = (body.list('want') ?? []).slice(0, MAX_WANTS);
  const names = new Set(flags.map((flag) => (flag instanceof Uint8Array ? toLatin1(flag) : '')));
  const want = FAMILIES.filter((family) => names.has(WANT_FLAGS[family]));
  return want.length === 0 ? {} : { want };
}

/** Of no use to anybody but us: what is malformed was not said. */
function observedOf(dict: BencodeDict): Observing {
  const bytes = dict.get('ip');
  const isAddress =
    bytes instanceof Uint8Array && (bytes.length === COMPACT_BYTES.v4 || bytes.length === COMPACT_BYTES.v6);
  return isAddress ? { observed: decodeCompactPeer(bytes) } : {};
}

function tokenOf(body: BencodeDict): Uint8Array | undefined {
  const token = body.bytes('token');
  if (token !== undefined && token.length > MAX_TOKEN_BYTES) throw new InvalidInput('DHT token too long');
  return token?.slice();
}

/** Reads up to `max` contacts of one family as they stand in `nodes` and `nodes6`. @throws InvalidInput when cut short */
export function decodeContacts(
  bytes: Uint8Array = new Uint8Array(0),
  family: AddressFamily,
  max: number,
): DhtContact[] {
  const size = NODE_ID_BYTES + COMPACT_BYTES[family];
  if (bytes.length % size !== 0) throw new InvalidInput('DHT contacts cut short', { bytes: bytes.length });
  return Array.from({ length: Math.min(bytes.length / size, max) }, (_, at) => {
    const contact = bytes.subarray(at * size, (at + 1) * size);
    return { id: contact.slice(0, NODE_ID_BYTES), address: decodeCompactPeer(contact.subarray(NODE_ID_BYTES)) };
  }).filter(({ address }) => address.port !== 0);
}

/** The contacts of one family as they stand in `nodes` and `nodes6`; undefined where there are none. */
export function encodeContacts(contacts: readonly DhtContact[], family: AddressFamily): Uint8Array | undefined {
  const encoded = contacts.map(({ id, address }) => concatBytes([id, encodeCompactPeer(address)]));
  const chosen = encoded.filter((bytes) => bytes.length === NODE_ID_BYTES + COMPACT_BYTES[family]);
  return chosen.length === 0 ? undefined : concatBytes(chosen);
}

function peersOf(body: BencodeDict): PeerAddress[] {
  return (body.list('values') ?? []).slice(0, MAX_VALUES).flatMap((value) => {
    const isPeer =
      value instanceof Uint8Array && (value.length === COMPACT_BYTES.v4 || value.length === COMPACT_BYTES.v6);
    const peer = isPeer ? decodeCompactPeer(value) : undefined;
    return peer === undefined || peer.port === 0 ? [] : [peer];
  });
}

/** Writes one packet. @throws InvalidInput for addresses that are no IP literals */
export function encodeKrpc(message: KrpcMessage): Uint8Array<ArrayBuffer> {
  const t = message.transactionId;
  switch (message.kind) {
    case 'query':
      return encodeBencode({
        a: { id: message.senderId, ...argumentsOf(message.question) },
        q: message.question.method,
        ro: message.isReadOnly ? 1 : undefined,
        t,
        y: 'q',
      });
    case 'answer':
      return encodeBencode({ ip: encodeObserved(message), r: bodyOf(message), t, y: 'r' });
    case 'error':
      return encodeBencode({ e: [message.code, message.reason], ip: encodeObserved(message), t, y: 'e' });
  }
  throw new InvalidInput('unknown DHT message');
}

function argumentsOf(question: KrpcQuestion): Record<string, BencodeInput | undefined> {
  switch (question.method) {
    case 'ping':
      return {};
    case 'find_node':
      return { target: question.target, want: encodeWant(question) };
    case 'get_peers':
      return { info_hash: fromHex(question.swarmKey), want: encodeWant(question) };
    case 'announce_peer':
      return {
        implied_port: question.port === undefined ? 1 : undefined,
        info_hash: fromHex(question.swarmKey),
        port: question.port ?? 1,
        token: question.token,
      };
  }
  throw new InvalidInput('unknown DHT method');
}

function encodeWant({ want }: Wanting): string[] | undefined {
  return want?.map((family) => WANT_FLAGS[family]);
}

function encodeObserved({ observed }: Observing): Uint8Array | undefined {
  return observed && encodeCompactPeer(observed);
}

function bodyOf({ senderId, contacts, peers, token }: KrpcAnswer): Record<string, BencodeInput | undefined> {
  return {
    id: senderId,
    nodes: encodeContacts(contacts, 'v4'),
    nodes6: encodeContacts(contacts, 'v6'),
    token,
    values: peers.length === 0 ? undefined : peers.map(encodeCompactPeer),
  };
}

/** One character per byte: what a Map can hold. */
export function transactionKey(transactionId: Uint8Array): string {
  return toLatin1(transactionId);
}
