/** What one peer is worth to its torrent, as plain numbers for those who choose whom to serve and whom to part from. */
import type { Peer } from '../peer/peer.ts';
import { IDLE_BYTES_PER_SECOND, type PeerWorth } from './eviction.ts';

/** The peer as `chooseToPartFrom` sees it; `priority` is that of BEP 40. */
export function worthOf(
  peer: Peer,
  { nowMs, priority, sharingAddress }: Pick<PeerWorth, 'priority' | 'sharingAddress'> & { readonly nowMs: number },
): PeerWorth {
  const broughtRate = peer.downloaded.bytesPerSecond(nowMs);
  const onlyTakes = peer.isInterested && !peer.amInterested && broughtRate < IDLE_BYTES_PER_SECOND;
  return {
    id: peer.sourceId,
    connectedMs: nowMs - peer.connectedAtMs,
    bytesPerSecond: broughtRate + peer.uploaded.bytesPerSecond(nowMs),
    isWanted: peer.amInterested || peer.isInterested,
    quietMs: onlyTakes ? quietMs(peer, nowMs) : 0,
    takenBytes: peer.uploads?.takenBytes ?? 0,
    sharingAddress,
    priority,
  };
}

/** For how long it has taken nothing since it came, in ms; 0 where our limits or our disk keep it waiting. */
function quietMs(peer: Peer, nowMs: number): number {
  if (peer.uploads?.isOwing === true) return 0;
  return nowMs - Math.max(peer.connectedAtMs, peer.uploads?.takenAtMs ?? 0);
}

/** For how long it has not used the slot it holds, in ms: it reads nothing of what it asked for, or asks for nothing. */
export function wastedSlotMs(peer: Peer, nowMs: number): number {
  if (peer.amChoking || peer.uploads?.isOwing === true) return 0;
  return nowMs - Math.max(peer.chokeChangedAtMs, peer.uploads?.takenAtMs ?? 0);
}
