import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contentOf, TORRENT_VECTORS, torrentBytes } from '../../test/vectors/vectors.ts';
import { concatBytes, toHex } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import {
  fold,
  heightOf,
  isProven,
  LEAF_BYTES,
  leafCountOf,
  nodeAt,
  proofLayersFor,
  rowsAbove,
  uncleCount,
  zeroRoot,
} from './merkle.ts';
import { parseMetainfo } from './metainfo.ts';
import { verifyPieceLayers } from './piece-layers.ts';

const sha256 = (...parts: readonly Uint8Array[]): Uint8Array =>
  new Uint8Array(createHash('sha256').update(concatBytes(parts)).digest());

function leavesOf(bytes: Uint8Array): Uint8Array {
  const leaves: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += LEAF_BYTES) leaves.push(sha256(bytes.subarray(at, at + LEAF_BYTES)));
  return concatBytes(leaves);
}

/** The whole tree with its padding written out, by the book and by another library. */
function fullTree(leaves: readonly Uint8Array[]): Uint8Array[][] {
  let row = [...leaves];
  while (!Number.isInteger(Math.log2(row.length))) row.push(new Uint8Array(32));
  const rows = [row];
  while (row.length > 1) {
    row = Array.from({ length: row.length / 2 }, (_, at) =>
      sha256(row[2 * at] ?? new Uint8Array(), row[2 * at + 1] ?? new Uint8Array()),
    );
    rows.push(row);
  }
  return rows;
}

const V2_VECTORS = TORRENT_VECTORS.filter((vector) => vector.mode !== 'v1');

describe('trees of files', () => {
  test.each(V2_VECTORS)('$mode of $sizes bytes in pieces of $pieceLengthBytes are libtorrent’s', (vector) => {
    const { info, pieceLayers } = parseMetainfo(torrentBytes(vector));
    const files = info.files.filter((file) => !file.isPad);
    expect(files).toHaveLength(vector.sizes.length);
    for (const [index, { piecesRoot, lengthBytes }] of files.entries()) {
      if (lengthBytes === 0) continue;
      const leaves = leavesOf(contentOf(index, lengthBytes));
      expect(fold(leaves, 0, heightOf(leafCountOf(lengthBytes)))).toEqual(piecesRoot);
      if (lengthBytes <= info.pieceLengthBytes) continue;
      const perPiece = info.pieceLengthBytes / LEAF_BYTES;
      const pieces = Math.ceil(lengthBytes / info.pieceLengthBytes);
      const layer = Array.from({ length: pieces }, (_, piece) =>
        fold(leaves.subarray(piece * perPiece * 32, (piece + 1) * perPiece * 32), 0, heightOf(perPiece)),
      );
      expect(concatBytes(layer)).toEqual(pieceLayers.get(toHex(piecesRoot ?? new Uint8Array())));
    }
  });

  test('a long row is folded in turns, so that the event loop goes on', async () => {
    const row = new Uint8Array(262_144 * 32);
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const rows = await rowsAbove(row, 0, 18);
    clearInterval(timer);
    expect(rows.at(-1)).toEqual(zeroRoot(18));
    expect(turns).toBeGreaterThan(20);
  });
});

describe('piece layers', () => {
  test.each(V2_VECTORS)('of $mode of $sizes bytes by libtorrent fold to their roots', async (vector) => {
    const { info, pieceLayers } = parseMetainfo(torrentBytes(vector));
    expect(new Map(await verifyPieceLayers(info, pieceLayers))).toEqual(pieceLayers);
  });

  const layered = V2_VECTORS.filter(({ sizes, pieceLengthBytes }) => sizes.some((size) => size > pieceLengthBytes));
  test.each(layered)('of $mode of $sizes bytes with one bit changed are refused', async (vector) => {
    const { info, pieceLayers } = parseMetainfo(torrentBytes(vector));
    for (const [root, layer] of pieceLayers)
      for (const at of [0, layer.length - 1]) {
        const changed = layer.slice();
        changed[at] = (changed[at] ?? 0) ^ 1;
        const layers = new Map(pieceLayers).set(root, changed);
        await expect(verifyPieceLayers(info, layers)).rejects.toThrow(InvalidInput);
      }
  });

  test.each(layered)('of $mode of $sizes bytes that end early are refused', async (vector) => {
    const { info, pieceLayers } = parseMetainfo(torrentBytes(vector));
    for (const [root, layer] of pieceLayers)
      for (const layers of [new Map(pieceLayers).set(root, layer.subarray(32)), new Map()])
        await expect(verifyPieceLayers(info, layers)).rejects.toThrow(InvalidInput);
  });
});

describe('proofs', () => {
  const CHOICES = fc.record({
    leafCount: fc.integer({ min: 2, max: 300 }),
    a: fc.nat(),
    b: fc.nat(),
    c: fc.nat(),
    seed: fc.nat(255),
  });

  /** A tree of 2 to 300 leaves, and a row of 2^n nodes in it. */
  function rowsFor({ leafCount, a, b, c, seed }: { leafCount: number; a: number; b: number; c: number; seed: number }) {
    const leaves = Array.from({ length: leafCount }, (_, at) => sha256(Uint8Array.of(seed, at, at >> 8)));
    const rows = fullTree(leaves);
    const height = a % (rows.length - 1);
    const width = rows[height]?.length ?? 0;
    const length = 2 ** (1 + (b % Math.log2(width)));
    const index = (c % (width / length)) * length;
    return { rows, height, length, index };
  }

  test('what BEP 52 wants in an answer proves it, and nothing else does', () => {
    fc.assert(
      fc.property(CHOICES, fc.nat(), (choices, spoil) => {
        const { rows, height, length, index } = rowsFor(choices);
        const top = rows.length - 1;
        const proofLayers = proofLayersFor(length, top - height);
        const uncles: Uint8Array[] = [];
        for (let layer = height + Math.log2(length); layer < top; layer++) {
          const uncle = rows[layer]?.[Math.floor(index / 2 ** (layer - height)) ^ 1];
          if (uncle) uncles.push(uncle);
        }
        expect(uncles).toHaveLength(uncleCount(length, proofLayers));
        const row = concatBytes(rows[height]?.slice(index, index + length) ?? []);
        const proof = { row, height, index, uncles: concatBytes(uncles) };
        const root = rows[top]?.[0] ?? new Uint8Array();
        expect(isProven(proof, root)).toBe(true);
        for (const part of [proof.row, proof.uncles]) {
          if (part.length === 0) continue;
          const at = spoil % part.length;
          part[at] = (part[at] ?? 0) ^ 1;
          expect(isProven(proof, root)).toBe(false);
          part[at] = (part[at] ?? 0) ^ 1;
        }
        const elsewhere = index === 0 ? length : index - length;
        const there = concatBytes(rows[height]?.slice(elsewhere, elsewhere + length) ?? []);
        // Padding looks the same everywhere.
        const isTwin = there.length === 0 || toHex(there) === toHex(row);
        if (!isTwin) expect(isProven({ ...proof, index: elsewhere }, root)).toBe(false);
      }),
    );
  });

  test('a fold leaves padding out and comes to the same root', () => {
    fc.assert(
      fc.property(CHOICES, fc.integer({ min: 1, max: 64 }), (choices, keep) => {
        const { rows } = rowsFor(choices);
        const leaves = (rows[0] ?? []).slice(0, keep);
        const padded = fullTree(leaves);
        expect(fold(concatBytes(leaves), 0, heightOf(leaves.length))).toEqual(padded.at(-1)?.[0]);
        expect(nodeAt(concatBytes(leaves), leaves.length - 1)).toEqual(leaves.at(-1));
      }),
    );
  });

  // Seen from libtorrent 2.0.8 for a file of 1,200 pieces, whose layer is 11 rows below the root.
  test.each([
    { length: 512, proofLayers: 10, uncles: 2 },
    { length: 512, proofLayers: 9, uncles: 1 },
    { length: 256, proofLayers: 9, uncles: 2 },
    { length: 2, proofLayers: 0, uncles: 0 },
  ])('an answer of $length hashes with $proofLayers proof layers has $uncles uncles', (answer) => {
    expect(uncleCount(answer.length, answer.proofLayers)).toBe(answer.uncles);
  });
});
