import { expect, test } from 'vitest';
import { callApi } from './http.ts';

type Fetch = typeof globalThis.fetch;

const answering =
  (status: number, body: string): Fetch =>
  async () =>
    new Response(status === 204 ? null : body, { status });

test('an answer is its JSON, an empty one is undefined', async () => {
  await expect(callApi('/x', {}, answering(200, '{"a":1}'))).resolves.toEqual({ a: 1 });
  await expect(callApi('/x', {}, answering(204, ''))).resolves.toBeUndefined();
});

test.each([
  { status: 403, body: '{"code":"forbidden","message":"no"}', want: { code: 'forbidden', status: 403, message: 'no' } },
  { status: 502, body: '<html>', want: { code: 'http_502', status: 502 } },
  { status: 200, body: '<html>', want: { code: 'bad_answer', status: 200 } },
])('$status with $body fails as $want.code', async ({ status, body, want }) => {
  await expect(callApi('/x', {}, answering(status, body))).rejects.toMatchObject(want);
});

test('a server out of reach is offline, a caller who gave up is cancelled', async () => {
  const unreachable: Fetch = () => Promise.reject(new TypeError('failed to fetch'));
  await expect(callApi('/x', {}, unreachable)).rejects.toMatchObject({ code: 'offline', status: 0 });
  const left = AbortSignal.abort();
  await expect(callApi('/x', { signal: left }, unreachable)).rejects.toMatchObject({ code: 'cancelled' });
});

test('the session cookie goes to our own origin only, and a body is JSON', async () => {
  const seen: RequestInit[] = [];
  const spy: Fetch = async (_url, init) => {
    seen.push(init ?? {});
    return new Response('{}');
  };
  await callApi('/x', { method: 'POST', body: '{}', authorization: 'Nostr abc' }, spy);
  expect(seen[0]).toMatchObject({
    credentials: 'same-origin',
    headers: { 'content-type': 'application/json', authorization: 'Nostr abc' },
  });
});
