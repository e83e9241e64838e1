import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InvalidInput, ProtocolError } from '../base/errors.ts';
import { Bitfield } from './bitfield.ts';

describe('the wire form', () => {
  test('puts the first piece into the highest bit (BEP 3)', () => {
    const bitfield = new Bitfield(10);
    bitfield.set(0);
    bitfield.set(9);
    expect(bitfield.toBytes()).toEqual(Uint8Array.of(0x80, 0x40));
  });

  test.each([
    ['too short', [0xff], 9],
    ['too long', [0xff, 0x80, 0], 9],
    ['with a spare bit set', [0xff, 0x81], 9],
    ['not empty for a torrent without pieces', [0], 0],
  ])('is refused when %s', (_, bytes, pieces) => {
    expect(() => Bitfield.fromBytes(Uint8Array.from(bytes), pieces)).toThrow(ProtocolError);
  });

  test('of a full field has no spare bits', () => {
    expect(Bitfield.full(9).toBytes()).toEqual(Uint8Array.of(0xff, 0x80));
    expect(Bitfield.full(16).toBytes()).toEqual(Uint8Array.of(0xff, 0xff));
    expect(Bitfield.full(0).isComplete).toBe(true);
  });
});

test.each([-1, 10, 1.5, Number.NaN])('piece %d of 10 is nobody’s, and cannot be set', (piece) => {
  const bitfield = Bitfield.full(10);
  expect(bitfield.has(piece)).toBe(false);
  expect(() => bitfield.set(piece)).toThrow(InvalidInput);
  expect(() => bitfield.clear(piece)).toThrow(InvalidInput);
});

test('a peer is interesting as long as it has a piece that we lack', () => {
  const [ours, theirs] = [new Bitfield(20), new Bitfield(20)];
  theirs.set(17);
  expect(theirs.hasBeyond(ours)).toBe(true);
  ours.set(17);
  expect(theirs.hasBeyond(ours)).toBe(false);
});

test('a visit stops where the visitor says so', () => {
  const seen: number[] = [];
  new Bitfield(100).forEachMissing((piece) => {
    seen.push(piece);
    return piece < 41;
  }, 40);
  expect(seen).toEqual([40, 41]);
});

test('whatever is set and cleared, a bitfield behaves like a set of pieces', () => {
  const change = fc.tuple(fc.boolean(), fc.nat(99));
  const range = fc.tuple(fc.nat(110), fc.nat(110));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.array(change), range, (length, changes, [start, end]) => {
      const bitfield = new Bitfield(length);
      const model = new Set<number>();
      for (const [isSet, at] of changes) {
        const piece = at % length;
        expect(isSet ? bitfield.set(piece) : bitfield.clear(piece)).toBe(isSet !== model.has(piece));
        if (isSet) model.add(piece);
        else model.delete(piece);
      }
      const pieces = Array.from({ length }, (_, piece) => piece).filter((piece) => piece >= start && piece < end);
      const [set, missing]: [number[], number[]] = [[], []];
      bitfield.forEachSet((piece) => void set.push(piece), start, end);
      bitfield.forEachMissing((piece) => void missing.push(piece), start, end);
      expect(set).toEqual(pieces.filter((piece) => model.has(piece)));
      expect(missing).toEqual(pieces.filter((piece) => !model.has(piece)));
      expect(bitfield.count).toBe(model.size);
      expect(bitfield.isComplete).toBe(model.size === length);
      expect(Bitfield.fromBytes(bitfield.toBytes(), length).toBytes()).toEqual(bitfield.clone().toBytes());
    }),
    { numRuns: 1_000 },
  );
});
