import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { displayName } from './display-name.ts';

test.each([
  ['Film (2024).mkv', 'Film (2024).mkv'],
  ['Größe – 日本語 🎬.mp4', 'Größe – 日本語 🎬.mp4'],
  ['  spaces around  ', 'spaces around'],
  ['a/b\\c', 'a_b_c'],
  ['..', '_'],
  ['.', '_'],
  ['', '_'],
  ['...', '...'],
  ['\u202egnp.exe', 'gnp.exe'],
  ['a\u0000b\u0007c\u007f\u0085', 'abc'],
  ['\ud800lone', 'lone'],
  ['\u200b\ufeff', '_'],
  ['x'.repeat(300), 'x'.repeat(255)],
  ['🎬'.repeat(300), '🎬'.repeat(255)],
])('%j is shown as %j', (text, shown) => {
  expect(displayName(text)).toBe(shown);
});

test('whatever a stranger sends, a name holds no slash, control or direction mark, and is stable', () => {
  const letters = fc.constantFrom(...Array.from('abc ./\\~!\u202e\u0000\u200f\ud800äß🎬'));
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: letters, maxLength: 300 })), (text) => {
      const name = displayName(text);
      expect(name).not.toMatch(/[/\\\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
      expect(['', '.', '..']).not.toContain(name);
      expect(Array.from(name).length).toBeLessThanOrEqual(255);
      expect(displayName(name)).toBe(name);
    }),
    { numRuns: 2_000 },
  );
});
