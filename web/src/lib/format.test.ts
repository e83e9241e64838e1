import { expect, test } from 'vitest';
import { formatSpeed, formatTimeLeft, formatWhen, percentOf, shortId, splitName } from './format.ts';

test.each([
  { part: 0, whole: 100, want: 0 },
  { part: 999, whole: 1000, want: 99 },
  { part: 1000, whole: 1000, want: 100 },
  { part: 2000, whole: 1000, want: 100 },
  { part: 0, whole: 0, want: 100 },
  { part: -5, whole: 10, want: 0 },
])('$part of $whole reads as $want percent, and 100 only when it is complete', ({ part, whole, want }) => {
  expect(percentOf(part, whole)).toBe(want);
});

test.each([
  { bytesPerSec: 0, want: '–' },
  { bytesPerSec: 0.4, want: '–' },
  { bytesPerSec: 1536, want: '1.5 KiB/s' },
])('a speed of $bytesPerSec B/s reads as $want', ({ bytesPerSec, want }) => {
  expect(formatSpeed(bytesPerSec)).toBe(want);
});

test('the time left is unknown while nothing moves, and never less than a second', () => {
  expect(formatTimeLeft(1000, 0)).toBeUndefined();
  expect(formatTimeLeft(90_000, 1000)).toBe('1 min 30 s');
  expect(formatTimeLeft(1, 1_000_000)).toBe('1 s');
});

test.each([
  { name: 'film.mp4', stem: 'film', extension: '.mp4' },
  { name: 'archive.tar.gz', stem: 'archive.tar', extension: '.gz' },
  { name: '.profile', stem: '.profile', extension: '' },
  { name: 'no extension', stem: 'no extension', extension: '' },
  { name: 'a sentence. that goes on', stem: 'a sentence. that goes on', extension: '' },
])('$name keeps its extension readable when the stem is cut', ({ name, stem, extension }) => {
  expect(splitName(name)).toEqual({ stem, extension });
});

test.each([
  { ago: 0, want: 'this minute' },
  { ago: 5 * 60_000, want: '5 minutes ago' },
  { ago: 3 * 3_600_000, want: '3 hours ago' },
  { ago: 26 * 3_600_000, want: 'yesterday' },
  { ago: 30 * 86_400_000, want: 'Oct 21, 2026' },
])('a moment $ago ms ago reads as $want', ({ ago, want }) => {
  const now = Date.UTC(2026, 10, 20, 12);
  expect(formatWhen(now - ago, now, 'en')).toBe(want);
});

test('a long id is cut in the middle, a short one is left alone', () => {
  expect(shortId('a'.repeat(64))).toBe('aaaaaaaa…aaaa');
  expect(shortId('abc')).toBe('abc');
});
