import { expect, test } from 'vitest';
import { routeOf, splitTarget } from './target.ts';

const sha = 'ab'.repeat(32);

test.each([
  ['/', { path: '/', query: '' }],
  ['/a?b=c?d', { path: '/a', query: 'b=c?d' }],
  ['http://media.example/a?b', { path: '/a', query: 'b' }],
  ['//evil.example/a', { path: '//evil.example/a', query: '' }],
  ['*', undefined],
  ['media.example:443', undefined],
  ['ftp://x/y', undefined],
  ['', undefined],
  [undefined, undefined],
])('the target %s splits into %j', (url, target) => {
  expect(splitTarget(url)).toEqual(target);
});

test.each([
  [`/${sha}`, 'blob'],
  [`/${sha}.mp4`, 'blob'],
  [`/${sha}.tar.gz`, 'blob'],
  [`/${sha.toUpperCase()}`, 'web'],
  [`/${sha}/`, 'web'],
  [`/${sha}.`, 'web'],
  [`/${sha}/../x`, 'web'],
  [`/${sha}%2emp4`, 'web'],
  [`/${sha}0`, 'web'],
  [`/${sha.slice(1)}`, 'web'],
  ['/upload', 'blossom-upload'],
  ['/upload/', 'web'],
  [`/list/${sha}`, 'blossom-list'],
  [`/list/${sha}x`, 'web'],
  ['/mirror', 'blossom-absent'],
  ['/api/v1/uploads', 'tus'],
  [`/api/v1/uploads/${'a'.repeat(32)}`, 'tus'],
  ['/api/v1/uploadsx', 'api'],
  ['/api/v1/media', 'media-collection'],
  [`/api/v1/media/${sha}`, 'api'],
  [`/torrent/${'A'.repeat(40)}.torrent`, 'metainfo'],
  [`/torrent/${sha}.torrent`, 'metainfo'],
  [`/torrent/${sha}`, 'web'],
  ['/announce', 'announce'],
  ['/scrape', 'scrape'],
  [`/m/${sha}`, 'web'],
])('%s goes to the door %s', (path, kind) => {
  expect(routeOf(path).kind).toBe(kind);
});
