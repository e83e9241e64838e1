/**
 * What is wanted unread: what slow sources hold changes hands when a quicker peer has nothing else to do, be it that
 * all is asked for or that there is no memory for another piece. Invariants: who has proven nothing displaces only who is
 * late; a block has a bounded number of sources, of which the slowest makes room; what can still be taken back is fetched
 * once; who was late with a block gets it again only while it delivers.
 */
import { SECOND_MS } from '../../base/units.ts';
import { BLOCK_BYTES } from '../../codec/wire.ts';
import type { Peer } from '../peer/peer.ts';
import type { PieceStore } from '../pieces/piece-store.ts';
import { isWorthHedging } from './arrival.ts';
import { giveWay } from './giving-way.ts';
import { lastToBring, owedBy, soonestOf, type OwedBlock } from './owed-blocks.ts';
import { isDelivering, isForsaken } from './reliability.ts';

/** Slow sources keep what they bring within this time while other pieces are left to begin, and when none is. */
const PATIENCE_MS = 2 * SECOND_MS;
const LAST_LAP_PATIENCE_MS = 250;
/** Sources asked for one block at the same time. */
const MAX_SOURCES = 3;
/** Blocks looked at each time. */
const MAX_BLOCKS = 256;

/** What relief looks at and changes in a peer. */
export type RelievedPeer = Pick<
  Peer,
  'sourceId' | 'ledger' | 'pipeline' | 'lastBlockAtMs' | 'isSnubbed' | 'mayRequest' | 'serves' | 'cancel'
>;

export interface ReliefParts<P extends RelievedPeer> {
  readonly store: Pick<PieceStore, 'active' | 'geometry'>;
  readonly peers: ReadonlySet<P>;
  /** No other piece can be begun: all are, or there is no memory for one. */
  isLastLap(): boolean;
  /** Blocks the peer may be asked for now. */
  room(peer: P): number;
  /** Asks the peer for one more block. */
  ask(peer: P, blockKey: number): void;
}

export class Relief<P extends RelievedPeer> {
  readonly #parts: ReliefParts<P>;

  constructor(parts: ReliefParts<P>) {
    this.#parts = parts;
  }

  /** Hands over what would come much later than an idle peer could bring it, the latest first. */
  relieve(nowMs: number): void {
    const isLastLap = this.#parts.isLastLap();
    const helpers = [...this.#parts.peers].filter((peer) => this.#mayHelp(peer, isLastLap));
    if (helpers.length === 0) return;
    const patienceMs = isLastLap ? LAST_LAP_PATIENCE_MS : PATIENCE_MS;
    const held = [...soonestOf(this.#owed(nowMs))].filter(({ arrivesInMs }) => arrivesInMs > patienceMs);
    held.sort((a, b) => b.arrivesInMs - a.arrivesInMs);
    for (const block of held.slice(0, MAX_BLOCKS)) this.#handOver(block, helpers, nowMs);
  }

  /** While something else is left to do, only who has nothing to do helps. */
  #mayHelp(peer: P, isLastLap: boolean): boolean {
    if (!peer.mayRequest || isForsaken(peer) || this.#parts.room(peer) <= 0) return false;
    return isLastLap || peer.ledger.size === 0;
  }

  *#owed(nowMs: number): Generator<OwedBlock<P>> {
    for (const peer of this.#parts.peers) yield* owedBy(peer, nowMs);
  }

  #handOver(soonest: OwedBlock<P>, helpers: P[], nowMs: number): void {
    const { store } = this.#parts;
    const { blockKey, arrivesInMs } = soonest;
    const piece = store.active.get(store.geometry.pieceOf(blockKey));
    if (piece === undefined || piece.exclusiveTo !== undefined) return;
    const block = blockKey - store.geometry.blockKey(piece.index, 0);
    const askers = piece.askers(block);
    if (askers === 0) return; // here already, from another source
    const helper = this.#quickest(helpers, (peer) => {
      if (peer.ledger.has(blockKey) || !peer.serves(piece.index)) return false;
      return !piece.lapses.has(block, peer) || isDelivering(peer, nowMs);
    });
    if (helper === undefined || !isWorthHedging(arrivesInMs, arrivalMs(helper))) return;
    const displaced = askers >= MAX_SOURCES ? lastToBring(this.#parts.peers, blockKey, nowMs) : soonest;
    if (displaced !== undefined && (askers >= MAX_SOURCES || displaced.isStoppable))
      giveWay(displaced, helper, piece, block);
    if (piece.askers(block) >= MAX_SOURCES) return;
    piece.ask(block);
    this.#parts.ask(helper, blockKey);
  }

  /** A proven one, if there is any. */
  #quickest(helpers: readonly P[], suits: (peer: P) => boolean): P | undefined {
    let best: P | undefined;
    for (const peer of helpers)
      if (this.#parts.room(peer) > 0 && suits(peer) && (best === undefined || isQuicker(peer, best))) best = peer;
    return best;
  }
}

function isQuicker(a: RelievedPeer, b: RelievedPeer): boolean {
  if (a.pipeline.isMeasured !== b.pipeline.isMeasured) return a.pipeline.isMeasured;
  return arrivalMs(a) < arrivalMs(b);
}

function arrivalMs({ pipeline, ledger }: RelievedPeer): number {
  return pipeline.arrivalMs(ledger.size * BLOCK_BYTES);
}
