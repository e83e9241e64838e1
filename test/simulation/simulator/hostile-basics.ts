/** What hostile peers of every kind have in common. */
import { KIB } from '../../../src/base/units.ts';
import { Bitfield } from '../../../src/codec/bitfield.ts';
import { encodeBitfield } from '../../../src/codec/wire-encode.ts';
import type { BlockRef } from '../../../src/codec/wire.ts';
import type { Attack } from './hostile.ts';

const BLOCK_BYTES = 16 * KIB;

export type Behaviour = (attack: Attack) => void;

/** Greets like anybody else. */
export function greet({ peer, swarmKey, speaksV2, dice }: Attack, extensions = false): void {
  peer.sayHello({ swarmKey, fast: dice.chance(0.7), extensions, peerId: dice.bytes(20), v2: speaksV2 });
}

/** Greets and says it has everything and gives it to anybody. */
export function pose(attack: Attack): void {
  greet(attack);
  const { peer, source } = attack;
  peer.send(encodeBitfield(Bitfield.full(source.info.pieceCount)));
  peer.signal('unchoke').signal('interested');
}

/** The right bytes of a block. */
export function blockOf({ source }: Attack, { piece, offsetBytes, lengthBytes }: BlockRef): Uint8Array {
  const start = piece * source.info.pieceLengthBytes + offsetBytes;
  return source.bytes.slice(start, start + lengthBytes);
}

export function spoiled(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte) => byte ^ 0xa5);
}

export function randomBlock({ source, dice }: Attack): BlockRef {
  const { pieceCount, pieceLengthBytes, totalBytes } = source.info;
  const piece = dice.int(0, pieceCount - 1);
  const pieceBytes = Math.min(pieceLengthBytes, totalBytes - piece * pieceLengthBytes);
  const offsetBytes = BLOCK_BYTES * dice.int(0, Math.ceil(pieceBytes / BLOCK_BYTES) - 1);
  return { piece, offsetBytes, lengthBytes: Math.min(BLOCK_BYTES, pieceBytes - offsetBytes) };
}

/** Does something over and over while the connection stands. */
export function repeatedly(attack: Attack, everyMs: number, act: () => void): void {
  attack.after(everyMs, () => {
    act();
    repeatedly(attack, everyMs, act);
  });
}

export function servesWith(share: number): Behaviour {
  return (attack) => {
    pose(attack);
    attack.peer.onRequest = (request) => {
      const bytes = blockOf(attack, request);
      attack.peer.sendBlock(request, attack.dice.chance(share) ? spoiled(bytes) : bytes);
    };
  };
}
