/** Peers that break the rules of encrypted handshakes (MSE), or use one to break others: each kind in one way. */
import { SECOND_MS } from '../../../src/base/units.ts';
import type { SwarmKey } from '../../../src/base/ids.ts';
import { MSE_NUMBER_BYTES } from '../../../src/codec/mse.ts';
import { repeatedly, type Behaviour } from './hostile-basics.ts';

export const ENCRYPTION_HOSTILE_KINDS = [
  'noise for a key',
  'a key and no more',
  'a key byte by byte',
  'another swarm within',
] as const;
export type EncryptionHostileKind = (typeof ENCRYPTION_HOSTILE_KINDS)[number];

/** These begin below any handshake; the others come behind one. */
export const HANDSHAKELESS: ReadonlySet<string> = new Set<EncryptionHostileKind>([
  'noise for a key',
  'a key and no more',
  'a key byte by byte',
]);

const NO_SWARM = '5e'.repeat(20) as SwarmKey; // forty hex digits

export const ENCRYPTION_BEHAVIOURS: Readonly<Record<EncryptionHostileKind, Behaviour>> = {
  'noise for a key': ({ peer, dice }) => {
    peer.send(dice.bytes(dice.int(1, 900)));
  },

  'a key and no more': ({ peer, dice }) => {
    peer.send(dice.bytes(MSE_NUMBER_BYTES));
  },

  'a key byte by byte': (attack) => {
    repeatedly(attack, SECOND_MS / 4, () => attack.peer.send(attack.dice.bytes(1)));
  },

  'another swarm within': ({ peer, dice }) => {
    peer.sayHello({ swarmKey: NO_SWARM, peerId: dice.bytes(20) });
  },
};
