/**
 * The info dictionary over ut_metadata (BEP 9). Fetching: each of a few peers is asked for the whole dictionary on its
 * own, so that a wrong hash convicts exactly one peer; the first right one wins. Every turn ends, by what is new and by
 * the clock, so that no peer keeps the others from theirs. Serving: pieces of the raw dictionary, bounded per peer.
 */
import { KIB, SECOND_MS } from '../../base/units.ts';
import { encodeMetadataMessage, METADATA_PIECE_BYTES, type MetadataMessage } from '../../codec/extension.ts';
import type { Peer } from './peer.ts';

/** Peers asked at the same time. */
const MAX_PARALLEL = 3;
/** A peer that sends no new metadata piece for this long has to wait for another turn. */
const STALL_MS = 10 * SECOND_MS;
/** A transfer slower than this, after the time in which others are given up, makes room for a peer not yet tried. */
const MIN_BYTES_PER_SECOND = 128 * KIB;
/** Pieces asked of one peer at once. */
const MAX_ASKED = 16;
/** A peer may fetch the dictionary this many times over; then it is refused. */
const MAX_SERVED_ROUNDS = 3;

/** What a peer can give, while it is not known to be of no use. */
interface Offer {
  readonly sizeBytes: number;
  /** Its turn is over without the dictionary: those not yet tried come first. */
  readonly hasLapsed: boolean;
  /** Pieces asked in turns that lapsed, which may still come. */
  readonly lateCount: number;
}

interface Transfer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly pieceCount: number;
  readonly received: Set<number>;
  readonly dueAtMs: number;
  lateCount: number;
  nextToAsk: number;
  progressAtMs: number;
}

export interface MetadataFetchParts {
  nowMs(): number;
  /** The dictionary is here or no longer wanted: nobody is asked any more. */
  isOver(): boolean;
  /** All pieces of one peer are here; resolves to whether the hash is right. */
  check(bytes: Uint8Array<ArrayBuffer>, peer: Peer): Promise<boolean>;
}

export class MetadataFetch {
  readonly #parts: MetadataFetchParts;
  readonly #transfers = new Map<Peer, Transfer>();
  /** Peers that refused, lied, or sent what was not asked for. */
  readonly #useless = new WeakSet<Peer>();
  /** In the order of their turns. */
  readonly #offers = new Map<Peer, Offer>();

  constructor(parts: MetadataFetchParts) {
    this.#parts = parts;
  }

  /** The peer says how large the dictionary is. */
  offered(peer: Peer, sizeBytes: number): void {
    if (this.#useless.has(peer)) return;
    const { hasLapsed = false, lateCount = 0 } = this.#offers.get(peer) ?? {};
    this.#offers.set(peer, { sizeBytes, hasLapsed, lateCount });
    this.#startMore();
  }

  left(peer: Peer): void {
    this.#offers.delete(peer);
    this.#transfers.delete(peer);
    this.#startMore();
  }

  /** A data or reject message; who sends what was not asked for is not asked again. */
  async message(peer: Peer, message: MetadataMessage): Promise<void> {
    const transfer = this.#transfers.get(peer);
    if (transfer === undefined || message.type === 'request') return;
    if (message.type !== 'data' || message.totalBytes !== transfer.bytes.length) this.#giveUp(peer);
    else if (message.piece < transfer.nextToAsk && !transfer.received.has(message.piece))
      await this.#store(peer, transfer, message.piece, message.bytes);
    else if (transfer.lateCount > 0) transfer.lateCount--;
    else this.#giveUp(peer);
  }

  /** Ends the turns of peers that stall, and of slow ones while others have not been tried. */
  tick(nowMs: number): void {
    if (this.#parts.isOver()) return;
    for (const [peer, transfer] of this.#transfers) {
      const isStalled = nowMs - transfer.progressAtMs > STALL_MS;
      if (isStalled || (nowMs > transfer.dueAtMs && this.#nextUntried() !== undefined)) this.#lapse(peer, transfer);
    }
  }

  async #store(peer: Peer, transfer: Transfer, piece: number, bytes: Uint8Array): Promise<void> {
    transfer.bytes.set(bytes, piece * METADATA_PIECE_BYTES);
    transfer.received.add(piece);
    transfer.progressAtMs = this.#parts.nowMs();
    this.#ask(peer, transfer);
    if (transfer.received.size < transfer.pieceCount) return;
    this.#transfers.delete(peer);
    this.#offers.delete(peer);
    if (!(await this.#parts.check(transfer.bytes, peer))) return this.#giveUp(peer);
    this.#transfers.clear();
    this.#offers.clear();
  }

  #giveUp(peer: Peer): void {
    this.#transfers.delete(peer);
    this.#useless.add(peer);
    this.#offers.delete(peer);
    this.#startMore();
  }

  /** Behind all others. */
  #lapse(peer: Peer, { bytes, lateCount, nextToAsk, received }: Transfer): void {
    this.#transfers.delete(peer);
    this.#offers.delete(peer);
    const stillAsked = lateCount + nextToAsk - received.size;
    this.#offers.set(peer, { sizeBytes: bytes.length, hasLapsed: true, lateCount: stillAsked });
    this.#startMore();
  }

  #startMore(): void {
    while (this.#transfers.size < MAX_PARALLEL && !this.#parts.isOver()) {
      const [peer, offer] = this.#nextUntried() ?? this.#nextWaiting() ?? [];
      if (peer === undefined || offer === undefined) return;
      this.#start(peer, offer);
    }
  }

  #nextUntried(): [Peer, Offer] | undefined {
    return this.#nextWaiting((offer) => !offer.hasLapsed);
  }

  #nextWaiting(suits: (offer: Offer) => boolean = () => true): [Peer, Offer] | undefined {
    for (const [peer, offer] of this.#offers) if (!this.#transfers.has(peer) && suits(offer)) return [peer, offer];
    return undefined;
  }

  #start(peer: Peer, { sizeBytes, lateCount }: Offer): void {
    const nowMs = this.#parts.nowMs();
    const transfer: Transfer = {
      bytes: new Uint8Array(sizeBytes),
      pieceCount: Math.ceil(sizeBytes / METADATA_PIECE_BYTES),
      received: new Set(),
      dueAtMs: nowMs + STALL_MS + (sizeBytes / MIN_BYTES_PER_SECOND) * SECOND_MS,
      lateCount,
      nextToAsk: 0,
      progressAtMs: nowMs,
    };
    this.#transfers.set(peer, transfer);
    this.#ask(peer, transfer);
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
