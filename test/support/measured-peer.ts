/** Peers as hedging and relief see them: of a measured speed, owing what they were asked for. */
import { BLOCK_BYTES } from '../../src/codec/wire.ts';
import type { HedgedPeer } from '../../src/torrent/download/hedging.ts';
import { RequestPipeline } from '../../src/torrent/peer/pipeline.ts';
import { Punctuality } from '../../src/torrent/peer/punctuality.ts';
import { RequestLedger } from '../../src/torrent/peer/request-ledger.ts';
import type { ActivePiece } from '../../src/torrent/pieces/active-piece.ts';

export interface TestPeer extends HedgedPeer {
  lastBlockAtMs: number;
  readonly cancelled: number[];
}

const DISTANCE_MS = 40;

let lastSourceId = 0;

/**
 * A peer 40 ms away, or a block where that takes longer, that was asked for these blocks at `sinceMs`; of no known speed
 * where that is undefined.
 */
export function measuredPeer(bytesPerMs: number | undefined, asked: readonly number[], sinceMs: number): TestPeer {
  const pipeline = new RequestPipeline(0);
  const ledger = new RequestLedger();
  if (bytesPerMs !== undefined) {
    const blockMs = BLOCK_BYTES / bytesPerMs;
    pipeline.delivered(BLOCK_BYTES, pipeline.sent(1, 0), DISTANCE_MS);
    for (let at = 1; at <= 40; at++) {
      const atMs = DISTANCE_MS + at * blockMs;
      pipeline.delivered(BLOCK_BYTES, pipeline.sent(2, atMs - Math.max(DISTANCE_MS, blockMs)), atMs);
    }
  }
  for (const key of asked) ledger.add(key, pipeline.sent(ledger.size + 1, sinceMs));
  const cancelled: number[] = [];
  return {
    sourceId: ++lastSourceId,
    ledger,
    pipeline,
    lastBlockAtMs: sinceMs,
    isSnubbed: false,
    punctuality: new Punctuality(),
    mayRequest: true,
    requestQueueLimit: 250,
    serves: () => true,
    cancel: (keys) => {
      for (const key of keys) if (ledger.cancel(key)) cancelled.push(key);
    },
    cancelled,
  };
}

/** Joins the peers' requests for blocks of piece 0 with its own count: what they owe, and what they are spared. */
export function joinBooks(piece: ActivePiece, peers: readonly TestPeer[]): void {
  for (const peer of peers) {
    for (const key of peer.ledger.open.keys()) piece.ask(key);
    const { cancel } = peer;
    peer.cancel = (keys) => {
      for (const key of keys) if (peer.ledger.has(key)) piece.unask(key);
      cancel(keys);
    };
  }
}
