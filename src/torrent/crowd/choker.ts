/**
 * Who may download from us now: a pure choice over what each interested peer gave or took lately. While leeching,
 * the best givers hold the slots and one is tried at random (BEP 3); while seeding, slots go round so that everybody
 * who waits gets a turn, the fastest takers keeping theirs longer.
 */

export interface ChokeCandidate {
  /** Any stable number. */
  readonly id: number;
  readonly isUnchoked: boolean;
  /** Bytes per second it sends us. */
  readonly downloadRate: number;
  /** Bytes per second it takes from us. */
  readonly uploadRate: number;
  readonly isSnubbed: boolean;
  /** Monotonic time of its last unchoke or choke. */
  readonly changedAtMs: number;
  /** It holds a slot and does not use it: reads nothing of what it asked for, or asks for nothing. */
  readonly isWasteful: boolean;
  /** Connected less than a minute ago: three times as likely to be tried. */
  readonly isNew: boolean;
}

export interface ChokeRules {
  /** Regular slots; the optimistic one comes on top. */
  readonly slots: number;
  readonly seeding: boolean;
  /** The peer tried optimistically until now, if any. */
  readonly optimistic: number | undefined;
  /** The optimistic slot moves on in this round. */
  readonly rotate: boolean;
  readonly nowMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export interface ChokeVerdict {
  readonly unchoked: ReadonlySet<number>;
  readonly optimistic: number | undefined;
}

/** A seeding slot that served this long makes room for somebody who waits. */
const SEED_TURN_MS = 60_000;

/** Chooses the unchoked ones among the interested peers. */
export function chooseUnchoked(interested: readonly ChokeCandidate[], rules: ChokeRules): ChokeVerdict {
  const ranked = [...interested].sort(rules.seeding ? bySeedTurn(rules.nowMs) : byReciprocity);
  const unchoked = new Set(
    ranked
      .filter((peer) => rules.seeding || !peer.isSnubbed)
      .slice(0, rules.slots)
      .map(idOf),
  );
  const waiting = ranked.filter((peer) => !unchoked.has(peer.id));
  const optimistic = chooseOptimistic(waiting, rules);
  if (optimistic !== undefined) unchoked.add(optimistic);
  return { unchoked, optimistic };
}

function idOf(peer: ChokeCandidate): number {
  return peer.id;
}

function byReciprocity(a: ChokeCandidate, b: ChokeCandidate): number {
  return b.downloadRate - a.downloadRate || Number(b.isUnchoked) - Number(a.isUnchoked) || a.id - b.id;
}

/** Holders within their turn first, fastest first; then who waits longest; last those whose turn is over, or wasted. */
function bySeedTurn(nowMs: number): (a: ChokeCandidate, b: ChokeCandidate) => number {
  const tier = (peer: ChokeCandidate): number => {
    if (!peer.isUnchoked) return 1;
    return nowMs - peer.changedAtMs < SEED_TURN_MS && !peer.isWasteful ? 0 : 2;
  };
  return (a, b) => {
    const difference = tier(a) - tier(b);
    if (difference !== 0) return difference;
    return tier(a) === 0 ? b.uploadRate - a.uploadRate || a.id - b.id : a.changedAtMs - b.changedAtMs || a.id - b.id;
  };
}

function chooseOptimistic(waiting: readonly ChokeCandidate[], rules: ChokeRules): number | undefined {
  const current = waiting.find((peer) => peer.id === rules.optimistic);
  if (current !== undefined && !rules.rotate) return current.id;
  const tickets = waiting
    .filter((peer) => peer !== current)
    .flatMap((peer) => (peer.isNew ? [peer, peer, peer] : [peer]));
  return (tickets[Math.floor(rules.random() * tickets.length)] ?? current)?.id;
}
