import { expect, test } from 'vitest';
import { describeFailure, encodeMetadata, isForgotten, isTemporary, retryDelayMs } from './tus.ts';

test('metadata travels as base64 of UTF-8, and what is unknown is left out', () => {
  expect(encodeMetadata({ filename: 'Füße 🌱.mp4', filetype: '', sha256: 'ab', infohash: undefined })).toBe(
    'filename RsO8w59lIPCfjLEubXA0,sha256 YWI=',
  );
});

test.each([
  { status: 0, again: true },
  { status: 500, again: true },
  { status: 503, again: true },
  { status: 409, again: true },
  { status: 429, again: true },
  { status: 400, again: false },
  { status: 401, again: false },
  { status: 403, again: false },
  { status: 413, again: false },
])('an answer of $status is worth another attempt: $again', ({ status, again }) => {
  expect(isTemporary(status)).toBe(again);
});

test('an upload the server has forgotten is begun anew', () => {
  expect([404, 410, 403].map(isForgotten)).toEqual([true, true, false]);
});

test('pauses between attempts grow, and stop growing', () => {
  const delays = [0, 1, 2, 3, 4, 5, 6, 100].map(retryDelayMs);
  expect(delays).toEqual([...delays].sort((a, b) => a - b));
  expect(delays.at(-1)).toBe(delays.at(-2));
});

test.each([
  { body: '{"code":"no_space","message":"full"}', code: 'no_space', message: 'full' },
  { body: 'Bad gateway', code: 'http_507', message: 'the server answered 507' },
  { body: '{broken', code: 'bad_answer', message: 'the server answered something that is not JSON' },
  { body: '{"code":7}', code: 'http_507', message: 'the server answered 507' },
])('a refusal with the body $body is told as $code', ({ body, code, message }) => {
  expect(describeFailure(507, body)).toMatchObject({ status: 507, code, message });
});
