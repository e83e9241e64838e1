import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { seededRandom } from '../../../test/support/random-bytes.ts';
import { RarestFirst } from './rarest-first.ts';

test('the rarest wanted piece that a peer has is picked first', () => {
  const rarest = new RarestFirst(4, seededRandom(1));
  for (const piece of [0, 1, 2, 3]) rarest.add(piece);
  for (const [piece, count] of [3, 1, 2, 2].entries()) for (let at = 0; at < count; at++) rarest.increment(piece);
  expect(rarest.pick(() => true)).toBe(1);
  expect(rarest.pick((piece) => piece === 0 || piece === 3)).toBe(3);
  expect(rarest.pick(() => false)).toBeUndefined();
});

test('ties are in random order, so that clients of one swarm differ', () => {
  const firsts = new Set<number | undefined>();
  for (let seed = 1; seed <= 40; seed++) {
    const rarest = new RarestFirst(20, seededRandom(seed));
    for (let piece = 0; piece < 20; piece++) rarest.add(piece);
    firsts.add(rarest.pick(() => true));
  }
  expect(firsts.size).toBeGreaterThan(8);
});

const PIECES = 12;
const step = fc.record({
  what: fc.constantFrom('add', 'remove', 'increment', 'decrement'),
  piece: fc.nat(PIECES - 1),
});

test('after any sequence of changes the pick is a wanted piece of the lowest count, as a plain search finds it', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer(), (steps, seed) => {
      const rarest = new RarestFirst(PIECES, seededRandom(seed));
      const counts = Array.from({ length: PIECES }, () => 0);
      const wanted = new Set<number>();
      for (const { what, piece } of steps) {
        rarest[what](piece);
        const count = counts[piece] ?? 0;
        if (what === 'add') wanted.add(piece);
        else if (what === 'remove') wanted.delete(piece);
        else counts[piece] = Math.max(0, count + (what === 'increment' ? 1 : -1));
        const picked = rarest.pick(() => true);
        const lowest = Math.min(...[...wanted].map((each) => counts[each] ?? 0));
        expect(rarest.size).toBe(wanted.size);
        if (wanted.size === 0) expect(picked).toBeUndefined();
        else expect([wanted.has(picked ?? -1), counts[picked ?? -1]]).toEqual([true, lowest]);
      }
    }),
  );
});
