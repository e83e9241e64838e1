/** Hash requests and their answers (BEP 52, messages 21 to 23). The shape is checked here, the Merkle proof by the engine. */
import { concatBytes, readUint32, writeUint32 } from '../base/bytes.ts';
import { InvalidInput, ProtocolError } from '../base/errors.ts';

/** Length of a SHA-256 hash. */
export const HASH_BYTES = 32;
const REQUEST_BYTES = 48;
/** Most hashes of the base layer to ask for (BEP 52). */
export const MAX_HASHES_PER_REQUEST = 512;
/** libtorrent asks for all leaves of a piece at once, and for the last hash of a layer alone. */
const MAX_HASHES_ASKED = 8_192;
const MAX_LAYERS = 64;

/** Asks for `length` hashes of one layer and for the uncles that prove them. */
export interface HashRequest {
  /** SHA-256 root of one file, 32 bytes. */
  readonly piecesRoot: Uint8Array;
  /** 0 = the 16 KiB leaves. */
  readonly baseLayer: number;
  /** A multiple of `length` in BEP 52; clients in use do not always keep to it. */
  readonly index: number;
  /** A power of two from 2 to 512 in BEP 52; clients in use ask for 1 to 8,192 and cut it at the end of a row. */
  readonly length: number;
  readonly proofLayers: number;
}

/** Reads 48 bytes; the root is a copy. @throws ProtocolError when the numbers are far outside BEP 52. */
export function decodeHashRequest(bytes: Uint8Array): HashRequest {
  if (bytes.length < REQUEST_BYTES) throw new ProtocolError('hash request too short', { length: bytes.length });
  const request = {
    piecesRoot: bytes.slice(0, HASH_BYTES),
    baseLayer: readUint32(bytes, 32),
    index: readUint32(bytes, 36),
    length: readUint32(bytes, 40),
    proofLayers: readUint32(bytes, 44),
  };
  const { baseLayer, index, length, proofLayers } = request;
  if (length < 1 || length > MAX_HASHES_ASKED || baseLayer >= MAX_LAYERS || proofLayers >= MAX_LAYERS)
    throw new ProtocolError('malformed hash request', { baseLayer, index, length, proofLayers });
  return request;
}

/** Reads an answer: the request it repeats, then the hashes back to back. @throws ProtocolError. */
export function decodeHashes(bytes: Uint8Array): { readonly request: HashRequest; readonly hashes: Uint8Array } {
  const request = decodeHashRequest(bytes);
  const hashes = bytes.subarray(REQUEST_BYTES);
  const count = hashes.length / HASH_BYTES;
  // A node asked for alone comes with one uncle more than proof layers: its sibling.
  const mostUncles = request.proofLayers + Number(request.length === 1);
  if (!Number.isInteger(count) || count < request.length || count > request.length + mostUncles)
    throw new ProtocolError('wrong number of hashes', { bytes: hashes.length, wanted: request.length });
  return { request, hashes };
}

/** The 48 bytes of a request, without message header. @throws InvalidInput unless the root has 32 bytes. */
export function encodeHashRequestBody(request: HashRequest): Uint8Array<ArrayBuffer> {
  if (request.piecesRoot.length !== HASH_BYTES) throw new InvalidInput('a pieces root has 32 bytes');
  const bytes = new Uint8Array(REQUEST_BYTES);
  bytes.set(request.piecesRoot);
  for (const [at, value] of [request.baseLayer, request.index, request.length, request.proofLayers].entries())
    writeUint32(bytes, HASH_BYTES + at * 4, value);
  return bytes;
}

/** Request and hashes as one payload, without message header. */
export function encodeHashesBody(request: HashRequest, hashes: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatBytes([encodeHashRequestBody(request), hashes]);
}
