/** Compares blocks of v2 pieces on their way in with the truth, each once, when the engine says that it matches its leaf. */
import type { PieceInspection, TorrentInspection } from '../../../src/torrent/index.ts';
import type { TestTorrent } from '../../support/swarm.ts';
import { areEqual } from './compare.ts';
import type { Referee } from './referee.ts';

const BLOCK_BYTES = 16 * 1024;

export class LeafAudit {
  readonly #name: string;
  readonly #referee: Referee;
  /** Matching blocks that were looked at, by the buffer they lie in: a piece begun anew has another one, or fewer of them. */
  readonly #seen = new WeakMap<Uint8Array, number>();

  constructor(name: string, referee: Referee) {
    this.#name = name;
    this.#referee = referee;
  }

  audit({ content }: TorrentInspection, torrent: TestTorrent): void {
    for (const piece of content?.active ?? [])
      if (piece.matchingBlocks.length !== (this.#seen.get(piece.bytes) ?? 0)) this.#look(piece, torrent);
  }

  #look({ piece, matchingBlocks, bytes }: PieceInspection, { info, bytes: truth }: TestTorrent): void {
    this.#seen.set(bytes, matchingBlocks.length);
    const pieceStart = piece * info.pieceLengthBytes;
    for (const block of matchingBlocks) {
      const start = block * BLOCK_BYTES;
      const end = Math.min(start + BLOCK_BYTES, info.pieceLengthBytes, truth.length - pieceStart);
      this.#referee.check(
        areEqual(bytes.subarray(start, end), truth.subarray(pieceStart + start, pieceStart + end)),
        'no block is kept that fails its leaf',
        () => `${this.#name}: block ${block} of piece ${piece}`,
      );
    }
  }
}
