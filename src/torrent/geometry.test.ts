import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { TORRENT_VECTORS, torrentBytes } from '../../test/vectors/vectors.ts';
import { KIB } from '../base/units.ts';
import { parseMetainfo } from '../codec/metainfo.ts';
import { BLOCK_BYTES } from '../codec/wire.ts';
import { Geometry } from './geometry.ts';

test('pieces and blocks tile the torrent exactly, and every block key leads back to its block', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2_000_000 }), fc.integer({ min: 1, max: 300_000 }), (total, pieceLength) => {
      const geometry = new Geometry(total, pieceLength);
      let position = 0;
      for (let piece = 0; piece < Math.min(geometry.pieceCount, 50); piece++) {
        expect(geometry.pieceStart(piece)).toBe(position);
        let inPiece = 0;
        for (let block = 0; block < geometry.blockCount(piece); block++) {
          const size = geometry.blockBytes(piece, block);
          expect(size > 0 && size <= BLOCK_BYTES).toBe(true);
          const ref = geometry.blockRef(geometry.blockKey(piece, block));
          expect(ref).toEqual({ piece, offsetBytes: inPiece, lengthBytes: size });
          expect(geometry.keyOf(piece, inPiece, size)).toBe(geometry.blockKey(piece, block));
          inPiece += size;
        }
        expect(inPiece).toBe(geometry.pieceBytes(piece));
        position += inPiece;
      }
      if (geometry.pieceCount <= 50) expect(position).toBe(total);
    }),
    { numRuns: 60 },
  );
});

test.each([
  { what: 'not at a block border', piece: 0, offset: 1, length: BLOCK_BYTES },
  { what: 'longer than the block', piece: 0, offset: 0, length: BLOCK_BYTES + 1 },
  { what: 'the short last block asked whole', piece: 1, offset: 2 * BLOCK_BYTES, length: BLOCK_BYTES },
  { what: 'beyond the last block', piece: 1, offset: 3 * BLOCK_BYTES, length: 1 },
  { what: 'beyond the last piece', piece: 2, offset: 0, length: BLOCK_BYTES },
])('a block $what is none of ours', ({ piece, offset, length }) => {
  expect(new Geometry(100 * KIB, 64 * KIB).keyOf(piece, offset, length)).toBeUndefined();
});

test.each([
  [0, 1],
  [1, 0],
  [-1, 4],
  [1.5, 4],
  [Number.NaN, 4],
])('%d bytes in pieces of %d are refused', (total, length) => {
  expect(() => new Geometry(total, length)).toThrow(/at least one byte/);
});

const padded = TORRENT_VECTORS.filter(({ mode, sizes }) => mode !== 'v1' && sizes.length > 1);
test.each(padded)('no block of a $mode torrent of $sizes bytes asks for padding', (vector) => {
  const { info } = parseMetainfo(torrentBytes(vector));
  const geometry = Geometry.of(info);
  let own = 0;
  for (let piece = 0; piece < geometry.pieceCount; piece++) {
    const start = geometry.pieceStart(piece);
    const file = info.files.find(
      ({ offsetBytes, lengthBytes }) => start >= offsetBytes && start < offsetBytes + lengthBytes,
    );
    expect(file?.isPad).toBe(false);
    const end = (file?.offsetBytes ?? 0) + (file?.lengthBytes ?? 0);
    expect(geometry.pieceBytes(piece)).toBe(Math.min(info.pieceLengthBytes, end - start));
    for (let block = 0; block < geometry.blockCount(piece); block++) own += geometry.blockBytes(piece, block);
    // Others may ask for it, and get zeros.
    const asked = vector.mode === 'v2' ? info.pieceLengthBytes : geometry.spanBytes(piece);
    expect(geometry.contains(piece, 0, asked)).toBe(true);
    expect(geometry.contains(piece, 0, asked + 1)).toBe(false);
  }
  expect(own).toBe(vector.sizes.reduce((sum, size) => sum + size, 0));
});

test('padding inside a piece, or a piece of nothing else, is fetched like any bytes (BEP 47)', () => {
  const file = (offsetBytes: number, lengthBytes: number, isPad: boolean) => ({
    path: ['x'],
    offsetBytes,
    lengthBytes,
    isPad,
  });
  const files = [
    file(0, 10_000, false),
    file(10_000, 500, true),
    file(10_500, 22_268, false),
    file(32_768, 40_000, true),
  ];
  const geometry = Geometry.of({ version: 'v1', totalBytes: 72_768, pieceLengthBytes: 32_768, files });
  expect([0, 1, 2].map((piece) => geometry.pieceBytes(piece))).toEqual([32_768, 32_768, 7_232]);
});
