import { assert, property, uint8Array } from 'fast-check';
import { expect, test } from 'vitest';
import { parseSha256 } from '../../../src/base/ids.ts';
import { fieldOf } from './field-art.ts';

const anyHash = uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) =>
  parseSha256(Buffer.from(bytes).toString('hex')),
);

test('no hash gives a violet picture, for violet means alive in the swarm', () => {
  assert(
    property(anyHash, (hash) => {
      const { hue } = fieldOf(hash);
      expect(hue).toBeGreaterThanOrEqual(40);
      expect(hue).toBeLessThan(240);
    }),
  );
});

test('the same file looks the same everywhere, and other files look different', () => {
  const one = parseSha256('0f'.repeat(32));
  expect(fieldOf(one)).toEqual(fieldOf(one));
  expect(fieldOf(one)).not.toEqual(fieldOf(parseSha256('f0'.repeat(32))));
});
