import { describe, expect, test } from 'vitest';
import { concatBytes } from '../base/bytes.ts';
import { InvalidInput } from '../base/errors.ts';
import type { TorrentFile } from '../codec/torrent-files.ts';
import { webSeedOf } from './files-source.ts';

const never = new AbortController().signal;

/** Files of a torrent one behind the other: `a:10` has ten bytes, `a:10:pad` is padding. */
function filesOf(...texts: readonly string[]): TorrentFile[] {
  let offsetBytes = 0;
  return texts.map((text) => {
    const [path = '', length, pad] = text.split(':');
    const file = { path: path.split('/'), lengthBytes: Number(length), offsetBytes, isPad: pad !== undefined };
    offsetBytes += file.lengthBytes;
    return file;
  });
}

/** A web seed whose files are full of their own last letter, and what it was asked for. */
function seedOf(url: string, files: readonly TorrentFile[], isSingleFile = false) {
  const asked: string[] = [];
  const totalBytes = files.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  const info = { name: 'my show', files, isSingleFile, totalBytes };
  const source = webSeedOf(url, info, ({ href }, sizeBytes) => ({
    label: href,
    async *fetch(start, endExclusive) {
      asked.push(`${href.replace('https://a.example/', '')} ${start}-${endExclusive} of ${sizeBytes}`);
      yield new Uint8Array(endExclusive - start).fill(href.charCodeAt(href.length - 1));
    },
  }));
  const read = async (start: number, endExclusive: number): Promise<string> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of source.fetch(start, endExclusive, never)) chunks.push(chunk);
    return Buffer.from(concatBytes(chunks)).toString('latin1').replaceAll('\0', '.');
  };
  return { source, asked, read };
}

describe('a web seed of many files', () => {
  const FILES = filesOf('a:5', '.pad/3:3:pad', 'empty:0', 'sub/b:4', 'empty too:0', 'c:2');

  test.each([
    [0, 14, 'aaaaa...bbbbcc', ['my%20show/a 0-5 of 5', 'my%20show/sub/b 0-4 of 4', 'my%20show/c 0-2 of 2']],
    [2, 4, 'aa', ['my%20show/a 2-4 of 5']],
    [4, 9, 'a...b', ['my%20show/a 4-5 of 5', 'my%20show/sub/b 0-1 of 4']],
    [6, 8, '..', []],
    [8, 12, 'bbbb', ['my%20show/sub/b 0-4 of 4']],
    [11, 13, 'bc', ['my%20show/sub/b 3-4 of 4', 'my%20show/c 0-1 of 2']],
  ])('gives [%i, %i) as %s, and each file is asked for its own bytes only', async (start, end, bytes, requests) => {
    const { asked, read } = seedOf('https://a.example/', FILES);
    expect(await read(start, end)).toBe(bytes);
    expect(asked).toEqual(requests);
  });

  test('gives the padding of a large piece in parts, and all of it', async () => {
    const { asked, read } = seedOf('https://a.example/', filesOf('a:1', 'pad:1000000:pad', 'b:1'));
    expect(await read(0, 1_000_002)).toBe(`a${'.'.repeat(1_000_000)}b`);
    expect(asked).toHaveLength(2);
  });

  test('is not asked for a path that would lead out of its folder', async () => {
    const { asked, read } = seedOf('https://a.example/x/', filesOf('../../y:1'));
    await expect(read(0, 1)).rejects.toBeInstanceOf(InvalidInput);
    expect(asked).toEqual([]);
  });

  test('has no bytes beyond its last file', async () => {
    await expect(seedOf('https://a.example/', FILES).read(14, 15)).rejects.toBeInstanceOf(InvalidInput);
  });

  test('is shown without its query, and another query is another source', () => {
    const [old, renewed] = ['a', 'b'].map((token) => seedOf(`https://a.example/x/?token=${token}`, FILES).source);
    expect(old?.label).toBe('https://a.example/x/');
    expect(renewed?.label).toBe(old?.label);
    expect(renewed?.identity).not.toBe(old?.identity);
  });

  test.each([
    ['another protocol', 'ftp://a.example/'],
    ['a password', 'https://u:p@a.example/'],
  ])('is refused at once for %s', (_why, url) => {
    expect(() => seedOf(url, FILES)).toThrow(InvalidInput);
  });
});

test('a web seed of one file is asked for the file', async () => {
  const { asked, read } = seedOf('https://a.example/', filesOf('my show:5'), true);
  expect(await read(1, 3)).toBe('ww');
  expect(asked).toEqual(['my%20show 1-3 of 5']);
});
