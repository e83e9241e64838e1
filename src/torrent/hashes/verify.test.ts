import { beforeAll, describe, expect, test } from 'vitest';
import { instantHasher } from '../../../test/support/swarm.ts';
import { contentOf, TORRENT_VECTORS, torrentBytes, type TorrentVector } from '../../../test/vectors/vectors.ts';
import { HashMismatch } from '../../base/errors.ts';
import { parseMetainfo } from '../../codec/metainfo.ts';
import { verifyPieceLayers } from '../../codec/piece-layers.ts';
import type { TorrentInfo } from '../../codec/torrent-info.ts';
import { Geometry } from '../geometry.ts';
import { HashTrees } from './hash-trees.ts';
import { verifierFor, type PieceVerifier } from './verify.ts';

/** The flat byte space of a vector, padding included. */
function bytesOf(info: TorrentInfo): Uint8Array {
  const bytes = new Uint8Array(info.totalBytes);
  const files = info.files.filter((file) => !file.isPad);
  for (const [index, file] of files.entries()) bytes.set(contentOf(index, file.lengthBytes), file.offsetBytes);
  return bytes;
}

describe.each(TORRENT_VECTORS)('$mode of $sizes bytes in pieces of $pieceLengthBytes', (vector: TorrentVector) => {
  const { info, pieceLayers } = parseMetainfo(torrentBytes(vector));
  const geometry = Geometry.of(info);
  const bytes = bytesOf(info);
  const spanOf = (piece: number): Uint8Array =>
    bytes.slice(geometry.pieceStart(piece), geometry.pieceStart(piece) + geometry.spanBytes(piece));
  const pieces = Array.from({ length: info.pieceCount }, (_, piece) => piece);
  let verifier: PieceVerifier;

  beforeAll(async () => {
    const layers = await verifyPieceLayers(info, pieceLayers);
    verifier = verifierFor(info, info.version === 'v1' ? undefined : new HashTrees(info, layers), instantHasher);
  });

  test('every piece is right, and known from the start', async () => {
    for (const piece of pieces) {
      expect(verifier.knows(piece)).toBe(true);
      expect(await verifier.isValid(piece, spanOf(piece))).toBe(true);
    }
  });

  test('a piece with one byte changed is wrong', async () => {
    for (const piece of pieces.slice(0, 8))
      for (const at of [0, geometry.pieceBytes(piece) - 1]) {
        const span = spanOf(piece);
        span[at] = (span[at] ?? 0) ^ 1;
        expect(await verifier.isValid(piece, span)).toBe(false);
      }
  });

  test('a piece in the place of another is wrong', async () => {
    for (const piece of pieces.slice(1, 8)) {
      const other = spanOf(piece - 1);
      if (other.length !== geometry.spanBytes(piece) || Buffer.compare(other, spanOf(piece)) === 0) continue;
      expect(await verifier.isValid(piece, other)).toBe(false);
    }
  });
});

const hybrids = TORRENT_VECTORS.filter(({ mode }) => mode === 'hybrid');
test.each(hybrids)('a hybrid of $sizes bytes whose halves describe different bytes is refused', async (vector) => {
  const { info, pieceLayers } = parseMetainfo(torrentBytes(vector));
  const trees = new HashTrees(info, await verifyPieceLayers(info, pieceLayers));
  const pieces = info.pieces?.slice() ?? new Uint8Array();
  pieces[0] = (pieces[0] ?? 0) ^ 1;
  const span = bytesOf(info).subarray(0, Math.min(info.pieceLengthBytes, info.totalBytes));
  await expect(verifierFor({ ...info, pieces }, trees, instantHasher).isValid(0, span)).rejects.toThrow(HashMismatch);
  const layers = await verifyPieceLayers(info, pieceLayers);
  await expect(verifierFor(info, new HashTrees(info, layers), instantHasher).isValid(0, span)).resolves.toBe(true);
});

test('without piece layers only files of one piece can be verified', () => {
  const vector = TORRENT_VECTORS.find(({ mode, sizes }) => mode === 'v2' && sizes.length === 5);
  const { info } = parseMetainfo(torrentBytes(vector ?? expect.fail('no such vector')));
  const verifier = verifierFor(info, new HashTrees(info, undefined), instantHasher);
  const firstPieces = info.files.filter(({ isPad, lengthBytes }) => !isPad && lengthBytes > 0);
  expect(firstPieces.map(({ offsetBytes }) => verifier.knows(offsetBytes / info.pieceLengthBytes))).toEqual(
    firstPieces.map(({ lengthBytes }) => lengthBytes <= info.pieceLengthBytes),
  );
});
