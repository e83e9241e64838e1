import { expect, test } from 'vitest';
import { parseSha256 } from '../../../src/base/ids.ts';
import { encodeBencode } from '../../../src/codec/bencode.ts';
import { canonicalInfo } from '../../../src/codec/canonical.ts';
import { parseTorrentInfo } from '../../../src/codec/torrent-info.ts';
import { checkCanonical } from './metadata.ts';

const sha256 = parseSha256('ab'.repeat(32));
const other = parseSha256('cd'.repeat(32));
const pieces = new Uint8Array(20);

test('the canonical torrent of a medium is taken', () => {
  checkCanonical(parseTorrentInfo(canonicalInfo({ sha256, sizeBytes: 1_000, pieces })), sha256);
});

test.each([
  ['another medium', canonicalInfo({ sha256: other, sizeBytes: 1_000, pieces })],
  ['another form', encodeBencode({ length: 1_000, name: sha256, 'piece length': 16_384, pieces })],
  ['something added', encodeBencode({ length: 1_000, name: sha256, 'piece length': 262_144, pieces, private: 1 })],
])('a torrent of %s is refused', (_, rawInfo) => {
  const info = parseTorrentInfo(rawInfo);
  expect(() => checkCanonical(info, sha256)).toThrow(expect.objectContaining({ code: 'hash_mismatch' }));
});
