/** How download limits hold a peer: its socket is not read, and meanwhile nobody minds its silence. */
import type { Gate } from '../limits/inflow.ts';
import type { Peer } from './peer.ts';

type HeldPeer = Pick<Peer, 'connection' | 'ledger' | 'cancel' | 'lastBlockAtMs' | 'lastReceivedAtMs'>;

/** The gate of this peer. */
export function gateOf(peer: HeldPeer): Gate {
  return {
    hold: () => peer.connection.hold(),
    release: () => peer.connection.release(),
    wasHeld: (nowMs) => {
      peer.lastBlockAtMs = nowMs;
      peer.lastReceivedAtMs = nowMs;
    },
    takeBack: () => peer.cancel([...peer.ledger.open.keys()]),
  };
}
