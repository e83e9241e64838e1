import { expect, test } from 'vitest';
import { instantHasher } from '../../test/support/swarm.ts';
import { contentOf, TORRENT_VECTORS, torrentBytes } from '../../test/vectors/vectors.ts';
import { toHex } from '../base/bytes.ts';
import { Cancelled, Conflict, InvalidInput } from '../base/errors.ts';
import { parseMetainfo, writeMetainfo } from '../codec/metainfo.ts';
import { type FileToHash, makeTorrent, type TorrentToMake } from './make-torrent.ts';

/** A stream of odd chunks. */
async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 7_001) yield bytes.slice(at, at + 7_001);
}

function file(path: readonly string[], bytes: Uint8Array, lengthBytes = bytes.length): FileToHash {
  return { path, lengthBytes, read: () => chunksOf(bytes) };
}

const make = (parts: Partial<TorrentToMake> & Pick<TorrentToMake, 'files'>) =>
  makeTorrent({ format: 'hybrid', name: 'made', pieceLengthBytes: 16_384, hasher: instantHasher, ...parts });

test.each(TORRENT_VECTORS)(
  '$mode of $sizes bytes in pieces of $pieceLengthBytes is libtorrent’s, byte for byte',
  async (vector) => {
    const { info } = parseMetainfo(torrentBytes(vector));
    const files = vector.sizes.map((size, index) =>
      file(vector.sizes.length === 1 ? [info.name] : [`file${index}.bin`], contentOf(index, size)),
    );
    const { mode: format, pieceLengthBytes } = vector;
    const made = await make({ format, name: info.name, pieceLengthBytes, files: files.toReversed() });
    const { pieceLayers } = made;
    const written = writeMetainfo({ rawInfo: made.info.rawInfo, ...(pieceLayers && { pieceLayers }) });
    expect(toHex(written)).toBe(toHex(torrentBytes(vector)));
  },
);

test.each(['v1', 'v2', 'hybrid'] as const)('a %s torrent reads back as the files it was made of', async (format) => {
  const paths = [['b'], ['a', 'z'], ['a', 'ä'], ['a.b'], ['Z'], ['c', 'd', 'e']];
  const files = paths.map((path, index) => file(path, contentOf(index, 20_000 * index)));
  const { info } = await make({ format, files });
  expect(info.version).toBe(format);
  const real = info.files.filter(({ isPad }) => !isPad);
  expect(real.map(({ path }) => path.join('/'))).toEqual(['Z', 'a/z', 'a/ä', 'a.b', 'b', 'c/d/e']);
  expect(real.map(({ lengthBytes }) => lengthBytes)).toEqual([80_000, 20_000, 40_000, 60_000, 0, 100_000]);
});

test.each([true, false])('a torrent is private (%s) when it is made so', async (isPrivate) => {
  const { info } = await make({ files: [file(['made'], contentOf(0, 20_000))], isPrivate });
  expect(info.isPrivate).toBe(isPrivate);
});

test('a file of another length than was said is no torrent', async () => {
  const bytes = contentOf(0, 50_000);
  for (const said of [49_999, 50_001])
    await expect(make({ files: [file(['made'], bytes, said)] })).rejects.toThrow(Conflict);
});

test.each([
  ['two files of one path', [['a'], ['a']]],
  ['a file that is also a folder', [['a'], ['a', 'b']]],
])('%s make no torrent', async (_, paths) => {
  const files = paths.map((path) => file(path, contentOf(0, 10)));
  await expect(make({ files })).rejects.toThrow(InvalidInput);
});

test('making ends when it is cancelled', async () => {
  const controller = new AbortController();
  const files = [file(['made'], contentOf(0, 100_000))];
  const hashed = (): void => controller.abort();
  await expect(make({ files, hashed, signal: controller.signal })).rejects.toThrow(Cancelled);
});
