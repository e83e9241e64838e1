/**
 * Whom to part from when there is no room for somebody new: a pure choice among peers that bring nothing and take nothing.
 * Invariant: who gives or takes keeps its place, however many knock, and who has just come gets time for a slot.
 */
import { MIB } from '../../base/units.ts';

export interface PeerWorth {
  /** Any stable number. */
  readonly id: number;
  readonly connectedMs: number;
  /** Bytes per second, both ways together. */
  readonly bytesPerSecond: number;
  /** One of us wants something of the other. */
  readonly isWanted: boolean;
  /** For how long one that only wants to take has taken nothing; 0 where it is we who keep it waiting, or want something. */
  readonly quietMs: number;
  /** What it has taken since it came. */
  readonly takenBytes: number;
  /** Peers of its address, itself included. */
  readonly sharingAddress: number;
  /** Canonical (BEP 40); the lowest goes first. */
  readonly priority: number;
}

/** A peer gets so long to show what it is good for. */
const TRIAL_MS = 60_000;
/** One that wants something, or has something, and still moves nothing for so long. */
const PATIENCE_MS = 300_000;
/** Slots are given every ten seconds; a reader of 20 KiB/s takes six seconds for the smallest batch. */
const QUIET_MS = 12_000;
/** More than kernels hold for one that never reads. */
const PROVEN_BYTES = 16 * MIB;
/** Less than this is nothing: keep-alives and single messages. */
export const IDLE_BYTES_PER_SECOND = 16;

/** The peer that may go; undefined where each is worth its place. */
export function chooseToPartFrom(peers: readonly PeerWorth[]): number | undefined {
  const idle = peers.filter((peer) => peer.bytesPerSecond < IDLE_BYTES_PER_SECOND);
  const useless = idle.filter((peer) => !peer.isWanted && peer.connectedMs >= TRIAL_MS);
  const stale = idle.filter((peer) => peer.isWanted && peer.connectedMs >= PATIENCE_MS);
  const candidates = useless.length > 0 ? useless : stale;
  const [least] = candidates.toSorted((a, b) => a.priority - b.priority || b.connectedMs - a.connectedMs);
  return (least ?? peers.filter(({ quietMs }) => quietMs >= QUIET_MS).toSorted(byQuiet)[0])?.id;
}

/** Who may have been lying before who has shown that it reads, many of one address before a single one, the longest first. */
function byQuiet(a: PeerWorth, b: PeerWorth): number {
  const isProven = (peer: PeerWorth): number => Number(peer.takenBytes >= PROVEN_BYTES);
  return (
    isProven(a) - isProven(b) || b.sharingAddress - a.sharingAddress || b.quietMs - a.quietMs || a.priority - b.priority
  );
}
