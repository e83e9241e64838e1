/**
 * When two browsers offer to each other at the same moment, one connection must remain, and both must choose the same
 * one without asking. The rule: what the lower peer id offered wins; a crossing offer is answered, never destroyed.
 */

/** What we already have with the peer, for the same torrent. */
export interface ExistingLink {
  /** Who made the offer. */
  readonly role: 'offerer' | 'answerer';
  readonly isOpen: boolean;
  /** Since it was answered, in ms. */
  readonly ageMs: number;
}

/** An open link is not given up for a new offer after this: the peer offers to anybody and cannot know whom it reaches. */
const SETTLED_MS = 5_000;
/** A link that has not opened by then may be replaced by a fresh one. */
const STUCK_MS = 10_000;

/** What to do with an offer. `replace`: answer it and close what exists. */
export function onOffer(isLowerThanPeer: boolean, existing: ExistingLink | undefined): 'answer' | 'ignore' | 'replace' {
  if (existing === undefined) return 'answer';
  if (existing.role === 'answerer') return existing.isOpen || existing.ageMs < STUCK_MS ? 'ignore' : 'replace';
  if (existing.isOpen && existing.ageMs >= SETTLED_MS) return 'ignore';
  return isLowerThanPeer ? 'ignore' : 'replace';
}

/** What to do with the answer to an offer of ours. `replace`: take it and close what exists; `drop`: close the new one. */
export function onAnswer(isLowerThanPeer: boolean, existing: ExistingLink | undefined): 'accept' | 'drop' | 'replace' {
  if (existing === undefined) return 'accept';
  if (existing.role === 'offerer') return existing.isOpen ? 'drop' : 'replace';
  return isLowerThanPeer ? 'replace' : 'drop';
}
