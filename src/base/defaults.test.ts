import { expect, test } from 'vitest';
import { withDefaults } from './defaults.ts';

const DEFAULTS = { size: 3, name: 'a', isLoud: true };

test.each([
  { given: {}, want: DEFAULTS },
  { given: { size: undefined, name: undefined }, want: DEFAULTS },
  { given: { size: 0, name: '', isLoud: false }, want: { size: 0, name: '', isLoud: false } },
  { given: { name: 'b', size: undefined }, want: { size: 3, name: 'b', isLoud: true } },
])('$given over the defaults is $want', ({ given, want }) => {
  expect(withDefaults(DEFAULTS, given)).toEqual(want);
  expect(DEFAULTS).toEqual({ size: 3, name: 'a', isLoud: true });
});
