/** Writing the peer wire protocol. Lists of requests become one buffer, and piece headers go into the caller's. */
import { writeUint16, writeUint32 } from '../base/bytes.ts';
import type { Bitfield } from './bitfield.ts';
import { encodeHashesBody, encodeHashRequestBody, type HashRequest } from './wire-hashes.ts';
import { MESSAGE, type BlockRef } from './wire.ts';

const HEADER_BYTES = 5;
const BLOCK_REF_BYTES = 17;
/** Length, id, piece and offset in front of a block's bytes. */
export const PIECE_HEADER_BYTES = 13;

function message(id: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = allocate(id, payload.length);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

function allocate(id: number, payloadBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES + payloadBytes);
  writeUint32(bytes, 0, payloadBytes + 1);
  bytes[4] = id;
  return bytes;
}

/** The empty message that keeps a connection open (BEP 3). */
export function encodeKeepAlive(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(4);
}

/** The messages without payload. */
export function encodeSignal(
  signal: 'choke' | 'unchoke' | 'interested' | 'notInterested' | 'haveAll' | 'haveNone',
): Uint8Array<ArrayBuffer> {
  return allocate(MESSAGE[signal], 0);
}

/** The messages that name one piece. */
export function encodePieceIndex(kind: 'have' | 'suggest' | 'allowedFast', piece: number): Uint8Array<ArrayBuffer> {
  const bytes = allocate(MESSAGE[kind], 4);
  writeUint32(bytes, HEADER_BYTES, piece);
  return bytes;
}

/** HAVE for each piece, in one buffer. */
export function encodeHaves(pieces: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(9 * pieces.length);
  for (const [at, piece] of pieces.entries()) bytes.set(encodePieceIndex('have', piece), at * 9);
  return bytes;
}

/** All pieces at once, as the first message (BEP 3). */
export function encodeBitfield(bitfield: Bitfield): Uint8Array<ArrayBuffer> {
  return message(MESSAGE.bitfield, bitfield.toBytes());
}

/** Requests, cancels or rejects for a whole list of blocks, back to back in one buffer for one write. */
export function encodeBlockRefs(
  kind: 'request' | 'cancel' | 'reject',
  blocks: readonly BlockRef[],
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(BLOCK_REF_BYTES * blocks.length);
  let at = 0;
  for (const block of blocks) {
    writeUint32(bytes, at, BLOCK_REF_BYTES - 4);
    bytes[at + 4] = MESSAGE[kind];
    writeUint32(bytes, at + 5, block.piece);
    writeUint32(bytes, at + 9, block.offsetBytes);
    writeUint32(bytes, at + 13, block.lengthBytes);
    at += BLOCK_REF_BYTES;
  }
  return bytes;
}

/** Puts the 13 bytes before a block into `bytes` at `at`; the block's `lengthBytes` follow behind them. */
export function writePieceHeader(bytes: Uint8Array, at: number, block: BlockRef): void {
  writeUint32(bytes, at, PIECE_HEADER_BYTES - 4 + block.lengthBytes);
  bytes[at + 4] = MESSAGE.piece;
  writeUint32(bytes, at + 5, block.piece);
  writeUint32(bytes, at + 9, block.offsetBytes);
}

/** One buffer for a batch of piece messages: headers written, `bodies` are the gaps for the blocks' bytes, in order. */
export function layOutPieces(blocks: readonly BlockRef[]): {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly bodies: readonly Uint8Array<ArrayBuffer>[];
} {
  const total = blocks.reduce((sum, block) => sum + PIECE_HEADER_BYTES + block.lengthBytes, 0);
  const bytes = new Uint8Array(total);
  return { bytes, bodies: layOutPiecesInto(bytes, blocks) };
}

/** Like `layOutPieces`, into the start of a (pooled) buffer that has room for it. */
export function layOutPiecesInto(
  bytes: Uint8Array<ArrayBuffer>,
  blocks: readonly BlockRef[],
): readonly Uint8Array<ArrayBuffer>[] {
  let at = 0;
  return blocks.map((block) => {
    writePieceHeader(bytes, at, block);
    const start = at + PIECE_HEADER_BYTES;
    at = start + block.lengthBytes;
    return bytes.subarray(start, at);
  });
}

/** UDP port of the sender's DHT node (BEP 5). */
export function encodePort(port: number): Uint8Array<ArrayBuffer> {
  const bytes = allocate(MESSAGE.port, 2);
  writeUint16(bytes, HEADER_BYTES, port);
  return bytes;
}

/** `extensionId` is the number the receiver chose; 0 is the extended handshake (BEP 10). */
export function encodeExtended(extensionId: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = allocate(MESSAGE.extended, payload.length + 1);
  bytes[HEADER_BYTES] = extensionId;
  bytes.set(payload, HEADER_BYTES + 1);
  return bytes;
}

/** @throws InvalidInput unless the root has 32 bytes. */
export function encodeHashRequest(kind: 'hashRequest' | 'hashReject', request: HashRequest): Uint8Array<ArrayBuffer> {
  return message(MESSAGE[kind], encodeHashRequestBody(request));
}

/** Answers a hash request with `hashes` back to back. @throws InvalidInput unless the root has 32 bytes. */
export function encodeHashes(request: HashRequest, hashes: Uint8Array): Uint8Array<ArrayBuffer> {
  return message(MESSAGE.hashes, encodeHashesBody(request, hashes));
}
