import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contentOf, TORRENT_VECTORS, torrentBytes } from '../../test/vectors/vectors.ts';
import { concatBytes, fromUtf8 } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import { parseSha256 } from '../base/ids.ts';
import { GIB, KIB, MIB } from '../base/units.ts';
import { canonicalInfo, canonicalPieceCount, canonicalPieceLength, canonicalSha256Of } from './canonical.ts';
import { infoHashV1Of, parseMetainfo } from './metainfo.ts';
import { parseTorrentInfo } from './torrent-info.ts';

const sha256 = parseSha256('ab'.repeat(32));

function piecesOf(bytes: Uint8Array): Uint8Array {
  const pieceLengthBytes = canonicalPieceLength(bytes.length);
  const hashes: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += pieceLengthBytes)
    hashes.push(
      createHash('sha1')
        .update(bytes.subarray(at, at + pieceLengthBytes))
        .digest(),
    );
  return concatBytes(hashes);
}

describe('the piece length depends on the size alone', () => {
  test.each([
    [1, 256 * KIB],
    [512 * MIB, 256 * KIB],
    [512 * MIB + 1, 512 * KIB],
    [GIB, 512 * KIB],
    [GIB + 1, MIB],
    [16 * GIB, 8 * MIB],
    [16 * GIB + 1, 16 * MIB],
    [32 * GIB + 1, 16 * MIB],
    [Number.MAX_SAFE_INTEGER, 16 * MIB],
  ])('%d bytes have pieces of %d bytes', (sizeBytes, pieceLengthBytes) => {
    expect(canonicalPieceLength(sizeBytes)).toBe(pieceLengthBytes);
  });

  test('it is the smallest that gives at most 2,048 pieces, up to 32 GiB', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 32 * GIB }), (sizeBytes) => {
        const pieceLengthBytes = canonicalPieceLength(sizeBytes);
        expect(canonicalPieceCount(sizeBytes)).toBeLessThanOrEqual(2_048);
        if (pieceLengthBytes > 256 * KIB) expect(sizeBytes / (pieceLengthBytes / 2)).toBeGreaterThan(2_048);
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([0, -1, 1.5, Number.NaN, 2 ** 53])('a blob of %d bytes has no torrent', (sizeBytes) => {
    expect(() => canonicalPieceLength(sizeBytes)).toThrow(InvalidInput);
    expect(() => canonicalInfo({ sha256, sizeBytes, pieces: new Uint8Array(20) })).toThrow(InvalidInput);
  });
});

test('info holds length, name, piece length and pieces, and nothing else', () => {
  const pieces = new Uint8Array(20).fill(0x61);
  expect(fromUtf8(canonicalInfo({ sha256, sizeBytes: 5, pieces }))).toBe(
    `d6:lengthi5e4:name64:${sha256}12:piece lengthi262144e6:pieces20:${'a'.repeat(20)}e`,
  );
});

test.each([0, 19, 40])('%d bytes of hashes for one piece are refused', (length) => {
  expect(() => canonicalInfo({ sha256, sizeBytes: 5, pieces: new Uint8Array(length) })).toThrow(InvalidInput);
});

const canonicalVectors = TORRENT_VECTORS.filter((vector) => vector.canonical);

test.each(canonicalVectors)('libtorrent makes the same torrent of $sizes bytes: $v1', async (vector) => {
  const bytes = contentOf(0, vector.sizes[0] ?? 0);
  const name = parseSha256(createHash('sha256').update(bytes).digest('hex'));
  const rawInfo = canonicalInfo({ sha256: name, sizeBytes: bytes.length, pieces: piecesOf(bytes) });
  expect(await infoHashV1Of(rawInfo)).toBe(vector.v1);
  expect(rawInfo).toEqual(parseMetainfo(torrentBytes(vector)).info.rawInfo);
});

test('a canonical torrent is recognised, and every other is not', () => {
  for (const vector of TORRENT_VECTORS) {
    const { info } = parseMetainfo(torrentBytes(vector));
    expect(canonicalSha256Of(info)).toBe(vector.canonical ? info.name : undefined);
  }
  const pieces = new Uint8Array(20);
  const privateTwin = fromUtf8(canonicalInfo({ sha256, sizeBytes: 5, pieces })).replace(/e$/, '7:privatei1ee');
  expect(canonicalSha256Of(parseTorrentInfo(new TextEncoder().encode(privateTwin)))).toBeUndefined();
});
