import { expect, test } from 'vitest';
import { RetryLater } from '../../base/errors.ts';
import { FetchSource, refusalOf } from './fetch-source.ts';

function answer(status: number, headers: Record<string, string> = {}): Response {
  return new Response(status === 204 ? null : 'x', { status, headers });
}

test.each([
  ['exactly the range', answer(206, { 'content-range': 'bytes 100-199/1000' }), undefined],
  ['a range of unknown total', answer(206, { 'content-range': 'bytes 100-199/*' }), undefined],
  ['a shorter range', answer(206, { 'content-range': 'bytes 100-150/1000' }), 'protocol_error'],
  ['another range', answer(206, { 'content-range': 'bytes 0-99/1000' }), 'protocol_error'],
  ['206 without saying which range', answer(206), 'protocol_error'],
  ['the whole file', answer(200, { 'content-length': '1000' }), 'unavailable'],
  ['not found', answer(404), 'not_found'],
  ['gone', answer(410), 'not_found'],
  ['too many requests', answer(429), 'unavailable'],
  ['nothing', answer(204), 'unavailable'],
])('asked for bytes 100 to 199, an answer of %s is judged', (_, response, code) => {
  expect(refusalOf(response, 100, 200, 0)?.code).toBe(code);
});

test.each([
  [0, 1000, undefined],
  [0, 999, 'unavailable'],
  [1, 1000, 'unavailable'],
])('a server without ranges that sends 1000 bytes is good for [%i, %i): %s', (start, endExclusive, code) => {
  expect(refusalOf(answer(200, { 'content-length': '1000' }), start, endExclusive, 0)?.code).toBe(code);
});

test.each([
  [429, { 'retry-after': '30' }, 30_000],
  [503, { 'retry-after': 'Thu, 01 Jan 1970 00:01:00 GMT' }, 60_000],
  [503, {}, undefined],
  [404, { 'retry-after': '30' }, undefined],
])('a server that answers %i with %o wants to be asked again after: %s ms', (status, headers, waitMs) => {
  const refusal = refusalOf(answer(status, headers), 100, 200, 0);
  expect(refusal instanceof RetryLater ? refusal.retryAfterMs : undefined).toBe(waitMs);
});

test('of a torrent of many files a folder is the source, whether it ends in a slash or not', () => {
  const files = ['a', 'b'].map((name, at) => ({ path: [name], lengthBytes: 5, offsetBytes: 5 * at, isPad: false }));
  const info = { name: 'show', files, isSingleFile: false, totalBytes: 10 };
  for (const url of ['https://a.example/files/', 'https://a.example/files'])
    expect(FetchSource.of(url, info).label).toBe('https://a.example/files/');
});

test('a renewed query makes another source that is shown alike', () => {
  const [old, renewed] = ['a', 'b'].map((token) => new FetchSource(`https://a.example/film.mp4?token=${token}`));
  expect(renewed?.label).toBe(old?.label);
  expect(renewed?.identity).not.toBe(old?.identity);
});
