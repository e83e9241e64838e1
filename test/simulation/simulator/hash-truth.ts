/** Every hash of a v2 torrent, computed from its bytes and by nothing of the engine: what peers say is compared with it. */
import { createHash } from 'node:crypto';
import type { HashRequest } from '../../../src/codec/wire-hashes.ts';
import type { TestTorrent } from '../../support/swarm.ts';
import { areEqual } from './compare.ts';

const LEAF_BYTES = 16 * 1024;
const HASH_BYTES = 32;

/** Rows of one file's tree, the leaves first, each padded to a power of two. */
type Rows = readonly (readonly Buffer[])[];

const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

export class HashTruth {
  readonly #rowsByRoot = new Map<string, Rows>();

  constructor({ info, bytes }: TestTorrent) {
    for (const { piecesRoot, offsetBytes, lengthBytes } of info.files)
      if (piecesRoot !== undefined)
        this.#rowsByRoot.set(
          Buffer.from(piecesRoot).toString('hex'),
          rowsOf(bytes.subarray(offsetBytes, offsetBytes + lengthBytes)),
        );
  }

  /** Whether the answer is true: the row asked for, then uncles from the bottom up. */
  confirms({ piecesRoot, baseLayer, index, length }: HashRequest, hashes: Uint8Array): boolean {
    const rows = this.#rowsByRoot.get(Buffer.from(piecesRoot).toString('hex'));
    if (rows === undefined) return false;
    for (let at = 0; at < length; at++)
      if (!areEqual(hashAt(hashes, at), nodeOf(rows, baseLayer, index + at))) return false;
    for (let at = length; at < hashes.length / HASH_BYTES; at++) {
      const step = at - length;
      const uncle = Math.floor(index / length / 2 ** step) ^ 1;
      if (!areEqual(hashAt(hashes, at), nodeOf(rows, baseLayer + Math.log2(length) + step, uncle))) return false;
    }
    return true;
  }
}

function hashAt(hashes: Uint8Array, at: number): Uint8Array {
  return hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES);
}

function rowsOf(bytes: Uint8Array): Rows {
  const count = 2 ** Math.ceil(Math.log2(Math.max(1, Math.ceil(bytes.length / LEAF_BYTES))));
  let row = Array.from({ length: count }, (_, at) =>
    at * LEAF_BYTES < bytes.length
      ? sha256(bytes.subarray(at * LEAF_BYTES, (at + 1) * LEAF_BYTES))
      : Buffer.alloc(HASH_BYTES),
  );
  const rows = [row];
  while (row.length > 1) {
    const below = row;
    row = Array.from({ length: below.length / 2 }, (_, at) =>
      sha256(below[2 * at] ?? Buffer.alloc(0), below[2 * at + 1] ?? Buffer.alloc(0)),
    );
    rows.push(row);
  }
  return rows;
}

/** Behind the end of a row there is padding: trees of zero leaves. */
function nodeOf(rows: Rows, height: number, index: number): Buffer {
  return rows[height]?.[index] ?? zeroNode(height);
}

function zeroNode(height: number): Buffer {
  let node: Buffer = Buffer.alloc(HASH_BYTES);
  for (let at = 0; at < height; at++) node = sha256(node, node);
  return node;
}
