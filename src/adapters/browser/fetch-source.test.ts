import { expect, test } from 'vitest';
import { refusalOf } from './fetch-source.ts';

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
  expect(refusalOf(response, 100, 200)?.code).toBe(code);
});

test.each([
  [0, 1000, undefined],
  [0, 999, 'unavailable'],
  [1, 1000, 'unavailable'],
])('a server without ranges that sends 1000 bytes is good for [%i, %i): %s', (start, endExclusive, code) => {
  expect(refusalOf(answer(200, { 'content-length': '1000' }), start, endExclusive)?.code).toBe(code);
});
