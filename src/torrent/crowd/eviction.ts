/** Whom to part from when there is no room for somebody new: a pure choice among peers that bring and take nothing. */

export interface PeerWorth {
  /** Any stable number. */
  readonly id: number;
  readonly connectedMs: number;
  /** Bytes per second, both ways together. */
  readonly bytesPerSecond: number;
  /** One of us wants something of the other. */
  readonly isWanted: boolean;
  /** Canonical (BEP 40); the lowest goes first. */
  readonly priority: number;
}

/** A peer gets so long to show what it is good for. */
const TRIAL_MS = 60_000;
/** One that wants something, or has something, and still moves nothing for so long. */
const PATIENCE_MS = 300_000;
/** Less than this is nothing: keep-alives and single messages. */
const IDLE_BYTES_PER_SECOND = 16;

/** The peer that may go; undefined where each is worth its place. */
export function chooseToPartFrom(peers: readonly PeerWorth[]): number | undefined {
  const idle = peers.filter((peer) => peer.bytesPerSecond < IDLE_BYTES_PER_SECOND);
  const useless = idle.filter((peer) => !peer.isWanted && peer.connectedMs >= TRIAL_MS);
  const stale = idle.filter((peer) => peer.isWanted && peer.connectedMs >= PATIENCE_MS);
  const candidates = useless.length > 0 ? useless : stale;
  return candidates.toSorted((a, b) => a.priority - b.priority || b.connectedMs - a.connectedMs)[0]?.id;
}
