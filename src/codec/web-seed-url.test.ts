import { describe, expect, test } from 'vitest';
import { InvalidInput } from '../base/errors.ts';
import { webSeedFolder, webSeedUrl, within } from './web-seed-url.ts';

describe('a web seed of one file (BEP 19)', () => {
  test.each([
    ['https://a.example/files/', 'film one.mp4', 'https://a.example/files/film%20one.mp4'],
    ['https://a.example/film.mp4', 'other', 'https://a.example/film.mp4'],
    ['https://a.example/f?id=1#x', 'other', 'https://a.example/f?id=1'],
    ['https://a.example', '../../etc', 'https://a.example/..%2F..%2Fetc'],
  ])('%s with the name %s means %s', (url, name, meant) => {
    expect(webSeedUrl(url, name).href).toBe(meant);
  });

  test.each(['ftp://a.example/x', 'https://u:p@a.example/x', 'nonsense', 'file:///etc/passwd'])(
    '%s is refused',
    (url) => {
      expect(() => webSeedUrl(url, 'x')).toThrow(InvalidInput);
      expect(() => webSeedFolder(`${url}/`)).toThrow(InvalidInput);
    },
  );
});

describe('a web seed of many files (BEP 19)', () => {
  test.each([
    ['https://a.example/files/', ['show', 'one.mkv'], 'https://a.example/files/show/one.mkv'],
    [
      'https://a.example',
      ['show', 'extras', '50% & more?.txt'],
      'https://a.example/show/extras/50%25%20%26%20more%3F.txt',
    ],
    ['https://a.example/?token=1', ['show', 'ä'], 'https://a.example/show/%C3%A4?token=1'],
    ['https://a.example/files', ['show', 'one.mkv'], 'https://a.example/files/show/one.mkv'],
    ['https://a.example/', ['show', 'a/b'], 'https://a.example/show/a%2Fb'],
  ])('%s has %j at %s', (folder, path, meant) => {
    expect(within(webSeedFolder(folder), path).href).toBe(meant);
  });

  test('is a folder out of which no path leads', () => {
    for (const name of ['..', '.'])
      expect(() => within(webSeedFolder('https://a.example/files/'), ['show', name])).toThrow(InvalidInput);
  });
});
