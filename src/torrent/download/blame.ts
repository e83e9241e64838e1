/**
 * What follows from wrong bytes: they count as wasted, and who sent them is cut off as soon as that is certain.
 * Invariant: a source is cut off only for bytes of its own (`suspicion` finds out whose they were).
 */
import type { Geometry } from '../geometry.ts';
import type { Traffic } from '../limits/traffic.ts';
import { Peer } from '../peer/peer.ts';
import type { ActivePiece, BlockSource } from '../pieces/active-piece.ts';
import type { EnginePorts } from '../ports.ts';
import { Suspicions } from './suspicion.ts';
import { WebSeed } from './web-seed.ts';

export interface BlameParts {
  readonly ports: Pick<EnginePorts, 'hasher' | 'log'>;
  readonly traffic: Traffic;
  readonly geometry: Geometry;
  /** Its leaves are worth asking for: with them the liar is known at the next try (BEP 52). */
  doubt(piece: number): void;
  /** The peer sent wrong bytes. */
  convict(peer: Peer): void;
}

export class Blame {
  readonly suspicions: Suspicions;
  readonly #parts: BlameParts;

  constructor(parts: BlameParts) {
    this.#parts = parts;
    this.suspicions = new Suspicions(parts.ports.hasher);
  }

  /** A piece is right: whoever sent other bytes of it before is guilty. The buffer has to stay until this settles. */
  pieceRight(piece: ActivePiece): Promise<void> | undefined {
    if (!this.suspicions.isSuspect(piece.index)) return undefined;
    return this.suspicions.acquitOrConvict(piece).then((guilty) => {
      for (const source of guilty) this.#convict(source);
    });
  }

  /** A piece is wrong: a lone sender is guilty, several are suspects. The buffer has to stay until this settles. */
  async pieceWrong(piece: ActivePiece): Promise<void> {
    const { traffic, ports } = this.#parts;
    traffic.wastedBytes += piece.sizeBytes;
    ports.log.info('torrent.bad_piece', { piece: piece.index, sources: piece.contributors().size });
    this.#parts.doubt(piece.index);
    const guilty = await this.suspicions.accuse(piece);
    if (guilty !== undefined) this.#convict(guilty);
  }

  /** A block does not match its leaf: its sender is a liar, and nobody else. */
  blockWrong(piece: number, block: number, source: BlockSource): void {
    const { traffic, ports, geometry } = this.#parts;
    traffic.wastedBytes += geometry.blockBytes(piece, block);
    ports.log.info('torrent.bad_block', { piece, block });
    this.#convict(source);
  }

  #convict(source: BlockSource): void {
    if (source instanceof Peer) this.#parts.convict(source);
    else if (source instanceof WebSeed) {
      source.ban();
      this.#parts.ports.log.warn('webseed.banned', { source: source.source.label });
    }
  }
}
