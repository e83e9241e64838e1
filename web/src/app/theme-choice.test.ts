import { expect, test } from 'vitest';
import { readTheme } from './theme-choice.ts';

test.each([
  { stored: null, theme: 'system' },
  { stored: 'dark', theme: 'dark' },
  { stored: 'light', theme: 'light' },
  { stored: 'violet', theme: 'system' },
])('a stored $stored is the theme $theme', ({ stored, theme }) => {
  expect(readTheme({ getItem: () => stored })).toBe(theme);
});
