/**
 * The extension protocol (BEP 10) and what we speak over it: metadata (BEP 9), peer exchange (BEP 11), upload-only
 * (BEP 21) and lt_donthave (BEP 54). Everything here comes from a peer: each decoder throws ProtocolError and nothing else.
 */
import { formatIp, parseIp, type PeerAddress } from '../base/address.ts';
import { fromUtf8, readUint32, writeUint32 } from '../base/bytes.ts';
import { InvalidInput, ProtocolError } from '../base/errors.ts';
import { KIB, MIB } from '../base/units.ts';
import { BencodeDict, decodeBencodePrefix, encodeBencode, type BencodeInput } from './bencode.ts';
import { COMPACT_BYTES, decodeCompactPeers, encodeCompactPeer } from './compact-peers.ts';

/** Size of a metadata piece (BEP 9); the last one is shorter. */
export const METADATA_PIECE_BYTES = 16 * KIB;
/** The largest info dictionary taken from a peer. */
export const MAX_METADATA_BYTES = 8 * MIB;
/** Most peers taken from one PEX message in each list (BEP 11 says 50 for added and dropped alike). */
export const MAX_PEX_PEERS = 50;

/** The extensions we know, by the names that BEP 10 handshakes carry (BEP 9, 11, 54, 55). */
export const EXTENSION_NAMES = ['ut_metadata', 'ut_pex', 'lt_donthave', 'ut_holepunch'] as const;
/** One of them. */
export type ExtensionName = (typeof EXTENSION_NAMES)[number];

/** The extension handshake (BEP 10). */
export interface ExtendedHandshake {
  /** The ids under which the sender wants to receive each extension; missing = as before, 0 = not wanted any more. */
  readonly extensions: Readonly<Partial<Record<ExtensionName, number>>>;
  /** Client name and version, for display. */
  readonly client?: string;
  /** TCP port the sender listens on. */
  readonly listenPort?: number;
  /** Requests the sender keeps in its queue. */
  readonly requestQueue?: number;
  /** Size of the info dictionary; absent while the sender has none. */
  readonly metadataBytes?: number;
  /** How the sender sees the receiver: an IP literal. */
  readonly yourIp?: string;
  /** The sender wants no pieces (BEP 21). */
  readonly uploadOnly?: boolean;
}

const MESSAGE_LIMITS = { maxDepth: 8, maxValues: 2_000 };

/** Runs a parser and turns its complaint about the peer's bytes into a ProtocolError. */
function fromPeer<Result>(what: string, parse: () => Result): Result {
  try {
    return parse();
  } catch (error) {
    if (error instanceof InvalidInput) throw new ProtocolError(`malformed ${what}`, error.facts, { cause: error });
    throw error;
  }
}

function decodeDict(payload: Uint8Array): { dict: BencodeDict; end: number } {
  const { value, end } = decodeBencodePrefix(payload, MESSAGE_LIMITS);
  if (value instanceof BencodeDict) return { dict: value, end };
  throw new InvalidInput('not a dictionary');
}

/** The payload of extended message 0. */
export function encodeExtendedHandshake(handshake: ExtendedHandshake): Uint8Array<ArrayBuffer> {
  const extensions: Record<string, BencodeInput> = {};
  for (const name of EXTENSION_NAMES) {
    const id = handshake.extensions[name];
    if (id !== undefined) extensions[name] = id;
  }
  return encodeBencode({
    m: extensions,
    metadata_size: handshake.metadataBytes,
    p: handshake.listenPort,
    reqq: handshake.requestQueue,
    upload_only: handshake.uploadOnly === undefined ? undefined : Number(handshake.uploadOnly),
    v: handshake.client,
    yourip: handshake.yourIp === undefined ? undefined : parseIp(handshake.yourIp),
  });
}

/** Fields out of range are left out, since stock clients send odd ones; broken bencode is refused. @throws ProtocolError. */
export function decodeExtendedHandshake(payload: Uint8Array): ExtendedHandshake {
  return fromPeer('extended handshake', () => {
    const { dict } = decodeDict(payload);
    const client = stringField(dict, 'v');
    return {
      extensions: decodeExtensionIds(dict.get('m')),
      ...optional('client', client && fromUtf8(client.subarray(0, 128))),
      ...optional('listenPort', numberField(dict, 'p', 1, 65_535)),
      ...optional('requestQueue', numberField(dict, 'reqq', 1, 1_000_000)),
      ...optional('metadataBytes', numberField(dict, 'metadata_size', 1, MAX_METADATA_BYTES)),
      ...optional('yourIp', ipField(dict, 'yourip')),
      ...optional('uploadOnly', uploadOnlyField(dict)),
    };
  });
}

function uploadOnlyField(dict: BencodeDict): boolean | undefined {
  const flag = numberField(dict, 'upload_only', 0, 1);
  return flag === undefined ? undefined : flag === 1;
}

function optional<Key extends string, Value>(key: Key, value: Value | undefined): { [K in Key]?: Value } {
  const field: { [K in Key]?: Value } = {};
  if (value !== undefined) field[key] = value;
  return field;
}

function numberField(dict: BencodeDict, key: string, min: number, max: number): number | undefined {
  const value = dict.get(key);
  return typeof value === 'number' && value >= min && value <= max ? value : undefined;
}

function stringField(dict: BencodeDict, key: string): Uint8Array | undefined {
  const value = dict.get(key);
  return value instanceof Uint8Array ? value : undefined;
}

function ipField(dict: BencodeDict, key: string): string | undefined {
  const value = stringField(dict, key);
  return value?.length === 4 || value?.length === 16 ? formatIp(value) : undefined;
}

function decodeExtensionIds(value: unknown): ExtendedHandshake['extensions'] {
  const ids: Partial<Record<ExtensionName, number>> = {};
  if (!(value instanceof BencodeDict)) return ids;
  for (const name of EXTENSION_NAMES) {
    const id = numberField(value, name, 0, 255);
    if (id !== undefined) ids[name] = id;
  }
  return ids;
}

/** A message of ut_metadata (BEP 9); pieces have 16 KiB, but for the last. */
export type MetadataMessage =
  | { readonly type: 'request' | 'reject'; readonly piece: number }
  | { readonly type: 'data'; readonly piece: number; readonly totalBytes: number; readonly bytes: Uint8Array };

/** The payload of a ut_metadata message (BEP 9). */
export function encodeMetadataMessage(message: MetadataMessage): Uint8Array<ArrayBuffer> {
  if (message.type !== 'data')
    return encodeBencode({ msg_type: message.type === 'request' ? 0 : 2, piece: message.piece });
  const head = encodeBencode({ msg_type: 1, piece: message.piece, total_size: message.totalBytes });
  const payload = new Uint8Array(head.length + message.bytes.length);
  payload.set(head);
  payload.set(message.bytes, head.length);
  return payload;
}

/**
 * `bytes` is a view into the payload, of the right length for its piece. Undefined for message types of the future,
 * which BEP 9 says to ignore. @throws ProtocolError.
 */
export function decodeMetadataMessage(payload: Uint8Array): MetadataMessage | undefined {
  return fromPeer('ut_metadata message', () => {
    const { dict, end } = decodeDict(payload);
    const piece = numberField(dict, 'piece', 0, MAX_METADATA_BYTES / METADATA_PIECE_BYTES - 1);
    if (piece === undefined) throw new InvalidInput('no such metadata piece');
    const type = dict.integer('msg_type') ?? -1;
    switch (type) {
      case 0:
        return { type: 'request', piece };
      case 1:
        return decodeMetadataData(dict, piece, payload.subarray(end));
      case 2:
        return { type: 'reject', piece };
      default:
        return undefined;
    }
  });
}

function decodeMetadataData(dict: BencodeDict, piece: number, bytes: Uint8Array): MetadataMessage {
  const totalBytes = numberField(dict, 'total_size', 1, MAX_METADATA_BYTES);
  if (totalBytes === undefined) throw new InvalidInput('metadata size missing or too large');
  const wanted = Math.min(METADATA_PIECE_BYTES, totalBytes - piece * METADATA_PIECE_BYTES);
  if (bytes.length !== wanted) throw new InvalidInput('metadata piece of the wrong size', { length: bytes.length });
  return { type: 'data', piece, totalBytes, bytes };
}

/** Flags of a peer in PEX (BEP 11). */
export const PEX_FLAG = {
  prefersEncryption: 0x01,
  uploadOnly: 0x02,
  utp: 0x04,
  holepunch: 0x08,
  reachable: 0x10,
} as const;

/** A peer that another one names. */
export interface PexPeer {
  readonly address: PeerAddress;
  /** `PEX_FLAG` bits. */
  readonly flags: number;
}

/** A message of ut_pex (BEP 11): who came and who went since the last. */
export interface PexMessage {
  readonly added: readonly PexPeer[];
  readonly dropped: readonly PeerAddress[];
}

/** The payload of a ut_pex message (BEP 11). @throws InvalidInput for more than 50 added or dropped peers. */
export function encodePexMessage(message: PexMessage): Uint8Array<ArrayBuffer> {
  if (message.added.length > MAX_PEX_PEERS || message.dropped.length > MAX_PEX_PEERS)
    throw new InvalidInput('too many peers for one PEX message');
  const isV4 = (address: PeerAddress): boolean => !address.host.includes(':');
  const compact = (addresses: readonly PeerAddress[]): Uint8Array => concatPeers(addresses);
  const [v4, v6] = [message.added.filter((p) => isV4(p.address)), message.added.filter((p) => !isV4(p.address))];
  return encodeBencode({
    added: compact(v4.map((peer) => peer.address)),
    'added.f': Uint8Array.from(v4, (peer) => peer.flags),
    added6: compact(v6.map((peer) => peer.address)),
    'added6.f': Uint8Array.from(v6, (peer) => peer.flags),
    dropped: compact(message.dropped.filter(isV4)),
    dropped6: compact(message.dropped.filter((address) => !isV4(address))),
  });
}

function concatPeers(addresses: readonly PeerAddress[]): Uint8Array {
  return Uint8Array.from(addresses.flatMap((address) => [...encodeCompactPeer(address)]));
}

/** Takes the first 50 added and dropped peers of each family; the addresses still have to pass the guard. @throws ProtocolError. */
export function decodePexMessage(payload: Uint8Array): PexMessage {
  return fromPeer('ut_pex message', () => {
    const { dict } = decodeDict(payload);
    return {
      added: [...decodeAdded(dict, 'added', 'v4'), ...decodeAdded(dict, 'added6', 'v6')],
      dropped: [...decodeAddresses(dict, 'dropped', 'v4'), ...decodeAddresses(dict, 'dropped6', 'v6')],
    };
  });
}

function decodeAddresses(dict: BencodeDict, key: string, family: 'v4' | 'v6'): PeerAddress[] {
  const bytes = dict.bytes(key) ?? new Uint8Array(0);
  return decodeCompactPeers(bytes.subarray(0, MAX_PEX_PEERS * COMPACT_BYTES[family]), family);
}

function decodeAdded(dict: BencodeDict, key: string, family: 'v4' | 'v6'): PexPeer[] {
  const flags = dict.bytes(`${key}.f`);
  return decodeAddresses(dict, key, family).map((address, at) => ({ address, flags: flags?.[at] ?? 0 }));
}

/** The payload of lt_donthave (BEP 54): the sender no longer has this piece. */
export function encodeDontHave(piece: number): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(4);
  writeUint32(payload, 0, piece);
  return payload;
}

/** @throws ProtocolError unless 4 bytes. */
export function decodeDontHave(payload: Uint8Array): number {
  if (payload.length !== 4) throw new ProtocolError('lt_donthave has 4 bytes', { length: payload.length });
  return readUint32(payload, 0);
}
