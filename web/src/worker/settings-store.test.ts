import { expect, test } from 'vitest';
import { changedSettings, DEFAULT_SETTINGS } from './settings-store.ts';

test('a change keeps what it does not name and drops what nobody knows', () => {
  const change = { httpOnly: true, colour: 'violet' };
  expect(changedSettings(DEFAULT_SETTINGS, change)).toEqual({ ...DEFAULT_SETTINGS, httpOnly: true });
});

test.each([
  { quotaBytes: -1 },
  { quotaBytes: 1.5 },
  { quotaBytes: Number.NaN },
  { uploadLimitBytesPerSec: Number.POSITIVE_INFINITY },
])('$quotaBytes$uploadLimitBytesPerSec is no number of bytes', (change) => {
  expect(() => changedSettings(DEFAULT_SETTINGS, change)).toThrow(expect.objectContaining({ code: 'invalid_input' }));
});
