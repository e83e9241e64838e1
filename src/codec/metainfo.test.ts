import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TORRENT_VECTORS, torrentBytes } from '../../test/vectors/vectors.ts';
import { toHex, utf8 } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import { encodeBencode, RawBencode, type BencodeInput } from './bencode.ts';
import { infoHashesOf, parseMetainfo, writeMetainfo } from './metainfo.ts';
import { parseTorrentInfo, pieceBytesAt, pieceSha1At } from './torrent-info.ts';

const hash = (pieces: number): Uint8Array => new Uint8Array(20 * pieces);
const good = { length: 1, name: 'a', 'piece length': 16_384, pieces: hash(1) };
const parse = (info: BencodeInput): ReturnType<typeof parseTorrentInfo> => parseTorrentInfo(encodeBencode(info));

describe('torrents made by libtorrent', () => {
  test.each(TORRENT_VECTORS)('$mode of $sizes bytes has its info hashes', async (vector) => {
    const { info } = parseMetainfo(torrentBytes(vector));
    expect(info.version).toBe(vector.mode);
    const { v1 = null, v2 = null } = await infoHashesOf(info);
    expect({ v1, v2 }).toEqual({ v1: vector.v1, v2: vector.v2 });
  });

  test.each(TORRENT_VECTORS)('$mode of $sizes bytes lists its files, gap-free', (vector) => {
    const { info } = parseMetainfo(torrentBytes(vector));
    const real = info.files.filter((file) => !file.isPad);
    expect(real.map((file) => file.lengthBytes)).toEqual(vector.sizes);
    expect(info.isSingleFile).toBe(vector.sizes.length === 1);
    let end = 0;
    for (const file of info.files) {
      expect(file.offsetBytes).toBe(end);
      end += file.lengthBytes;
      if (vector.mode !== 'v1' && !file.isPad && file.lengthBytes > 0) {
        expect(file.offsetBytes % info.pieceLengthBytes).toBe(0);
        expect(file.piecesRoot).toHaveLength(32);
      }
    }
    expect(info.totalBytes).toBe(end);
    expect(info.pieceCount).toBe(Math.ceil(end / info.pieceLengthBytes));
  });

  test.each(TORRENT_VECTORS.filter((vector) => vector.mode !== 'v1'))(
    '$mode of $sizes bytes has a piece layer for each file above one piece',
    (vector) => {
      const { info, pieceLayers } = parseMetainfo(torrentBytes(vector));
      const large = info.files.filter((file) => file.piecesRoot && file.lengthBytes > info.pieceLengthBytes);
      expect([...pieceLayers.keys()]).toEqual(large.map((file) => toHex(file.piecesRoot ?? utf8(''))));
    },
  );

  const isLayered = ({ mode, sizes, pieceLengthBytes }: (typeof TORRENT_VECTORS)[number]): boolean =>
    mode !== 'v1' && sizes.some((size) => size > pieceLengthBytes);
  test.each(TORRENT_VECTORS.filter(isLayered))(
    '$mode of $sizes bytes without its piece layers is refused',
    (vector) => {
      const { info } = parseMetainfo(torrentBytes(vector));
      expect(() => parseMetainfo(writeMetainfo({ rawInfo: info.rawInfo }))).toThrow('piece layer');
    },
  );

  test.each(TORRENT_VECTORS)('$mode of $sizes bytes is written again with the same info', (vector) => {
    const { info, pieceLayers } = parseMetainfo(torrentBytes(vector));
    const written = writeMetainfo({ rawInfo: info.rawInfo, pieceLayers, trackers: [['http://t.example/announce']] });
    const again = parseMetainfo(written);
    expect(again.info.rawInfo).toEqual(info.rawInfo);
    expect(again.pieceLayers).toEqual(pieceLayers);
    expect(again.trackers).toEqual([['http://t.example/announce']]);
  });
});

describe('what is refused with a typed error', () => {
  test.each<[string, BencodeInput]>([
    ['info that is no dictionary', 'not a dictionary'],
    ['a missing name', { ...good, name: undefined }],
    ['a missing piece length', { ...good, 'piece length': undefined }],
    ['a zero piece length', { ...good, 'piece length': 0 }],
    ['a piece length below 16 KiB', { ...good, 'piece length': 16_383 }],
    ['a piece length of 2 GiB', { ...good, 'piece length': 2_147_483_648 }],
    ['a negative length', { ...good, length: -1 }],
    ['no bytes at all', { ...good, length: 0, pieces: hash(0) }],
    ['pieces that are no multiple of 20', { ...good, pieces: new Uint8Array(19) }],
    ['too few hashes', { ...good, length: 16_385 }],
    ['too many hashes', { ...good, pieces: hash(2) }],
    ['both length and files', { ...good, files: [{ length: 1, path: ['b'] }] }],
    ['neither length nor files', { ...good, length: undefined }],
    ['a file without a path', { ...good, length: undefined, files: [{ length: 1 }] }],
    ['an empty path', { ...good, length: undefined, files: [{ length: 1, path: [] }] }],
    ['a path of numbers', { ...good, length: undefined, files: [{ length: 1, path: [1] }] }],
    ['a file that is no dictionary', { ...good, length: undefined, files: [1] }],
    ['a sum beyond 2^53', { ...good, length: undefined, files: [0, 0].map(() => ({ length: 2 ** 52, path: ['a'] })) }],
    ['400,001 pieces', { ...good, length: 400_001 * 16_384, pieces: hash(1) }],
    ['meta version 3', { ...good, 'meta version': 3 }],
    ['v2 without a file tree', { ...good, pieces: undefined, 'meta version': 2 }],
    ['v2 with an odd piece length', { ...good, 'piece length': 16_385, 'meta version': 2 }],
  ])('%s', (_, info) => {
    expect(() => parse(info)).toThrow(InvalidInput);
  });

  const v2 = (tree: BencodeInput): BencodeInput => ({
    'file tree': tree,
    'meta version': 2,
    name: 'a',
    'piece length': 16_384,
  });
  const leaf = { '': { length: 1, 'pieces root': new Uint8Array(32) } };
  test.each<[string, BencodeInput]>([
    ['an empty tree', {}],
    ['an empty directory', { a: {} }],
    ['an empty name', { '': leaf }],
    ['a file that is also a directory', { a: { ...leaf, b: leaf } }],
    ['a file without a root', { a: { '': { length: 1 } } }],
    ['a root of 31 bytes', { a: { '': { length: 1, 'pieces root': new Uint8Array(31) } } }],
    ['a negative length', { a: { '': { length: -1, 'pieces root': new Uint8Array(32) } } }],
  ])('a v2 file tree with %s', (_, tree) => {
    expect(() => parse(v2({ a: leaf }))).not.toThrow();
    expect(() => parse(v2(tree))).toThrow(InvalidInput);
  });

  test('more than 20,000 files', () => {
    const files = (count: number): BencodeInput => ({
      ...good,
      length: undefined,
      pieces: hash(2),
      files: Array.from({ length: count }, () => ({ length: 1, path: ['x'] })),
    });
    expect(parse(files(20_000)).files).toHaveLength(20_000);
    expect(() => parse(files(20_001))).toThrow(InvalidInput);
  });

  test('values beyond those of 20,000 v2 files in as many folders', () => {
    const root = new Uint8Array(32).fill(1);
    /** Folders ten deep, of which each file has one of its own. */
    const tree = (count: number, ownFolders: number): BencodeInput => {
      const top: Record<string, BencodeInput> = {};
      for (let file = 0; file < count; file++) {
        let inner: BencodeInput = { '': { length: 1, 'pieces root': root } };
        for (let depth = 0; depth < ownFolders; depth++) inner = { [`folder ${file}`]: inner };
        top[`file ${file}`] = inner;
      }
      let folded: BencodeInput = Object.fromEntries(Object.entries(top).toSorted(([a], [b]) => (a < b ? -1 : 1)));
      for (let depth = 0; depth < 10; depth++) folded = { above: folded };
      return folded;
    };
    const torrent = (ownFolders: number): BencodeInput => v2(tree(20_000, ownFolders));
    expect(parse(torrent(1)).files.filter(({ isPad }) => !isPad)).toHaveLength(20_000);
    expect(() => parse(torrent(2))).toThrow(InvalidInput);
  });

  test.each([
    ['without info', encodeBencode({ announce: 'x' })],
    ['above 8 MiB', encodeBencode({ comment: new Uint8Array(8 << 20), info: good })],
    ['with bytes behind it', encodeBencode([{ info: good }, 1])],
  ])('a .torrent %s', (_, bytes) => {
    expect(() => parseMetainfo(bytes)).toThrow(InvalidInput);
  });
});

test('names are shown without paths, controls and direction marks, and "..": "_"', () => {
  const files = [['..', 'etc'], ['a/b\\c'], ['\u202egpj.exe\u0000'], ['x'.repeat(300)]];
  const info = parse({ ...good, length: undefined, files: files.map((path) => ({ length: 1, path })) });
  expect(info.files.map((file) => file.path)).toEqual([['_', 'etc'], ['a_b_c'], ['gpj.exe'], ['x'.repeat(255)]]);
});

test('links to other files are empty, whatever length they claim, and are marked as links (BEP 47)', () => {
  const target = { length: 1, path: ['real'] };
  const links = [
    { attr: 'l', path: ['link'], 'symlink path': ['..', '..', 'etc', 'passwd'] },
    { attr: 'lx', length: 999, path: ['long'], 'symlink path': ['real'] },
  ];
  const v1 = parse({ files: [...links, target], name: 'a', 'piece length': 16_384, pieces: hash(1) });
  const root = new Uint8Array(32).fill(1);
  const tree = {
    link: { '': { attr: 'l', 'symlink path': ['real'] } },
    real: { '': { length: 1, 'pieces root': root } },
  };
  const v2 = parse({ 'file tree': tree, 'meta version': 2, name: 'a', 'piece length': 16_384 });
  const seen = (files: typeof v1.files): unknown[] =>
    files.map((file) => [file.path.join('/'), file.lengthBytes, file.isSymlink]);
  expect(seen(v1.files)).toEqual([
    ['link', 0, true],
    ['long', 0, true],
    ['real', 1, undefined],
  ]);
  expect(seen(v2.files)).toEqual([
    ['link', 0, true],
    ['real', 1, undefined],
  ]);
  expect([v1.totalBytes, v2.totalBytes]).toEqual([1, 1]);
});

test('a private torrent says so', () => {
  expect(parse({ ...good, private: 1 }).isPrivate).toBe(true);
  expect(parse(good).isPrivate).toBe(false);
});

test('the last piece is short, and each piece has its hash', () => {
  const pieces = Uint8Array.from({ length: 40 }, (_, at) => at);
  const info = parse({ ...good, length: 20_000, pieces });
  expect([pieceBytesAt(info, 0), pieceBytesAt(info, 1)]).toEqual([16_384, 3_616]);
  expect(pieceSha1At(info, 1)).toEqual(pieces.subarray(20));
});

test('a hybrid whose halves describe different files counts as v1', () => {
  const tree = (length: number): BencodeInput => ({ a: { '': { length, 'pieces root': new Uint8Array(32) } } });
  const hybrid = (length: number): BencodeInput => ({ ...good, 'meta version': 2, 'file tree': tree(length) });
  expect(parse(hybrid(1)).version).toBe('hybrid');
  expect(parse(hybrid(2)).version).toBe('v1');
});

test('trackers, web seeds and comment stay outside info and survive', () => {
  const parts = {
    rawInfo: encodeBencode(good),
    trackers: [['ws://a', 'udp://b'], ['http://c']],
    webSeeds: ['http://seed/x'],
    comment: 'ein Größer',
    createdBy: 'Seedbed',
    createdAtSec: 1_700_000_000,
  };
  const metainfo = parseMetainfo(writeMetainfo(parts));
  expect(metainfo).toMatchObject({ trackers: parts.trackers, webSeeds: parts.webSeeds, comment: parts.comment });
  expect(metainfo.info.rawInfo).toEqual(parts.rawInfo);
});

test('odd addresses outside info are left out and do not spoil the torrent', () => {
  const bytes = encodeBencode({
    announce: 7,
    'announce-list': [[], [1, 'http://t']],
    info: good,
    'url-list': ['', 'u'],
  });
  expect(parseMetainfo(bytes)).toMatchObject({ trackers: [['http://t']], webSeeds: ['u'] });
});

describe('for any input', () => {
  test('a torrent with fields changed is read or refused with InvalidInput', () => {
    const value = fc.oneof(
      fc.maxSafeInteger(),
      fc.uint8Array({ maxLength: 60 }),
      fc.constant([]),
      fc.constant({}),
      fc.constant([{ length: 1, path: ['a'] }]),
      fc.constant(undefined),
    );
    const field = fc.constantFrom(
      'length',
      'files',
      'name',
      'piece length',
      'pieces',
      'meta version',
      'file tree',
      'private',
      'path',
    );
    fc.assert(
      fc.property(fc.dictionary(field, value, { noNullPrototype: true }), (changes) => {
        try {
          parseMetainfo(encodeBencode({ info: { ...good, ...changes } }));
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidInput);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test('one changed byte in a real torrent never escapes as another error', () => {
    const torrents = TORRENT_VECTORS.map(torrentBytes);
    fc.assert(
      fc.property(fc.constantFrom(...torrents), fc.nat(), fc.integer({ min: 0, max: 255 }), (torrent, at, byte) => {
        const bytes = torrent.slice();
        bytes[at % bytes.length] = byte;
        try {
          parseMetainfo(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidInput);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test('a raw info slice passes through a .torrent untouched', async () => {
    const rawInfo = encodeBencode({ ...good, zz: new RawBencode(utf8('i5e')) });
    expect(parseMetainfo(writeMetainfo({ rawInfo })).info.rawInfo).toEqual(rawInfo);
    expect(Object.keys(await infoHashesOf(parseTorrentInfo(rawInfo)))).toEqual(['v1']);
  });
});
