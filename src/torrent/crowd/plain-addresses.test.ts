import { expect, test } from 'vitest';
import { MAX_PLAIN_ADDRESSES, PlainAddresses } from './plain-addresses.ts';

const at = (port: number) => ({ host: '192.0.2.7', port });

test('so many addresses that want plain handshakes are remembered, those heard of last', () => {
  const plain = new PlainAddresses();
  for (let port = 1; port <= MAX_PLAIN_ADDRESSES; port++) plain.add(at(port));
  plain.add(at(1)); // heard of again
  plain.add(at(60_000));
  expect([plain.has(at(1)), plain.has(at(2)), plain.has(at(3)), plain.has(at(60_000))]).toEqual([
    true,
    false,
    true,
    true,
  ]);
  plain.delete(at(3));
  expect(plain.has(at(3))).toBe(false);
});
