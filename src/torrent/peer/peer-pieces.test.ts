import { expect, test } from 'vitest';
import { ProtocolError } from '../../base/errors.ts';
import { PeerPieces } from './peer-pieces.ts';

function sized(): PeerPieces {
  const pieces = new PeerPieces();
  pieces.size(10);
  return pieces;
}

test('a later bitfield says what a peer has gained and lost since, as aria2 sends it', () => {
  const pieces = sized();
  pieces.add(0);
  pieces.add(9);
  expect(pieces.restate(Uint8Array.of(0b1100_0000, 0))).toEqual({ gained: [1], lost: [9] });
  expect([0, 1, 9].map((piece) => pieces.has(piece))).toEqual([true, true, false]);
});

test('a later bitfield before the metadata replaces all that was said', () => {
  const pieces = new PeerPieces();
  pieces.add(3);
  expect(pieces.restate(Uint8Array.of(0b1000_0000, 0))).toEqual({ gained: [], lost: [] });
  const have = pieces.size(10);
  expect([have.has(0), have.has(3)]).toEqual([true, false]);
});

test.each([[Uint8Array.of(0xff)], [Uint8Array.of(0xff, 0xff)]])(
  'a later bitfield that does not fit is refused',
  (bytes) => {
    expect(() => sized().restate(bytes)).toThrow(ProtocolError);
  },
);
