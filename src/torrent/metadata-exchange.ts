/**
 * The info dictionary over ut_metadata (BEP 9). Fetching: each of a few peers is asked for the whole dictionary on its
 * own, so that a wrong hash convicts exactly one peer; the first right one wins. Serving: pieces of the raw
 * dictionary, bounded per peer.
 */
import { SECOND_MS } from '../base/units.ts';
import { encodeMetadataMessage, METADATA_PIECE_BYTES, type MetadataMessage } from '../codec/extension.ts';
import type { Peer } from './peer.ts';

/** Peers asked at the same time. */
const MAX_PARALLEL = 3;
/** A peer that sends no metadata piece for this long is given up. */
const STALL_MS = 10 * SECOND_MS;
/** Pieces asked of one peer at once. */
const MAX_ASKED = 16;
/** A peer may fetch the dictionary this many times over; then it is refused. */
const MAX_SERVED_ROUNDS = 3;

interface Transfer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly pieceCount: number;
  readonly received: Set<number>;
  nextToAsk: number;
  progressAtMs: number;
}

export interface MetadataFetchParts {
  nowMs(): number;
  /** All pieces of one peer are here; resolves to whether the hash is right. */
  check(bytes: Uint8Array<ArrayBuffer>, peer: Peer): Promise<boolean>;
}

export class MetadataFetch {
  readonly #parts: MetadataFetchParts;
  readonly #transfers = new Map<Peer, Transfer>();
  /** Peers that refused, stalled or lied. */
  readonly #useless = new WeakSet<Peer>();
  readonly #offers = new Map<Peer, number>();

  constructor(parts: MetadataFetchParts) {
    this.#parts = parts;
  }

  /** The peer says how large the dictionary is. */
  offered(peer: Peer, sizeBytes: number): void {
    this.#offers.set(peer, sizeBytes);
    this.#startMore();
  }

  left(peer: Peer): void {
    this.#offers.delete(peer);
    this.#transfers.delete(peer);
    this.#startMore();
  }

  /** A data or reject message; anything that does not fit what was asked is ignored. */
  async message(peer: Peer, message: MetadataMessage): Promise<void> {
    const transfer = this.#transfers.get(peer);
    if (transfer === undefined || message.type === 'request') return;
    if (message.type !== 'data') this.#giveUp(peer);
    else if (message.totalBytes !== transfer.bytes.length || message.piece >= transfer.nextToAsk) this.#giveUp(peer);
    else await this.#store(peer, transfer, message.piece, message.bytes);
  }

  /** Gives up peers that stall. */
  tick(nowMs: number): void {
    for (const [peer, transfer] of this.#transfers) if (nowMs - transfer.progressAtMs > STALL_MS) this.#giveUp(peer);
  }

  async #store(peer: Peer, transfer: Transfer, piece: number, bytes: Uint8Array): Promise<void> {
    transfer.bytes.set(bytes, piece * METADATA_PIECE_BYTES);
    transfer.received.add(piece);
    transfer.progressAtMs = this.#parts.nowMs();
    this.#ask(peer, transfer);
    if (transfer.received.size < transfer.pieceCount) return;
    this.#transfers.delete(peer);
    const isRight = await this.#parts.check(transfer.bytes, peer);
    if (!isRight) this.#giveUp(peer);
  }

  #giveUp(peer: Peer): void {
    this.#transfers.delete(peer);
    this.#useless.add(peer);
    this.#offers.delete(peer);
    this.#startMore();
  }

  #startMore(): void {
    for (const [peer, sizeBytes] of this.#offers) {
      if (this.#transfers.size >= MAX_PARALLEL) return;
      if (this.#transfers.has(peer) || this.#useless.has(peer)) continue;
      const transfer: Transfer = {
        bytes: new Uint8Array(sizeBytes),
        pieceCount: Math.ceil(sizeBytes / METADATA_PIECE_BYTES),
        received: new Set(),
        nextToAsk: 0,
        progressAtMs: this.#parts.nowMs(),
      };
      this.#transfers.set(peer, transfer);
      this.#ask(peer, transfer);
    }
  }

  #ask(peer: Peer, transfer: Transfer): void {
    while (transfer.nextToAsk < transfer.pieceCount && transfer.nextToAsk - transfer.received.size < MAX_ASKED)
      peer.sayExtended('ut_metadata', encodeMetadataMessage({ type: 'request', piece: transfer.nextToAsk++ }));
  }
}

/** Answers requests for the raw info dictionary; undefined while we do not have it ourselves. */
export class MetadataServer {
  readonly #servedPieces = new WeakMap<Peer, number>();

  answer(peer: Peer, piece: number, rawInfo: Uint8Array | undefined): void {
    const pieceCount = rawInfo === undefined ? 0 : Math.ceil(rawInfo.length / METADATA_PIECE_BYTES);
    const served = this.#servedPieces.get(peer) ?? 0;
    if (rawInfo === undefined || piece >= pieceCount || served >= pieceCount * MAX_SERVED_ROUNDS) {
      peer.sayExtended('ut_metadata', encodeMetadataMessage({ type: 'reject', piece }));
      return;
    }
    this.#servedPieces.set(peer, served + 1);
    const bytes = rawInfo.subarray(piece * METADATA_PIECE_BYTES, (piece + 1) * METADATA_PIECE_BYTES);
    peer.sayExtended('ut_metadata', encodeMetadataMessage({ type: 'data', piece, totalBytes: rawInfo.length, bytes }));
  }
}
