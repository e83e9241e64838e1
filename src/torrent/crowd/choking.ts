/** Applies the choker to one torrent's peers: a free slot is given at once, and every ten seconds all are judged anew. */
import { MINUTE_MS, SECOND_MS } from '../../base/units.ts';
import type { UploadSlots } from '../limits/upload-slots.ts';
import type { Peer } from '../peer/peer.ts';
import { chooseUnchoked, type ChokeCandidate } from './choker.ts';
import { wastedSlotMs } from './peer-worth.ts';

const ROUND_MS = 10 * SECOND_MS;
/** A slot that is not used for so long goes to others who wait; a reader of 20 KiB/s takes six seconds for a batch. */
const WASTED_MS = 8 * SECOND_MS;
const ROUNDS_PER_OPTIMIST = 3;
const LEECHING_SLOTS = 4;
/** Slots while seeding without an upload limit; with one, one slot per this many bytes a second. */
const SEEDING_SLOTS = 32;
const SEED_SLOT_BYTES_PER_SECOND = 128 * 1024;

/** Regular upload slots for the situation; the optimistic one comes on top. None where nothing may be sent. */
export function uploadSlots(seeding: boolean, uploadBytesPerSecond: number): number {
  if (uploadBytesPerSecond === 0) return 0;
  if (!seeding) return LEECHING_SLOTS;
  const affordable = Math.floor(uploadBytesPerSecond / SEED_SLOT_BYTES_PER_SECOND);
  return Math.min(SEEDING_SLOTS, Math.max(LEECHING_SLOTS, affordable));
}

export interface ChokingParts {
  readonly peers: ReadonlySet<Peer>;
  readonly random: () => number;
  /** Those of all torrents. */
  readonly budget: UploadSlots;
  isSeeding(): boolean;
  uploadBytesPerSecond(): number;
}

export class Choking {
  readonly #parts: ChokingParts;
  #optimistic: number | undefined;
  #round = 0;
  #nextRoundAtMs = 0;

  constructor(parts: ChokingParts) {
    this.#parts = parts;
  }

  /**
   * A peer became interested: it need not wait for the next round while slots are free. One that kept its place while
   * it wanted nothing gives it up where others hold them all by now.
   */
  interestChanged(peer: Peer): void {
    const slots = this.slots;
    if (!peer.isInterested || slots === 0) return;
    let [taken, unchoked] = [0, 0];
    for (const other of this.#parts.peers) {
      if (other === peer || other.amChoking) continue;
      unchoked++;
      if (other.isInterested) taken++;
    }
    const hasPlace = taken <= slots && this.#parts.budget.allowance(this, unchoked + 1) > unchoked;
    peer.setChoking(!hasPlace);
    this.#parts.budget.hold(this, unchoked + Number(hasPlace));
  }

  /** A peer has left: its slot is free. */
  left(): void {
    const { budget, peers } = this.#parts;
    let unchoked = 0;
    for (const peer of peers) if (!peer.amChoking) unchoked++;
    if (peers.size === 0) budget.leave(this);
    else budget.hold(this, unchoked);
  }

  tick(nowMs: number): void {
    if (nowMs < this.#nextRoundAtMs) return;
    this.#nextRoundAtMs = nowMs + ROUND_MS;
    const interested = this.slots === 0 ? [] : [...this.#parts.peers].filter((peer) => peer.isInterested);
    // One of them is the optimistic one.
    const allowed = this.#parts.budget.allowance(this, Math.min(interested.length, this.slots + 1));
    const slots = Math.max(0, Math.min(this.slots, allowed - 1));
    const verdict = chooseUnchoked(
      (allowed === 0 ? [] : interested).map((peer) => describe(peer, nowMs)),
      {
        slots,
        seeding: this.#parts.isSeeding(),
        optimistic: this.#optimistic,
        rotate: this.#round++ % ROUNDS_PER_OPTIMIST === 0,
        nowMs,
        random: this.#parts.random,
      },
    );
    this.#optimistic = verdict.optimistic;
    this.#parts.budget.hold(this, verdict.unchoked.size);
    for (const peer of this.#parts.peers) peer.setChoking(!verdict.unchoked.has(peer.sourceId));
  }

  /** Regular slots; the optimistic one comes on top. */
  get slots(): number {
    return uploadSlots(this.#parts.isSeeding(), this.#parts.uploadBytesPerSecond());
  }
}

function describe(peer: Peer, nowMs: number): ChokeCandidate {
  return {
    id: peer.sourceId,
    isUnchoked: !peer.amChoking,
    downloadRate: peer.downloaded.bytesPerSecond(nowMs),
    uploadRate: peer.uploaded.bytesPerSecond(nowMs),
    isSnubbed: peer.isSnubbed,
    isWasteful: wastedSlotMs(peer, nowMs) >= WASTED_MS,
    changedAtMs: peer.chokeChangedAtMs,
    isNew: nowMs - peer.connectedAtMs < MINUTE_MS,
  };
}
