import { expect, test } from 'vitest';
import { ownAddressOf } from './address-note.tsx';

test.each([
  { here: 'https://seed.example/m/abc', want: undefined },
  { here: 'http://localhost:24242/m/abc?x=1', want: 'https://seed.example/m/abc?x=1' },
  { here: 'https://seed.example:8443/', want: 'https://seed.example/' },
  { here: 'http://localhost:24242/setup#secret', want: 'https://seed.example/setup' },
])('at $here the own address is $want, without what follows the #', ({ here, want }) => {
  expect(ownAddressOf('https://seed.example', here)).toBe(want);
});
