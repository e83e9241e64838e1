/** Bodies stop when they are told to, release their source, and fail with our errors only. */
import { expect, test } from 'vitest';
import { bodyOf, brokenBodyOf, never } from '../../test/contracts/media-fixture.ts';
import { Cancelled, TooLarge } from '../base/errors.ts';
import { concatBytes } from '../base/bytes.ts';
import { stoppable } from './body.ts';

async function collect(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return concatBytes(chunks);
}

/** A source that never ends by itself and tells whether it was released. */
function endless(signal?: AbortController) {
  const seen = { chunks: 0, released: false };
  async function* chunks(): AsyncIterable<Uint8Array> {
    try {
      for (;;) {
        seen.chunks++;
        if (seen.chunks === 3) signal?.abort();
        yield new Uint8Array(10);
      }
    } finally {
      seen.released = true;
    }
  }
  return { seen, body: chunks() };
}

test('every chunk passes', async () => {
  const bytes = new Uint8Array(1000).fill(7);
  expect(await collect(stoppable(bodyOf(bytes, 33), never))).toEqual(bytes);
});

test('an abort ends an endless body, and its source is released', async () => {
  const controller = new AbortController();
  const { seen, body } = endless(controller);
  await expect(collect(stoppable(body, controller.signal))).rejects.toBeInstanceOf(Cancelled);
  expect(seen).toEqual({ chunks: 3, released: true });
});

test('an abort beforehand takes nothing from the body', async () => {
  const { seen, body } = endless();
  await expect(collect(stoppable(body, AbortSignal.abort()))).rejects.toBeInstanceOf(Cancelled);
  expect(seen.chunks).toBe(0);
});

test('a reader that leaves releases the source', async () => {
  const { seen, body } = endless();
  for await (const chunk of stoppable(body, never)) if (chunk.length > 0) break;
  expect(seen.released).toBe(true);
});

test('a foreign error is Cancelled with its cause, one of ours passes as it is', async () => {
  await expect(collect(stoppable(brokenBodyOf(new Uint8Array(5)), never))).rejects.toMatchObject({
    code: 'cancelled',
    cause: new Error('the connection was reset'),
  });
  async function* tooLarge(): AsyncIterable<Uint8Array> {
    yield await Promise.reject<Uint8Array>(new TooLarge('made by the test'));
  }
  await expect(collect(stoppable(tooLarge(), never))).rejects.toBeInstanceOf(TooLarge);
});
