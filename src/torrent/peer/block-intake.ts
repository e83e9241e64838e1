/**
 * Takes one peer's block bytes to where they belong: straight into the piece's buffer, or, while another source is
 * writing that very block, into a scratch block of its own. Bytes are copied once; a block that was never asked for
 * ends the connection.
 */
import { ProtocolError } from '../../base/errors.ts';
import { BLOCK_BYTES } from '../../codec/wire.ts';
import type { ActivePiece, BlockSource } from '../pieces/active-piece.ts';
import type { PieceStore } from '../pieces/piece-store.ts';
import type { RequestLedger } from './request-ledger.ts';

interface IncomingBlock {
  readonly blockKey: number;
  readonly block: number;
  readonly piece: ActivePiece | undefined;
  readonly mode: 'direct' | 'scratch' | 'discard';
  at: number;
}

/** A block has come in completely. */
export interface CompletedBlock {
  readonly blockKey: number;
  readonly piece: ActivePiece | undefined;
  /** Other sources that were asked for it and may be spared the work. */
  readonly otherAskers: number;
  /** It was wanted and is the first copy. */
  readonly isNew: boolean;
}

/** A completed block with the request that it answers. */
export interface ReceivedBlock extends CompletedBlock {
  /** That request was open, not one taken back. */
  readonly wasOpen: boolean;
}

export class BlockIntake {
  readonly #source: BlockSource;
  readonly #store: PieceStore;
  readonly #ledger: RequestLedger;
  #incoming: IncomingBlock | undefined;
  #scratch: Uint8Array<ArrayBuffer> | undefined;

  constructor(source: BlockSource, store: PieceStore, ledger: RequestLedger) {
    this.#source = source;
    this.#store = store;
    this.#ledger = ledger;
  }

  /** The block being received now, as a key. */
  get current(): number | undefined {
    return this.#incoming?.blockKey;
  }

  /** @throws ProtocolError when nobody asked for exactly this block. */
  begin(pieceIndex: number, offsetBytes: number, lengthBytes: number): void {
    const { geometry } = this.#store;
    const blockKey = geometry.keyOf(pieceIndex, offsetBytes, lengthBytes);
    if (blockKey === undefined || !this.#ledger.isExpected(blockKey))
      throw new ProtocolError('a block that was never asked for', { piece: pieceIndex, offsetBytes, lengthBytes });
    const block = offsetBytes / BLOCK_BYTES;
    const piece = this.#store.active.get(pieceIndex);
    this.#incoming = { blockKey, block, piece, mode: this.#modeFor(piece, block), at: 0 };
  }

  /** The next bytes. Returns the completed block, with whether it was new and useful. */
  take(bytes: Uint8Array, isLast: boolean, nowMs: number): CompletedBlock | undefined {
    const incoming = this.#incoming;
    if (incoming === undefined) return undefined;
    this.#copy(incoming, bytes);
    incoming.at += bytes.length;
    if (!isLast) return undefined;
    this.#incoming = undefined;
    const { blockKey, block, piece } = incoming;
    const otherAskers = (piece?.askers(block) ?? 0) - Number(this.#ledger.has(blockKey));
    return { blockKey, piece, otherAskers, isNew: this.#commit(incoming, nowMs) };
  }

  /** The connection is gone: gives up the claim on a half-received block. */
  abandon(): void {
    const incoming = this.#incoming;
    this.#incoming = undefined;
    this.#scratch = undefined;
    if (incoming?.mode === 'direct') incoming.piece?.abandonWrite(incoming.block, this.#source);
  }

  #modeFor(piece: ActivePiece | undefined, block: number): IncomingBlock['mode'] {
    if (piece === undefined || piece.isReceived(block)) return 'discard';
    if (piece.exclusiveTo !== undefined && piece.exclusiveTo !== this.#source) return 'discard';
    return piece.beginWrite(block, this.#source) ? 'direct' : 'scratch';
  }

  #copy(incoming: IncomingBlock, bytes: Uint8Array): void {
    if (incoming.mode === 'direct' && incoming.piece?.mayWrite(incoming.block, this.#source))
      incoming.piece.buffer.set(bytes, incoming.block * BLOCK_BYTES + incoming.at);
    else if (incoming.mode === 'scratch') {
      this.#scratch ??= new Uint8Array(BLOCK_BYTES);
      this.#scratch.set(bytes, incoming.at);
    }
  }

  #commit(incoming: IncomingBlock, nowMs: number): boolean {
    const { piece, block, mode } = incoming;
    if (piece === undefined || mode === 'discard' || this.#store.active.get(piece.index) !== piece) return false;
    if (mode === 'direct' && !piece.mayWrite(block, this.#source)) return false;
    if (piece.isReceived(block)) return false;
    if (mode === 'scratch' && this.#scratch !== undefined)
      piece.buffer.set(this.#scratch.subarray(0, incoming.at), block * BLOCK_BYTES);
    return piece.receive(block, this.#source, nowMs);
  }
}
