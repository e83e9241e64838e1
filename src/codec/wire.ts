/**
 * Reading the peer wire protocol (BEP 3, 6, 10, 52) from a byte stream cut anywhere. Invariants: block bytes are handed
 * out as views of the received chunk and never joined; nothing is allocated for a length that breaks the caps; after an
 * error the reader is dead.
 */
import { readUint16, readUint32 } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';
import { KIB, MIB } from '../base/units.ts';
import { decodeHandshake, HANDSHAKE_BYTES, type Handshake } from './handshake.ts';
import { decodeHashes, decodeHashRequest, type HashRequest } from './wire-hashes.ts';

/** The unit of requests (BEP 3): every block but a torrent's last has this size. */
export const BLOCK_BYTES = 16 * KIB;
/** A peer that sends or asks for longer blocks is closed. */
export const MAX_BLOCK_BYTES = 128 * KIB;
/** A peer that sends a longer message is closed. */
export const MAX_MESSAGE_BYTES = MIB;

/** Message ids of BEP 3, 5, 6, 10 and 52. */
export const MESSAGE = {
  choke: 0,
  unchoke: 1,
  interested: 2,
  notInterested: 3,
  have: 4,
  bitfield: 5,
  request: 6,
  piece: 7,
  cancel: 8,
  port: 9,
  suggest: 13,
  haveAll: 14,
  haveNone: 15,
  reject: 16,
  allowedFast: 17,
  extended: 20,
  hashRequest: 21,
  hashes: 22,
  hashReject: 23,
} as const;

/** One block of a piece: what requests, cancels and rejects name. */
export interface BlockRef {
  readonly piece: number;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** Every message but handshakes, requests and blocks, which have callbacks of their own because they are frequent. */
export type PeerMessage =
  | { readonly type: 'choke' | 'unchoke' | 'interested' | 'not-interested' | 'have-all' | 'have-none' | 'keep-alive' }
  | { readonly type: 'have' | 'suggest' | 'allowed-fast'; readonly piece: number }
  | { readonly type: 'bitfield'; readonly bytes: Uint8Array }
  | { readonly type: 'cancel' | 'reject'; readonly block: BlockRef }
  | { readonly type: 'port'; readonly port: number }
  | { readonly type: 'extended'; readonly extensionId: number; readonly payload: Uint8Array }
  | { readonly type: 'hash-request' | 'hash-reject'; readonly request: HashRequest }
  | { readonly type: 'hashes'; readonly request: HashRequest; readonly hashes: Uint8Array };

/** Called synchronously from `feed`, in stream order. What a listener throws reaches the caller of `feed`. */
export interface WireListener {
  /** Comes first, once. */
  handshake(handshake: Handshake): void;
  /** Byte arrays inside belong to the listener. */
  message(message: PeerMessage): void;
  request(piece: number, offsetBytes: number, lengthBytes: number): void;
  /** A block begins; its `lengthBytes` (1 to 128 KiB) follow in `blockBytes`. */
  blockStart(piece: number, offsetBytes: number, lengthBytes: number): void;
  /** The next bytes of the begun block, valid only during the call. */
  blockBytes(bytes: Uint8Array, isLast: boolean): void;
}

type State = 'handshake' | 'header' | 'fixed' | 'variable' | 'block' | 'skip' | 'dead' | 'ended';

/** Payload bytes of the messages whose length never varies. */
const FIXED_LENGTH: Readonly<Record<number, number>> = {
  [MESSAGE.choke]: 0,
  [MESSAGE.unchoke]: 0,
  [MESSAGE.interested]: 0,
  [MESSAGE.notInterested]: 0,
  [MESSAGE.have]: 4,
  [MESSAGE.request]: 12,
  [MESSAGE.cancel]: 12,
  [MESSAGE.port]: 2,
  [MESSAGE.suggest]: 4,
  [MESSAGE.haveAll]: 0,
  [MESSAGE.haveNone]: 0,
  [MESSAGE.reject]: 12,
  [MESSAGE.allowedFast]: 4,
  [MESSAGE.hashRequest]: 48,
  [MESSAGE.hashReject]: 48,
};
const PIECE_PREFIX_BYTES = 8;
/** At most 512 hashes and one uncle for each of 64 layers behind the 48 bytes that repeat the request (BEP 52). */
/** We never ask for more than 512 hashes. */
const MAX_HASHES_BYTES = 48 + 32 * (512 + 64);
/** Long payloads get memory as their bytes arrive, not when their length is claimed. */
const FIRST_ALLOCATION_BYTES = 16 * KIB;

/** Reads one peer's stream; feed it bytes as they come. */
export class WireReader {
  /**
   * The longest bitfield accepted; 50,000 bytes (400,000 pieces) until the piece count is known and this is set to
   * its exact size.
   */
  maxBitfieldBytes = 50_000;
  readonly #listener: WireListener;
  readonly #small = new Uint8Array(HANDSHAKE_BYTES);
  #state: State = 'handshake';
  /** Bytes of the current header or payload that have arrived. */
  #have = 0;
  #id = 0;
  /** Payload bytes behind the id. */
  #length = 0;
  #variable = new Uint8Array(0);
  #left = 0;

  constructor(listener: WireListener) {
    this.#listener = listener;
  }

  /** Eats the next bytes of the stream. @throws ProtocolError when the peer breaks the protocol; close it then. */
  feed(chunk: Uint8Array): void {
    try {
      let at = 0;
      while (at < chunk.length && this.#state !== 'ended') at = this.#step(chunk, at);
    } catch (error) {
      this.#state = 'dead';
      throw error;
    }
  }

  /** Ignores everything from here on, the rest of the current chunk included; for listeners that close the connection. */
  end(): void {
    this.#state = 'ended';
  }

  #step(chunk: Uint8Array, at: number): number {
    switch (this.#state) {
      case 'handshake':
        return this.#readHandshake(chunk, at);
      case 'header':
        return this.#readHeader(chunk, at);
      case 'fixed':
        return this.#readFixed(chunk, at);
      case 'variable':
        return this.#readVariable(chunk, at);
      case 'block':
        return this.#readBlock(chunk, at);
      case 'skip':
        return this.#skip(chunk, at);
      case 'dead':
      case 'ended':
        break;
    }
    throw new ProtocolError('bytes after a protocol error');
  }

  /** Copies up to `wanted` bytes of a header into the small buffer. */
  #fill(chunk: Uint8Array, at: number, wanted: number): number {
    const end = Math.min(chunk.length, at + wanted - this.#have);
    for (let from = at; from < end; from++) this.#small[this.#have++] = chunk[from] ?? 0;
    return end;
  }

  #readHandshake(chunk: Uint8Array, at: number): number {
    const next = this.#fill(chunk, at, HANDSHAKE_BYTES);
    // Decided on the first byte: a peer that tries encryption first must not be kept waiting for 68 bytes.
    if (this.#small[0] !== 19) throw new ProtocolError('not a plain BitTorrent handshake');
    if (this.#have === HANDSHAKE_BYTES) {
      this.#next('header');
      this.#listener.handshake(decodeHandshake(this.#small));
    }
    return next;
  }

  #next(state: State): void {
    this.#have = 0;
    this.#state = state;
  }

  #readHeader(chunk: Uint8Array, at: number): number {
    const afterLength = this.#fill(chunk, at, 4);
    if (this.#have < 4) return afterLength;
    const length = readUint32(this.#small, 0);
    if (length === 0) {
      this.#have = 0;
      this.#listener.message({ type: 'keep-alive' });
      return afterLength;
    }
    const next = this.#fill(chunk, afterLength, 5);
    if (this.#have === 5) {
      this.#id = this.#small[4] ?? 0;
      this.#length = length - 1;
      this.#have = 0;
      this.#begin();
    }
    return next;
  }

  /** The header is complete: check the length against the id and choose how the payload is read. */
  #begin(): void {
    const fixed = FIXED_LENGTH[this.#id];
    if (fixed !== undefined) {
      if (this.#length !== fixed) throw this.#badLength();
      if (fixed === 0) this.#finishFixed();
      else this.#state = 'fixed';
    } else if (this.#id === MESSAGE.piece) {
      if (this.#length <= PIECE_PREFIX_BYTES || this.#length > MAX_BLOCK_BYTES + PIECE_PREFIX_BYTES)
        throw this.#badLength();
      this.#state = 'fixed';
    } else this.#beginVariable();
  }

  #beginVariable(): void {
    const range = this.#variableRange();
    if (this.#length < range.min || this.#length > range.max) throw this.#badLength();
    if (range.isKnown && this.#length === 0) this.#finishVariable(new Uint8Array(0));
    else if (range.isKnown) {
      this.#variable = new Uint8Array(Math.min(this.#length, FIRST_ALLOCATION_BYTES));
      this.#state = 'variable';
    } else if (this.#length > 0) {
      this.#left = this.#length;
      this.#state = 'skip';
    } else this.#state = 'header';
  }

  #variableRange(): { min: number; max: number; isKnown: boolean } {
    switch (this.#id) {
      case MESSAGE.bitfield:
        return { min: 0, max: this.maxBitfieldBytes, isKnown: true };
      case MESSAGE.extended:
        return { min: 1, max: MAX_MESSAGE_BYTES, isKnown: true };
      case MESSAGE.hashes:
        return { min: 48, max: MAX_HASHES_BYTES, isKnown: true };
      default:
        return { min: 0, max: MAX_MESSAGE_BYTES, isKnown: false };
    }
  }

  #badLength(): ProtocolError {
    return new ProtocolError('message of the wrong length', { id: this.#id, length: this.#length });
  }

  #readFixed(chunk: Uint8Array, at: number): number {
    const wanted = this.#id === MESSAGE.piece ? PIECE_PREFIX_BYTES : this.#length;
    const next = this.#fill(chunk, at, wanted);
    if (this.#have === wanted) this.#finishFixed();
    return next;
  }

  #finishFixed(): void {
    this.#next('header');
    const piece = readUint32(this.#small, 0);
    const offsetBytes = readUint32(this.#small, 4);
    if (this.#id === MESSAGE.request) this.#listener.request(piece, offsetBytes, readUint32(this.#small, 8));
    else if (this.#id === MESSAGE.piece) {
      this.#left = this.#length - PIECE_PREFIX_BYTES;
      this.#state = 'block';
      this.#listener.blockStart(piece, offsetBytes, this.#left);
    } else this.#listener.message(fixedMessage(this.#id, this.#small, this.#length));
  }

  #readBlock(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.#left);
    this.#left -= end - at;
    const isLast = this.#left === 0;
    if (isLast) this.#state = 'header';
    this.#listener.blockBytes(chunk.subarray(at, end), isLast);
    return end;
  }

  #readVariable(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.#length - this.#have);
    const have = this.#have + end - at;
    if (have > this.#variable.length) this.#grow(have);
    this.#variable.set(chunk.subarray(at, end), this.#have);
    this.#have = have;
    if (have === this.#length) {
      const payload = this.#variable;
      this.#variable = new Uint8Array(0);
      this.#next('header');
      this.#finishVariable(payload);
    }
    return end;
  }

  #grow(wanted: number): void {
    const grown = new Uint8Array(Math.min(this.#length, Math.max(wanted, this.#variable.length * 2)));
    grown.set(this.#variable.subarray(0, this.#have));
    this.#variable = grown;
  }

  #finishVariable(payload: Uint8Array): void {
    this.#state = 'header';
    this.#listener.message(variableMessage(this.#id, payload));
  }

  #skip(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.#left);
    this.#left -= end - at;
    if (this.#left === 0) this.#state = 'header';
    return end;
  }
}

function fixedMessage(id: number, bytes: Uint8Array, length: number): PeerMessage {
  const piece = readUint32(bytes, 0);
  const block = { piece, offsetBytes: readUint32(bytes, 4), lengthBytes: readUint32(bytes, 8) };
  switch (id) {
    case MESSAGE.choke:
      return { type: 'choke' };
    case MESSAGE.unchoke:
      return { type: 'unchoke' };
    case MESSAGE.interested:
      return { type: 'interested' };
    case MESSAGE.notInterested:
      return { type: 'not-interested' };
    case MESSAGE.haveAll:
      return { type: 'have-all' };
    case MESSAGE.haveNone:
      return { type: 'have-none' };
    case MESSAGE.have:
      return { type: 'have', piece };
    case MESSAGE.suggest:
      return { type: 'suggest', piece };
    case MESSAGE.allowedFast:
      return { type: 'allowed-fast', piece };
    case MESSAGE.cancel:
      return { type: 'cancel', block };
    case MESSAGE.reject:
      return { type: 'reject', block };
    case MESSAGE.port:
      return { type: 'port', port: readUint16(bytes, 0) };
    case MESSAGE.hashRequest:
      return { type: 'hash-request', request: decodeHashRequest(bytes.subarray(0, length)) };
    case MESSAGE.hashReject:
      return { type: 'hash-reject', request: decodeHashRequest(bytes.subarray(0, length)) };
    default:
      throw new ProtocolError('no message of fixed length', { id });
  }
}

function variableMessage(id: number, payload: Uint8Array): PeerMessage {
  switch (id) {
    case MESSAGE.bitfield:
      return { type: 'bitfield', bytes: payload };
    case MESSAGE.extended:
      return { type: 'extended', extensionId: payload[0] ?? 0, payload: payload.subarray(1) };
    case MESSAGE.hashes:
      return { type: 'hashes', ...decodeHashes(payload) };
    default:
      throw new ProtocolError('no message of variable length', { id });
  }
}
