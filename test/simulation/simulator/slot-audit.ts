/** Checks that no more peers are unchoked than there are slots. Where there are fewer than before, a round may pass first. */
import type { TorrentInspection } from '../../../src/torrent/index.ts';
import type { Referee } from './referee.ts';

/** Peers are judged anew every ten seconds, at the next tick. */
const ROUND_MS = 10_500;

export class SlotAudit {
  readonly #name: string;
  readonly #referee: Referee;
  #slots = 0;
  /** What there were before, for as long as they may still be in use. */
  #earlier = { slots: 0, untilMs: 0 };

  constructor(name: string, referee: Referee) {
    this.#name = name;
    this.#referee = referee;
  }

  audit({ peers, uploadSlots }: TorrentInspection, nowMs: number): void {
    if (nowMs >= this.#earlier.untilMs) this.#earlier = { slots: 0, untilMs: 0 };
    if (uploadSlots < this.#slots)
      this.#earlier = { slots: Math.max(this.#slots, this.#earlier.slots), untilMs: nowMs + ROUND_MS };
    this.#slots = uploadSlots;
    const unchoked = peers.filter((peer) => !peer.amChoking && peer.isInterested).length;
    // One optimistic comes on top.
    this.#referee.check(
      unchoked <= Math.max(uploadSlots, this.#earlier.slots) + 1,
      'limits hold',
      () => `${this.#name}: ${unchoked} peers unchoked with ${uploadSlots} slots`,
    );
  }
}
